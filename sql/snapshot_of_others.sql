-- What is visible now, with this transaction counted as running, which pg_current_snapshot() does not
-- do: once a younger transaction has ended, ours would seem to have ended as well, and what it writes
-- from here on would never be read.
SELECT format('%s:%s:%s', least(pg_snapshot_xmin(s.now), s.own), pg_snapshot_xmax(s.now),
              (SELECT string_agg(r.xid::text, ',' ORDER BY r.xid)
                 FROM (SELECT pg_snapshot_xip(s.now)
                       UNION SELECT s.own WHERE s.own < pg_snapshot_xmax(s.now)) r (xid)))
  FROM (SELECT pg_current_snapshot() AS now, pg_current_xact_id() AS own) s
