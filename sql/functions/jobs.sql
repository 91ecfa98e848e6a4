-- Runs the jobs that are due, a transaction a job: those whose owner the caller may act for. Without
-- SET, so that it can COMMIT, and so with every name qualified.
CREATE PROCEDURE cdp.run_due_jobs()
LANGUAGE plpgsql AS $$
DECLARE
    v_run bigint;
    v_status pg_catalog.text;
BEGIN
    PERFORM cdp.require_own_transaction('cdp.run_due_jobs()');
    LOOP
        v_run := cdp.claim_due_job();
        COMMIT;
        EXIT WHEN v_run IS NULL;
        v_status := cdp.run_claimed_job(v_run);
        COMMIT;
        IF v_status OPERATOR(pg_catalog.=) 'cancelled' THEN
            RAISE EXCEPTION USING ERRCODE = 'query_canceled',
                MESSAGE = 'canceled while a job of pg_cdp ran';
        END IF;
    END LOOP;
END $$;
COMMENT ON PROCEDURE cdp.run_due_jobs() IS
    'Runs the due jobs whose owner the caller may act for, each in a transaction of its own; see cdp.job_runs.';
