-- How much there is, by the planner's statistics, which partitions have each for itself.
SELECT string_agg(CASE WHEN estimate IS NULL THEN what || ' unknown until ANALYZE'
                       ELSE format('about %s %s', estimate, what) END, ', ' ORDER BY at)
  FROM (SELECT t.at, t.what,
               sum(c.reltuples) FILTER (WHERE c.reltuples >= 0 AND c.relkind = 'r')::bigint AS estimate
          FROM (VALUES (1, 'profiles', 'cdp.profile_rows'::regclass),
                       (2, 'identifiers', 'cdp.identifiers'::regclass),
                       (3, 'events', 'cdp.events'::regclass)) t (at, what, root)
          JOIN pg_catalog.pg_class c
            ON c.oid = t.root OR c.oid IN (SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = t.root)
         GROUP BY t.at, t.what) counts
