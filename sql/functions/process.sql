-- Does what the worker does, once: it captures what mapped tables have to say, drains the inbox, and
-- keeps house; a transaction a step, and a batch. Without SET, so that it can COMMIT, and so with every
-- name qualified.
CREATE PROCEDURE cdp.process_all(batch_size integer DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    v_batch bigint;
    v_read bigint;
    v_step integer := 0;
BEGIN
    PERFORM cdp.require_own_transaction('cdp.process_all()');
    WHILE cdp.keep_house(false, v_step) LOOP
        COMMIT;
        v_step := v_step OPERATOR(pg_catalog.+) 1;
    END LOOP;
    LOOP
        PERFORM cdp.await_turn();
        COMMIT;
        v_batch := cdp.begin_batch(batch_size);
        COMMIT;
        EXIT WHEN v_batch IS NULL;
        v_read := cdp.run_begun_batch(v_batch);
        COMMIT;
        EXIT WHEN v_read OPERATOR(pg_catalog.=) 0;
    END LOOP;
    v_step := 0;
    WHILE cdp.keep_house(true, v_step) LOOP
        COMMIT;
        v_step := v_step OPERATOR(pg_catalog.+) 1;
    END LOOP;
END $$;
COMMENT ON PROCEDURE cdp.process_all(integer) IS
    'Reads everything in the inbox, in batches that it commits one by one, and does what else the worker does.';

-- The launcher learns of the extension when this CREATE EXTENSION commits.
SELECT cdp.wake_worker();
