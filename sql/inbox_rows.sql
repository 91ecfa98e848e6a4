-- How many of the rows of the inbox that wait, of some $1 of them, are captured rows of mapped tables.
SELECT count(*) FILTER (WHERE w.kind = 'r') FROM (
    SELECT i.kind FROM (SELECT * FROM cdp.batches ORDER BY batch_id DESC LIMIT 1) b, cdp.inbox i
     WHERE (i.xact >= pg_snapshot_xmax(b.consumed)
            OR i.xact = ANY (ARRAY(SELECT pg_snapshot_xip(b.consumed))))
       AND (b.window_end IS NULL OR NOT pg_visible_in_snapshot(i.xact, b.window_end)
            OR (i.xact, i.id) > (b.position_xact, b.position_id))
     LIMIT $1
) w
