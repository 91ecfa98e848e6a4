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
-- no rights here. Values become text by output functions only (format does that; a cast, and so
-- to_jsonb, could be the table owner's code). plpgsql, so that the company's writes go on without our
-- library. The columns are read for each row: nothing cheaper notices every change of the table in
-- every session. A row too large to be written down is captured without its values, never refused.
-- Arguments: the source, its id, and for a table without partitions its part.
CREATE FUNCTION cdp.capture_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'iso_8601'
SET extra_float_digits = 1 SET bytea_output = 'hex' AS $$
DECLARE
    -- JSON writes one byte as six at most, and a value holds a gigabyte.
    c_limit CONSTANT integer := 150000000;
    v_new text;
    v_old text;
    v_fault text;
    v_part text := TG_ARGV[2];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF pg_column_size(NEW) > 200000 THEN
            BEGIN
                v_new := format('%s', NEW);
            EXCEPTION WHEN OTHERS THEN v_fault := SQLERRM;
            END;
        ELSE
            v_new := format('%s', NEW);
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        IF pg_column_size(OLD) > 200000 THEN
            BEGIN
                v_new := format('%s', OLD);
            EXCEPTION WHEN OTHERS THEN v_fault := SQLERRM;
            END;
        ELSE
            v_new := format('%s', OLD);
        END IF;
    ELSE
        IF pg_column_size(NEW) + pg_column_size(OLD) > 200000 THEN
            BEGIN
                v_new := format('%s', NEW);
                v_old := format('%s', OLD);
            EXCEPTION WHEN OTHERS THEN v_fault := CASE WHEN v_new IS NULL THEN SQLERRM END;
            END;
        ELSE
            v_new := format('%s', NEW);
            v_old := format('%s', OLD);
        END IF;
        IF v_new = v_old THEN RETURN NULL; END IF;
        IF octet_length(v_new) + octet_length(v_old) > c_limit THEN v_old := NULL; END IF;
    END IF;
    IF octet_length(v_new) > c_limit THEN
        v_fault := format('the row has %s bytes as text', octet_length(v_new));
        v_new := NULL;
    END IF;
    IF v_part IS NULL THEN
        SELECT p.part INTO v_part FROM cdp.mapping_parts p
         WHERE p.leaf = TG_RELID AND p.source_id = TG_ARGV[1]::integer;
        IF v_part IS NULL THEN v_part := format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME); END IF;
    END IF;
    -- One statement, whose plan does not depend on the row: planning it anew costs five times as much.
    INSERT INTO cdp.inbox (kind, source, message)
    SELECT 'r', TG_ARGV[0], json_build_object(
               'op', substr(TG_OP, 1, 1), 'rel', v_part,
               'cols', array_agg(a.attname), 'types', array_agg(format_type(a.atttypid, NULL)),
               'row', v_new, 'old', v_old, 'fault', v_fault)::text
      FROM (SELECT attname, atttypid FROM pg_catalog.pg_attribute
             WHERE attrelid = TG_RELID AND attnum > 0 AND NOT attisdropped ORDER BY attnum) a;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION cdp.capture_row() FROM PUBLIC;
COMMENT ON FUNCTION cdp.capture_row() IS 'row trigger of mapped tables: appends the changed row to the inbox';

-- One capture for each part that was emptied: of a partitioned table, every leaf.
CREATE FUNCTION cdp.capture_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO cdp.inbox (kind, source, message)
    SELECT 'r', TG_ARGV[0], json_build_object('op', 'T', 'rel', coalesce(TG_ARGV[2],
               (SELECT p.part FROM cdp.mapping_parts p
                 WHERE p.leaf = c.oid AND p.source_id = TG_ARGV[1]::integer),
               format('%I.%I', n.nspname, c.relname)))::text
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = TG_RELID AND c.relkind <> 'p'
        OR c.oid IN (SELECT t.relid FROM pg_catalog.pg_partition_tree(TG_RELID) t WHERE t.isleaf);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION cdp.capture_truncate() FROM PUBLIC;
COMMENT ON FUNCTION cdp.capture_truncate() IS 'statement trigger of mapped tables: appends a TRUNCATE to the inbox';
