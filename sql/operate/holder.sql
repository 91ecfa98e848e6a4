-- Who holds the pipeline lock.
SELECT format('process %s (%s) since %s: %s', a.pid,
              coalesce(nullif(a.usename::text, ''), a.backend_type),
              date_trunc('second', coalesce(a.xact_start, a.query_start)),
              left(regexp_replace(a.query, '\s+', ' ', 'g'), 100))
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.granted
   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
   AND l.relation = 'cdp.pipeline_lock'::regclass
   AND l.mode IN ('ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
 LIMIT 1
