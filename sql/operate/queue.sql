-- What waits in the inbox: how many rows, at most $1, and since when. See sql/inbox_next.sql.
WITH ledger AS (
    SELECT consumed, window_end, position_xact, position_id
      FROM cdp.batches ORDER BY batch_id DESC LIMIT 1
), waiting AS (
    SELECT i.received_at
      FROM ledger l, cdp.inbox i
     WHERE i.xact >= pg_snapshot_xmax(l.consumed)
       AND (l.window_end IS NULL OR (i.xact, i.id) > (l.position_xact, l.position_id)
            OR NOT pg_visible_in_snapshot(i.xact, l.window_end))
    UNION ALL
    SELECT i.received_at
      FROM ledger l, cdp.inbox i
     WHERE i.xact = ANY (ARRAY(SELECT pg_snapshot_xip(consumed) FROM ledger))
       AND (l.window_end IS NULL OR (i.xact, i.id) > (l.position_xact, l.position_id)
            OR NOT pg_visible_in_snapshot(i.xact, l.window_end))
    LIMIT $1
)
SELECT count(*), min(received_at)::text,
       date_trunc('second', greatest(clock_timestamp() - min(received_at), '0'))::text
  FROM waiting
