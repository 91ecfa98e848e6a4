-- Whether the inbox holds anything that the newest row of the ledger does not cover.
SELECT EXISTS (
    SELECT 1
      FROM (SELECT * FROM cdp.batches ORDER BY batch_id DESC LIMIT 1) b
     WHERE b.window_end IS NOT NULL
        OR EXISTS (SELECT 1 FROM cdp.inbox i
                    WHERE i.xact >= pg_snapshot_xmax(b.consumed))
        OR EXISTS (SELECT 1 FROM cdp.inbox i
                    WHERE i.xact = ANY (ARRAY(SELECT pg_snapshot_xip(b.consumed)))))
