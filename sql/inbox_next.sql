-- The next rows of a window of the inbox. $1 consumed snapshot, $2 end of the window, ($3, $4) the
-- last row read, $5 rows at most, $6 bytes at most.
SELECT w.id, w.xact::text, w.received_at, w.kind = 'r', w.source, w.message
  FROM (
    SELECT u.id, u.xact, u.received_at, u.kind, u.source, u.message,
           sum(coalesce(octet_length(u.message), 0)) OVER (ORDER BY u.xact, u.id)
             - coalesce(octet_length(u.message), 0) AS bytes_before
      FROM (
        -- transactions that were running when the consumed snapshot was taken: all before its end
        (SELECT i.id, i.xact, i.received_at, i.kind, i.source, i.message
           FROM cdp.inbox i
          WHERE i.xact = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))
            AND (i.xact, i.id) > ($3::xid8, $4)
            AND pg_visible_in_snapshot(i.xact, $2::pg_snapshot)
          ORDER BY i.xact, i.id LIMIT $5)
        UNION ALL
        -- transactions since
        (SELECT i.id, i.xact, i.received_at, i.kind, i.source, i.message
           FROM cdp.inbox i
          WHERE i.xact >= pg_snapshot_xmax($1::pg_snapshot)
            AND i.xact < pg_snapshot_xmax($2::pg_snapshot)
            AND (i.xact, i.id) > ($3::xid8, $4)
            AND pg_visible_in_snapshot(i.xact, $2::pg_snapshot)
          ORDER BY i.xact, i.id LIMIT $5)
      ) u
     ORDER BY u.xact, u.id LIMIT $5
  ) w
 WHERE w.bytes_before < $6
 ORDER BY w.xact, w.id
