-- Drains the inbox: a transaction a batch. Without SET, so that it can COMMIT, and so with every name
-- qualified.
CREATE PROCEDURE cdp.process_all(batch_size integer DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    v_batch bigint;
    v_read bigint;
BEGIN
    LOOP
        v_batch := cdp.begin_batch(batch_size);
        COMMIT;
        EXIT WHEN v_batch IS NULL;
        v_read := cdp.run_begun_batch(v_batch);
        COMMIT;
        EXIT WHEN v_read OPERATOR(pg_catalog.=) 0;
    END LOOP;
END $$;
COMMENT ON PROCEDURE cdp.process_all(integer) IS
    'Reads everything in the inbox, in batches that it commits one by one.';

-- The launcher learns of the extension when this CREATE EXTENSION commits.
SELECT cdp.wake_worker();
