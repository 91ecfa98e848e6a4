-- Inbox: where every writer appends and nobody waits.

CREATE SEQUENCE cdp.inbox_id_seq;

-- The slot turns with the clock, so a default of constant cost spreads the inbox over partitions
-- that are truncated one by one when consumed. No default is volatile: COPY keeps its bulk path.
-- kind: m a message, r a captured row of a mapped table.
CREATE TABLE cdp.inbox (
    id           bigint      NOT NULL DEFAULT nextval('cdp.inbox_id_seq'),
    slot         smallint    NOT NULL DEFAULT ((extract(epoch FROM now())::bigint / 600) % 4)::smallint,
    xact         xid8        NOT NULL DEFAULT pg_current_xact_id(),
    received_at  timestamptz NOT NULL DEFAULT now(),
    kind         "char"      NOT NULL DEFAULT 'm',
    source       text,
    message      text
) PARTITION BY LIST (slot);
ALTER SEQUENCE cdp.inbox_id_seq OWNED BY cdp.inbox.id;
CREATE TABLE cdp.inbox_0 PARTITION OF cdp.inbox FOR VALUES IN (0);
CREATE TABLE cdp.inbox_1 PARTITION OF cdp.inbox FOR VALUES IN (1);
CREATE TABLE cdp.inbox_2 PARTITION OF cdp.inbox FOR VALUES IN (2);
CREATE TABLE cdp.inbox_3 PARTITION OF cdp.inbox FOR VALUES IN (3);
CREATE INDEX inbox_xact_id ON cdp.inbox (xact, id);
COMMENT ON TABLE cdp.inbox IS 'messages as they arrive: COPY cdp.inbox (message) or (source, message)';

-- Wakes the worker at commit and watches the limit. It is a courtesy: where the library is missing,
-- writes go on, and the worker finds them by polling.
CREATE FUNCTION cdp.inbox_written() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM cdp.inbox_wake();
    RETURN NULL;
EXCEPTION
    WHEN configuration_limit_exceeded THEN RAISE;
    WHEN OTHERS THEN RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION cdp.inbox_written() FROM PUBLIC;
CREATE TRIGGER inbox_written AFTER INSERT ON cdp.inbox
    FOR EACH STATEMENT EXECUTE FUNCTION cdp.inbox_written();
ALTER TABLE cdp.inbox ENABLE ALWAYS TRIGGER inbox_written;

-- Captures a changed row of a mapped table. SECURITY DEFINER: whoever writes the company's table has
-- no rights here. Values become text by output functions only (format does that; a cast could be the
-- table owner's code). plpgsql, so that the company's writes go on without our library.
-- Arguments: the source's name.
CREATE FUNCTION cdp.capture_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'iso_8601'
SET extra_float_digits = 1 SET bytea_output = 'hex' SET xmlbinary = 'base64' AS $$
DECLARE
    v_columns json;
    v_new text;
    v_old text;
BEGIN
    IF TG_OP <> 'DELETE' THEN v_new := format('%s', NEW); END IF;
    IF TG_OP <> 'INSERT' THEN v_old := format('%s', OLD); END IF;
    IF TG_OP = 'UPDATE' AND v_new = v_old THEN RETURN NULL; END IF;
    SELECT json_build_object('cols', json_agg(a.attname::text ORDER BY a.attnum),
                             'types', json_agg(format_type(a.atttypid, NULL) ORDER BY a.attnum))
      INTO v_columns
      FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped;
    INSERT INTO cdp.inbox (kind, source, message)
    VALUES ('r', TG_ARGV[0], json_build_object(
        'op', substr(TG_OP, 1, 1), 'rel', format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME),
        'cols', v_columns -> 'cols', 'types', v_columns -> 'types', 'row', v_new, 'old', v_old)::text);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION cdp.capture_row() FROM PUBLIC;
COMMENT ON FUNCTION cdp.capture_row() IS 'row trigger of mapped tables: appends the changed row to the inbox';

CREATE FUNCTION cdp.capture_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO cdp.inbox (kind, source, message)
    VALUES ('r', TG_ARGV[0], json_build_object(
        'op', 'T', 'rel', format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME))::text);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION cdp.capture_truncate() FROM PUBLIC;
COMMENT ON FUNCTION cdp.capture_truncate() IS 'statement trigger of mapped tables: appends a TRUNCATE to the inbox';
