-- Dead letters that were not retried, at most $1: how many, how many of them new, the newest's reason.
SELECT count(*), count(*) FILTER (WHERE d.recorded_at > now() - interval '24 hours'),
       (SELECT n.reason FROM cdp.dead_letter n WHERE n.retried_at IS NULL
         ORDER BY n.recorded_at DESC LIMIT 1)
  FROM (SELECT recorded_at FROM cdp.dead_letter WHERE retried_at IS NULL LIMIT $1) d
