--
-- PostgreSQL database dump
--


-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: cdp; Type: SCHEMA; Schema: -; Owner: cdp_owner
--

CREATE SCHEMA cdp;


ALTER SCHEMA cdp OWNER TO cdp_owner;

--
-- Name: pg_cdp; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS pg_cdp WITH SCHEMA cdp;


--
-- Name: EXTENSION pg_cdp; Type: COMMENT; Schema: -; Owner: 
--

COMMENT ON EXTENSION pg_cdp IS 'Customer Data Platform: identity graph, profiles and segments';


--
-- Name: capture_row(); Type: FUNCTION; Schema: cdp; Owner: cdp_owner
--

CREATE FUNCTION cdp.capture_row() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    SET "TimeZone" TO 'UTC'
    SET "IntervalStyle" TO 'iso_8601'
    SET extra_float_digits TO '1'
    SET bytea_output TO 'hex'
    AS $$
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


ALTER FUNCTION cdp.capture_row() OWNER TO cdp_owner;

--
-- Name: FUNCTION capture_row(); Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON FUNCTION cdp.capture_row() IS 'row trigger of mapped tables: appends the changed row to the inbox';


--
-- Name: capture_truncate(); Type: FUNCTION; Schema: cdp; Owner: cdp_owner
--

CREATE FUNCTION cdp.capture_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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


ALTER FUNCTION cdp.capture_truncate() OWNER TO cdp_owner;

--
-- Name: FUNCTION capture_truncate(); Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON FUNCTION cdp.capture_truncate() IS 'statement trigger of mapped tables: appends a TRUNCATE to the inbox';


--
-- Name: inbox_written(); Type: FUNCTION; Schema: cdp; Owner: cdp_owner
--

CREATE FUNCTION cdp.inbox_written() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM cdp.inbox_wake();
    RETURN NULL;
EXCEPTION
    WHEN configuration_limit_exceeded THEN RAISE;
    WHEN OTHERS THEN RETURN NULL;
END $$;


ALTER FUNCTION cdp.inbox_written() OWNER TO cdp_owner;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: attempts; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.attempts (
    attempt_id bigint NOT NULL,
    after_batch bigint NOT NULL,
    messages integer NOT NULL,
    suspects integer,
    started_at timestamp with time zone NOT NULL,
    error text
);


ALTER TABLE cdp.attempts OWNER TO cdp_owner;

--
-- Name: TABLE attempts; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.attempts IS 'batches begun; one that never finished shrinks the next until the message at fault stands alone';


--
-- Name: attempts_attempt_id_seq; Type: SEQUENCE; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE cdp.attempts ALTER COLUMN attempt_id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME cdp.attempts_attempt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: batches; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.batches (
    batch_id bigint NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    consumed pg_snapshot NOT NULL,
    window_end pg_snapshot,
    position_xact xid8,
    position_id bigint,
    committed_by xid8 DEFAULT pg_current_xact_id() NOT NULL,
    read bigint DEFAULT 0 NOT NULL,
    accepted bigint DEFAULT 0 NOT NULL,
    duplicates bigint DEFAULT 0 NOT NULL,
    rejected bigint DEFAULT 0 NOT NULL,
    milliseconds integer DEFAULT 0 NOT NULL,
    lag interval
);


ALTER TABLE cdp.batches OWNER TO cdp_owner;

--
-- Name: TABLE batches; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.batches IS 'the ledger of batches: what each read, accepted and rejected, and how far the inbox is consumed';


--
-- Name: batches_batch_id_seq; Type: SEQUENCE; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE cdp.batches ALTER COLUMN batch_id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME cdp.batches_batch_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: clusters; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.clusters (
    node_id bigint NOT NULL,
    profile_id bigint NOT NULL
)
WITH (fillfactor='80');


ALTER TABLE cdp.clusters OWNER TO cdp_owner;

--
-- Name: TABLE clusters; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.clusters IS 'the profile that each node belongs to';


--
-- Name: dead_letter; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.dead_letter (
    dead_letter_id bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    received_at timestamp with time zone,
    source text,
    inbox_id bigint,
    kind "char" DEFAULT 'm'::"char" NOT NULL,
    reason text NOT NULL,
    detail text,
    message text,
    retried_at timestamp with time zone
);


ALTER TABLE cdp.dead_letter OWNER TO cdp_owner;

--
-- Name: TABLE dead_letter; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.dead_letter IS 'messages that were not accepted, with the reason and the whole message; see cdp.retry_dead_letters()';


--
-- Name: dead_letter_dead_letter_id_seq; Type: SEQUENCE; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE cdp.dead_letter ALTER COLUMN dead_letter_id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME cdp.dead_letter_dead_letter_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: event_id_seq; Type: SEQUENCE; Schema: cdp; Owner: cdp_owner
--

CREATE SEQUENCE cdp.event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE cdp.event_id_seq OWNER TO cdp_owner;

--
-- Name: events; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.events (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    properties jsonb,
    context jsonb,
    rest jsonb
)
PARTITION BY RANGE ("time");


ALTER TABLE cdp.events OWNER TO cdp_owner;

--
-- Name: TABLE events; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.events IS 'track, page and screen messages and mapped events, each with its identifier set';


--
-- Name: events_2026_05; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.events_2026_05 (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    properties jsonb,
    context jsonb,
    rest jsonb
);


ALTER TABLE cdp.events_2026_05 OWNER TO cdp_owner;

--
-- Name: events_2026_06; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.events_2026_06 (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    properties jsonb,
    context jsonb,
    rest jsonb
);


ALTER TABLE cdp.events_2026_06 OWNER TO cdp_owner;

--
-- Name: events_2026_07; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.events_2026_07 (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    properties jsonb,
    context jsonb,
    rest jsonb
);


ALTER TABLE cdp.events_2026_07 OWNER TO cdp_owner;

--
-- Name: events_2026_08; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.events_2026_08 (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    properties jsonb,
    context jsonb,
    rest jsonb
);


ALTER TABLE cdp.events_2026_08 OWNER TO cdp_owner;

--
-- Name: events_2026_09; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.events_2026_09 (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    properties jsonb,
    context jsonb,
    rest jsonb
);


ALTER TABLE cdp.events_2026_09 OWNER TO cdp_owner;

--
-- Name: events_2026_10; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.events_2026_10 (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    properties jsonb,
    context jsonb,
    rest jsonb
);


ALTER TABLE cdp.events_2026_10 OWNER TO cdp_owner;

--
-- Name: events_2026_11; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.events_2026_11 (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    properties jsonb,
    context jsonb,
    rest jsonb
);


ALTER TABLE cdp.events_2026_11 OWNER TO cdp_owner;

--
-- Name: events_2026_12; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.events_2026_12 (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    properties jsonb,
    context jsonb,
    rest jsonb
);


ALTER TABLE cdp.events_2026_12 OWNER TO cdp_owner;

--
-- Name: events_2027_01; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.events_2027_01 (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    properties jsonb,
    context jsonb,
    rest jsonb
);


ALTER TABLE cdp.events_2027_01 OWNER TO cdp_owner;

--
-- Name: events_2027_02; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.events_2027_02 (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    properties jsonb,
    context jsonb,
    rest jsonb
);


ALTER TABLE cdp.events_2027_02 OWNER TO cdp_owner;

--
-- Name: events_after; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.events_after (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    properties jsonb,
    context jsonb,
    rest jsonb
);


ALTER TABLE cdp.events_after OWNER TO cdp_owner;

--
-- Name: events_before; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.events_before (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    properties jsonb,
    context jsonb,
    rest jsonb
);


ALTER TABLE cdp.events_before OWNER TO cdp_owner;

--
-- Name: identifier_sets; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.identifier_sets (
    set_id bigint NOT NULL,
    fingerprint uuid NOT NULL,
    nodes bigint[] NOT NULL
);


ALTER TABLE cdp.identifier_sets OWNER TO cdp_owner;

--
-- Name: TABLE identifier_sets; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.identifier_sets IS 'identifier sets: the nodes that one message or record shows together, stored once';


--
-- Name: identifier_types; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.identifier_types (
    type_id integer NOT NULL,
    name text NOT NULL,
    priority integer NOT NULL,
    max_per_profile integer,
    bridges boolean DEFAULT true NOT NULL,
    normaliser text DEFAULT 'text'::text NOT NULL,
    default_region text,
    pattern text,
    blocked_values text[] DEFAULT '{}'::text[] NOT NULL,
    blocked_patterns text[] DEFAULT '{}'::text[] NOT NULL,
    builtin_blocked boolean DEFAULT true NOT NULL,
    max_degree jsonb DEFAULT '{}'::jsonb NOT NULL,
    paths text[] DEFAULT '{}'::text[] NOT NULL,
    record_source_id integer,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT identifier_types_max_per_profile_check CHECK ((max_per_profile > 0)),
    CONSTRAINT identifier_types_name_check CHECK (((name <> ''::text) AND (octet_length(name) <= 255)))
);


ALTER TABLE cdp.identifier_types OWNER TO cdp_owner;

--
-- Name: TABLE identifier_types; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.identifier_types IS 'declared identifier types and their rules; one of kind record for each source of records';


--
-- Name: COLUMN identifier_types.record_source_id; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON COLUMN cdp.identifier_types.record_source_id IS 'the source whose rows are nodes of this type; NULL for what people are known by';


--
-- Name: identifier_types_type_id_seq; Type: SEQUENCE; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE cdp.identifier_types ALTER COLUMN type_id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME cdp.identifier_types_type_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: identifiers; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.identifiers (
    value text NOT NULL,
    type_id integer NOT NULL,
    node_id bigint NOT NULL,
    CONSTRAINT identifiers_value_check CHECK ((octet_length(value) <= 1024))
);


ALTER TABLE cdp.identifiers OWNER TO cdp_owner;

--
-- Name: TABLE identifiers; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.identifiers IS 'dictionary of identifiers: type and normalised value to node id';


--
-- Name: inbox; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.inbox (
    id bigint NOT NULL,
    slot smallint DEFAULT ((((EXTRACT(epoch FROM now()))::bigint / 600) % (4)::bigint))::smallint NOT NULL,
    xact xid8 DEFAULT pg_current_xact_id() NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    kind "char" DEFAULT 'm'::"char" NOT NULL,
    source text,
    message text
)
PARTITION BY LIST (slot);


ALTER TABLE cdp.inbox OWNER TO cdp_owner;

--
-- Name: TABLE inbox; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.inbox IS 'messages as they arrive: COPY cdp.inbox (message) or (source, message)';


--
-- Name: inbox_id_seq; Type: SEQUENCE; Schema: cdp; Owner: cdp_owner
--

CREATE SEQUENCE cdp.inbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE cdp.inbox_id_seq OWNER TO cdp_owner;

--
-- Name: inbox_id_seq; Type: SEQUENCE OWNED BY; Schema: cdp; Owner: cdp_owner
--

ALTER SEQUENCE cdp.inbox_id_seq OWNED BY cdp.inbox.id;


--
-- Name: inbox_0; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.inbox_0 (
    id bigint DEFAULT nextval('cdp.inbox_id_seq'::regclass) NOT NULL,
    slot smallint DEFAULT ((((EXTRACT(epoch FROM now()))::bigint / 600) % (4)::bigint))::smallint NOT NULL,
    xact xid8 DEFAULT pg_current_xact_id() NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    kind "char" DEFAULT 'm'::"char" NOT NULL,
    source text,
    message text
);


ALTER TABLE cdp.inbox_0 OWNER TO cdp_owner;

--
-- Name: inbox_1; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.inbox_1 (
    id bigint DEFAULT nextval('cdp.inbox_id_seq'::regclass) NOT NULL,
    slot smallint DEFAULT ((((EXTRACT(epoch FROM now()))::bigint / 600) % (4)::bigint))::smallint NOT NULL,
    xact xid8 DEFAULT pg_current_xact_id() NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    kind "char" DEFAULT 'm'::"char" NOT NULL,
    source text,
    message text
);


ALTER TABLE cdp.inbox_1 OWNER TO cdp_owner;

--
-- Name: inbox_2; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.inbox_2 (
    id bigint DEFAULT nextval('cdp.inbox_id_seq'::regclass) NOT NULL,
    slot smallint DEFAULT ((((EXTRACT(epoch FROM now()))::bigint / 600) % (4)::bigint))::smallint NOT NULL,
    xact xid8 DEFAULT pg_current_xact_id() NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    kind "char" DEFAULT 'm'::"char" NOT NULL,
    source text,
    message text
);


ALTER TABLE cdp.inbox_2 OWNER TO cdp_owner;

--
-- Name: inbox_3; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.inbox_3 (
    id bigint DEFAULT nextval('cdp.inbox_id_seq'::regclass) NOT NULL,
    slot smallint DEFAULT ((((EXTRACT(epoch FROM now()))::bigint / 600) % (4)::bigint))::smallint NOT NULL,
    xact xid8 DEFAULT pg_current_xact_id() NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    kind "char" DEFAULT 'm'::"char" NOT NULL,
    source text,
    message text
);


ALTER TABLE cdp.inbox_3 OWNER TO cdp_owner;

--
-- Name: inert_identifiers; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.inert_identifiers (
    node_id bigint NOT NULL,
    blocked boolean NOT NULL,
    shared boolean NOT NULL,
    degree integer,
    by_type integer
);


ALTER TABLE cdp.inert_identifiers OWNER TO cdp_owner;

--
-- Name: TABLE inert_identifiers; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.inert_identifiers IS 'identifiers that join nothing: blocked values, and shared ones with their degree';


--
-- Name: installation; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.installation (
    singleton boolean DEFAULT true NOT NULL,
    schema_version integer NOT NULL,
    system_identifier bigint,
    database_oid bigint,
    installed_at timestamp with time zone DEFAULT now() NOT NULL,
    paused_at timestamp with time zone,
    paused_by text,
    pause_reason text,
    CONSTRAINT installation_singleton_check CHECK (singleton)
);


ALTER TABLE cdp.installation OWNER TO cdp_owner;

--
-- Name: TABLE installation; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.installation IS 'where the worker may run, the version of the tables, and whether processing is paused';


--
-- Name: job_runs; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.job_runs (
    run_id bigint NOT NULL,
    job_id integer NOT NULL,
    job text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    status text NOT NULL,
    rows bigint,
    error text,
    CONSTRAINT job_runs_status_check CHECK ((status = ANY (ARRAY['running'::text, 'succeeded'::text, 'failed'::text, 'crashed'::text])))
);


ALTER TABLE cdp.job_runs OWNER TO cdp_owner;

--
-- Name: TABLE job_runs; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.job_runs IS 'each run of a job: times, rows, error';


--
-- Name: job_runs_run_id_seq; Type: SEQUENCE; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE cdp.job_runs ALTER COLUMN run_id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME cdp.job_runs_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: jobs; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.jobs (
    job_id integer NOT NULL,
    name text NOT NULL,
    schedule text NOT NULL,
    time_zone text DEFAULT 'UTC'::text NOT NULL,
    command text NOT NULL,
    owner regrole NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    scheduled_at timestamp with time zone DEFAULT now() NOT NULL,
    counted_from timestamp with time zone DEFAULT now() NOT NULL,
    next_run_at timestamp with time zone,
    seal text,
    CONSTRAINT jobs_name_check CHECK (((name <> ''::text) AND (octet_length(name) <= 255)))
);


ALTER TABLE cdp.jobs OWNER TO cdp_owner;

--
-- Name: TABLE jobs; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.jobs IS 'scheduled jobs: SQL that runs with the rights of its owner; see cdp.schedule()';


--
-- Name: jobs_job_id_seq; Type: SEQUENCE; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE cdp.jobs ALTER COLUMN job_id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME cdp.jobs_job_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: links; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.links (
    low bigint NOT NULL,
    high bigint NOT NULL,
    confirmed boolean NOT NULL,
    first_seen timestamp with time zone NOT NULL,
    decision smallint DEFAULT '-1'::integer NOT NULL,
    rule_type integer
)
WITH (fillfactor='80');


ALTER TABLE cdp.links OWNER TO cdp_owner;

--
-- Name: TABLE links; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.links IS 'links derived from identifier sets, each accepted or refused by a rule';


--
-- Name: mapping_parts; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.mapping_parts (
    leaf regclass NOT NULL,
    source_id integer NOT NULL,
    part text NOT NULL
);


ALTER TABLE cdp.mapping_parts OWNER TO cdp_owner;

--
-- Name: TABLE mapping_parts; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.mapping_parts IS 'the tables that the rows of each mapping are in, and the fixed names of these parts';


--
-- Name: mappings; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.mappings (
    source_id integer NOT NULL,
    relation regclass NOT NULL,
    key_columns text[] NOT NULL,
    mapping jsonb NOT NULL,
    capture text NOT NULL,
    watermark text,
    owner regrole NOT NULL,
    poll_every interval DEFAULT '00:00:10'::interval NOT NULL,
    compare_every interval DEFAULT '01:00:00'::interval NOT NULL,
    overlap interval DEFAULT '00:01:00'::interval NOT NULL,
    column_state jsonb DEFAULT '{}'::jsonb NOT NULL,
    poll_state jsonb DEFAULT '{}'::jsonb NOT NULL,
    fault text,
    fault_since timestamp with time zone,
    CONSTRAINT mappings_capture_check CHECK ((capture = ANY (ARRAY['trigger'::text, 'poll'::text])))
);


ALTER TABLE cdp.mappings OWNER TO cdp_owner;

--
-- Name: TABLE mappings; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.mappings IS 'existing tables mapped as sources, and how their changes are captured';


--
-- Name: COLUMN mappings.owner; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON COLUMN cdp.mappings.owner IS 'who mapped it; it gives no right: relations are read as their own owner';


--
-- Name: COLUMN mappings.column_state; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON COLUMN cdp.mappings.column_state IS 'numbers and present names of the mapped columns, by which a renamed one is found';


--
-- Name: COLUMN mappings.fault; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON COLUMN cdp.mappings.fault IS 'why changes are not captured at present; NULL when all is well';


--
-- Name: memberships; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.memberships (
    profile_id bigint NOT NULL,
    segment_id integer NOT NULL,
    entered_at timestamp with time zone NOT NULL,
    left_at timestamp with time zone
)
WITH (fillfactor='80');


ALTER TABLE cdp.memberships OWNER TO cdp_owner;

--
-- Name: TABLE memberships; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.memberships IS 'who is or was in which segment, from when to when';


--
-- Name: message_keys; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.message_keys (
    source_id integer NOT NULL,
    message_id text NOT NULL COLLATE pg_catalog."C",
    content_hash bigint NOT NULL
);


ALTER TABLE cdp.message_keys OWNER TO cdp_owner;

--
-- Name: TABLE message_keys; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.message_keys IS 'what was accepted, by source and messageId; source 0 holds inbox ids of messages without one';


--
-- Name: messages; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.messages (
    set_id bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    event_id bigint NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    received_at timestamp with time zone NOT NULL,
    message_id text,
    content_hash bigint NOT NULL,
    traits jsonb,
    context jsonb,
    rest jsonb
);


ALTER TABLE cdp.messages OWNER TO cdp_owner;

--
-- Name: TABLE messages; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.messages IS 'identify, group and alias messages, whole, each with its identifier set';


--
-- Name: node_id_seq; Type: SEQUENCE; Schema: cdp; Owner: cdp_owner
--

CREATE SEQUENCE cdp.node_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE cdp.node_id_seq OWNER TO cdp_owner;

--
-- Name: pipeline_lock; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.pipeline_lock (
);


ALTER TABLE cdp.pipeline_lock OWNER TO cdp_owner;

--
-- Name: TABLE pipeline_lock; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.pipeline_lock IS 'locked by whoever writes rules or derived state; see cdp.status()';


--
-- Name: polled_keys; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.polled_keys (
    source_id integer NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    row_hash bigint NOT NULL
);


ALTER TABLE cdp.polled_keys OWNER TO cdp_owner;

--
-- Name: TABLE polled_keys; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.polled_keys IS 'the rows of polled relations as last seen, by key and hash';


--
-- Name: set_nodes; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.set_nodes (
    set_id bigint NOT NULL,
    node_id bigint NOT NULL
);


ALTER TABLE cdp.set_nodes OWNER TO cdp_owner;

--
-- Name: TABLE set_nodes; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.set_nodes IS 'the node that each identifier set belongs to';


--
-- Name: profile_events; Type: VIEW; Schema: cdp; Owner: cdp_owner
--

CREATE VIEW cdp.profile_events AS
 SELECT c.profile_id,
    e."time",
    e.event_id,
    e.type,
    e.name,
    e.source_id,
    e.properties,
    e.context
   FROM ((cdp.clusters c
     JOIN cdp.set_nodes s ON ((s.node_id = c.node_id)))
     JOIN cdp.events e ON ((e.set_id = s.set_id)));


ALTER TABLE cdp.profile_events OWNER TO cdp_owner;

--
-- Name: VIEW profile_events; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON VIEW cdp.profile_events IS 'events by profile';


--
-- Name: profile_identifiers; Type: VIEW; Schema: cdp; Owner: cdp_owner
--

CREATE VIEW cdp.profile_identifiers AS
 SELECT c.profile_id,
    t.name AS type,
    i.value,
    i.node_id
   FROM ((cdp.clusters c
     JOIN cdp.identifiers i ON ((i.node_id = c.node_id)))
     JOIN cdp.identifier_types t ON ((t.type_id = i.type_id)));


ALTER TABLE cdp.profile_identifiers OWNER TO cdp_owner;

--
-- Name: VIEW profile_identifiers; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON VIEW cdp.profile_identifiers IS 'identifiers by profile';


--
-- Name: profile_rows; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.profile_rows (
    profile_id bigint NOT NULL,
    first_seen timestamp with time zone,
    last_seen timestamp with time zone,
    extra jsonb DEFAULT '{}'::jsonb NOT NULL,
    t1_text text,
    t2_bigint bigint,
    t3_numeric numeric,
    t4_double double precision,
    t5_boolean boolean,
    t6_date date,
    t7_timestamptz timestamp with time zone,
    t8_jsonb jsonb,
    t9_texts text[],
    t10_text text,
    t11_bigint bigint
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.05');


ALTER TABLE cdp.profile_rows OWNER TO cdp_owner;

--
-- Name: TABLE profile_rows; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.profile_rows IS 'one row a profile: storage of the view cdp.profiles';


--
-- Name: profile_sets; Type: VIEW; Schema: cdp; Owner: cdp_owner
--

CREATE VIEW cdp.profile_sets AS
 SELECT c.profile_id,
    s.set_id
   FROM (cdp.clusters c
     JOIN cdp.set_nodes s ON ((s.node_id = c.node_id)));


ALTER TABLE cdp.profile_sets OWNER TO cdp_owner;

--
-- Name: VIEW profile_sets; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON VIEW cdp.profile_sets IS 'the identifier sets that belong to each profile';


--
-- Name: profiles; Type: VIEW; Schema: cdp; Owner: cdp_owner
--

CREATE VIEW cdp.profiles AS
 SELECT profile_rows.profile_id,
    profile_rows.first_seen,
    profile_rows.last_seen,
    profile_rows.extra,
    profile_rows.t1_text AS country,
    profile_rows.t2_bigint AS visits
   FROM cdp.profile_rows;


ALTER TABLE cdp.profiles OWNER TO cdp_owner;

--
-- Name: VIEW profiles; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON VIEW cdp.profiles IS 'one row a person: declared traits as typed columns, all other traits in extra';


--
-- Name: records; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.records (
    source_id integer NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    part text NOT NULL,
    set_id bigint,
    "time" timestamp with time zone,
    event_id bigint,
    captured_at timestamp with time zone NOT NULL,
    said_at timestamp with time zone,
    said jsonb,
    shown jsonb
);


ALTER TABLE cdp.records OWNER TO cdp_owner;

--
-- Name: TABLE records; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.records IS 'the version of each mapped row that stands, its identifier set and what it says; set_id is NULL once deleted';


--
-- Name: row_versions; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.row_versions (
    source_id integer NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    part text NOT NULL,
    received_at timestamp with time zone NOT NULL,
    "row" jsonb
);


ALTER TABLE cdp.row_versions OWNER TO cdp_owner;

--
-- Name: TABLE row_versions; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.row_versions IS 'every captured version of the rows of mapped tables; a NULL row is a deletion';


--
-- Name: segments; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.segments (
    segment_id integer NOT NULL,
    name text NOT NULL,
    rule text NOT NULL,
    description text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text DEFAULT SESSION_USER NOT NULL,
    refreshed_at timestamp with time zone,
    CONSTRAINT segments_name_check CHECK (((name <> ''::text) AND (octet_length(name) <= 255)))
);


ALTER TABLE cdp.segments OWNER TO cdp_owner;

--
-- Name: TABLE segments; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.segments IS 'segments: named rules in the segment language';


--
-- Name: segment_history; Type: VIEW; Schema: cdp; Owner: cdp_owner
--

CREATE VIEW cdp.segment_history AS
 SELECT s.name AS segment,
    m.profile_id,
    m.entered_at,
    m.left_at
   FROM (cdp.memberships m
     JOIN cdp.segments s USING (segment_id));


ALTER TABLE cdp.segment_history OWNER TO cdp_owner;

--
-- Name: VIEW segment_history; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON VIEW cdp.segment_history IS 'every stay in a segment: entered and left';


--
-- Name: segment_members; Type: VIEW; Schema: cdp; Owner: cdp_owner
--

CREATE VIEW cdp.segment_members AS
 SELECT s.name AS segment,
    m.profile_id,
    m.entered_at
   FROM (cdp.memberships m
     JOIN cdp.segments s USING (segment_id))
  WHERE (m.left_at IS NULL);


ALTER TABLE cdp.segment_members OWNER TO cdp_owner;

--
-- Name: VIEW segment_members; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON VIEW cdp.segment_members IS 'who is in each segment now, and since when';


--
-- Name: segments_segment_id_seq; Type: SEQUENCE; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE cdp.segments ALTER COLUMN segment_id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME cdp.segments_segment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: set_evidence; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.set_evidence (
    set_id bigint NOT NULL,
    source_id integer NOT NULL,
    linked_at timestamp with time zone NOT NULL,
    first_seen timestamp with time zone NOT NULL,
    last_seen timestamp with time zone NOT NULL,
    count bigint NOT NULL
)
WITH (fillfactor='70');


ALTER TABLE cdp.set_evidence OWNER TO cdp_owner;

--
-- Name: TABLE set_evidence; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.set_evidence IS 'which sources showed an identifier set: first and last time, count';


--
-- Name: set_id_seq; Type: SEQUENCE; Schema: cdp; Owner: cdp_owner
--

CREATE SEQUENCE cdp.set_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE cdp.set_id_seq OWNER TO cdp_owner;

--
-- Name: set_links; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.set_links (
    set_id bigint NOT NULL,
    low bigint NOT NULL,
    high bigint NOT NULL
);


ALTER TABLE cdp.set_links OWNER TO cdp_owner;

--
-- Name: TABLE set_links; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.set_links IS 'the links that each identifier set shows: a star round its strongest identifier';


--
-- Name: set_members; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.set_members (
    node_id bigint NOT NULL,
    set_id bigint NOT NULL
);


ALTER TABLE cdp.set_members OWNER TO cdp_owner;

--
-- Name: TABLE set_members; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.set_members IS 'identifier sets of two or more nodes, by node';


--
-- Name: set_traits; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.set_traits (
    set_id bigint NOT NULL,
    source_id integer NOT NULL,
    candidates jsonb NOT NULL
)
WITH (fillfactor='80');


ALTER TABLE cdp.set_traits OWNER TO cdp_owner;

--
-- Name: TABLE set_traits; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.set_traits IS 'trait candidates by identifier set and source';


--
-- Name: sources; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.sources (
    source_id integer NOT NULL,
    name text NOT NULL,
    kind text DEFAULT 'stream'::text NOT NULL,
    max_backdate interval,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sources_kind_check CHECK ((kind = ANY (ARRAY['stream'::text, 'records'::text, 'events'::text]))),
    CONSTRAINT sources_name_check CHECK (((name <> ''::text) AND (octet_length(name) <= 255)))
);


ALTER TABLE cdp.sources OWNER TO cdp_owner;

--
-- Name: TABLE sources; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.sources IS 'where data comes from: streams of messages, mapped tables';


--
-- Name: sources_source_id_seq; Type: SEQUENCE; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE cdp.sources ALTER COLUMN source_id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME cdp.sources_source_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: traits; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.traits (
    trait_id integer NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    survivorship text DEFAULT 'most_recent'::text NOT NULL,
    source_priority text[] DEFAULT '{}'::text[] NOT NULL,
    column_name text NOT NULL,
    description text,
    CONSTRAINT traits_name_check CHECK (((name <> ''::text) AND (octet_length(name) <= 63)))
);


ALTER TABLE cdp.traits OWNER TO cdp_owner;

--
-- Name: TABLE traits; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.traits IS 'declared traits: type, survivorship, and the column of cdp.profile_rows that holds each';


--
-- Name: traits_trait_id_seq; Type: SEQUENCE; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE cdp.traits ALTER COLUMN trait_id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME cdp.traits_trait_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: value_issues; Type: TABLE; Schema: cdp; Owner: cdp_owner
--

CREATE TABLE cdp.value_issues (
    source_id integer NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    reason text NOT NULL,
    count bigint NOT NULL,
    sample text,
    first_seen timestamp with time zone NOT NULL,
    last_seen timestamp with time zone NOT NULL,
    CONSTRAINT value_issues_kind_check CHECK ((kind = ANY (ARRAY['identifier'::text, 'trait'::text, 'column'::text])))
);


ALTER TABLE cdp.value_issues OWNER TO cdp_owner;

--
-- Name: TABLE value_issues; Type: COMMENT; Schema: cdp; Owner: cdp_owner
--

COMMENT ON TABLE cdp.value_issues IS 'identifiers and trait values that did not fit their declared type, and mapped columns that are gone: how many, with a sample';


--
-- Name: contacts; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.contacts (
    id integer NOT NULL,
    email text,
    country text,
    created timestamp with time zone
);


ALTER TABLE public.contacts OWNER TO postgres;

--
-- Name: events_2026_05; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events ATTACH PARTITION cdp.events_2026_05 FOR VALUES FROM ('2026-05-01 00:00:00+00') TO ('2026-06-01 00:00:00+00');


--
-- Name: events_2026_06; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events ATTACH PARTITION cdp.events_2026_06 FOR VALUES FROM ('2026-06-01 00:00:00+00') TO ('2026-07-01 00:00:00+00');


--
-- Name: events_2026_07; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events ATTACH PARTITION cdp.events_2026_07 FOR VALUES FROM ('2026-07-01 00:00:00+00') TO ('2026-08-01 00:00:00+00');


--
-- Name: events_2026_08; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events ATTACH PARTITION cdp.events_2026_08 FOR VALUES FROM ('2026-08-01 00:00:00+00') TO ('2026-09-01 00:00:00+00');


--
-- Name: events_2026_09; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events ATTACH PARTITION cdp.events_2026_09 FOR VALUES FROM ('2026-09-01 00:00:00+00') TO ('2026-10-01 00:00:00+00');


--
-- Name: events_2026_10; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events ATTACH PARTITION cdp.events_2026_10 FOR VALUES FROM ('2026-10-01 00:00:00+00') TO ('2026-11-01 00:00:00+00');


--
-- Name: events_2026_11; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events ATTACH PARTITION cdp.events_2026_11 FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00');


--
-- Name: events_2026_12; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events ATTACH PARTITION cdp.events_2026_12 FOR VALUES FROM ('2026-12-01 00:00:00+00') TO ('2027-01-01 00:00:00+00');


--
-- Name: events_2027_01; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events ATTACH PARTITION cdp.events_2027_01 FOR VALUES FROM ('2027-01-01 00:00:00+00') TO ('2027-02-01 00:00:00+00');


--
-- Name: events_2027_02; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events ATTACH PARTITION cdp.events_2027_02 FOR VALUES FROM ('2027-02-01 00:00:00+00') TO ('2027-03-01 00:00:00+00');


--
-- Name: events_after; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events ATTACH PARTITION cdp.events_after FOR VALUES FROM ('2027-03-01 00:00:00+00') TO (MAXVALUE);


--
-- Name: events_before; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events ATTACH PARTITION cdp.events_before FOR VALUES FROM (MINVALUE) TO ('2026-05-01 00:00:00+00');


--
-- Name: inbox_0; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.inbox ATTACH PARTITION cdp.inbox_0 FOR VALUES IN ('0');


--
-- Name: inbox_1; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.inbox ATTACH PARTITION cdp.inbox_1 FOR VALUES IN ('1');


--
-- Name: inbox_2; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.inbox ATTACH PARTITION cdp.inbox_2 FOR VALUES IN ('2');


--
-- Name: inbox_3; Type: TABLE ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.inbox ATTACH PARTITION cdp.inbox_3 FOR VALUES IN ('3');


--
-- Name: inbox id; Type: DEFAULT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.inbox ALTER COLUMN id SET DEFAULT nextval('cdp.inbox_id_seq'::regclass);


--
-- Data for Name: attempts; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.attempts (attempt_id, after_batch, messages, suspects, started_at, error) FROM stdin;
1	1	20000	\N	2026-11-22 00:10:25.78651+00	\N
\.


--
-- Data for Name: batches; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.batches (batch_id, finished_at, consumed, window_end, position_xact, position_id, committed_by, read, accepted, duplicates, rejected, milliseconds, lag) FROM stdin;
1	2026-11-22 00:10:25.660234+00	3635:3635:	\N	\N	\N	3635	0	0	0	0	0	\N
2	2026-11-22 00:10:25.902399+00	3661:3661:	\N	\N	\N	3661	6	5	0	1	114	00:00:00.165114
\.


--
-- Data for Name: clusters; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.clusters (node_id, profile_id) FROM stdin;
2	2
3	2
4	2
5	2
6	6
7	6
8	8
\.


--
-- Data for Name: dead_letter; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.dead_letter (dead_letter_id, recorded_at, received_at, source, inbox_id, kind, reason, detail, message, retried_at) FROM stdin;
1	2026-11-22 00:10:25.786632+00	2026-11-22 00:10:25.777184+00	web	7	m	no_identifier	the message shows no identifier of a declared type	{"type": "track", "event": "x"}	\N
\.


--
-- Data for Name: events_2026_05; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.events_2026_05 (set_id, "time", event_id, source_id, type, name, received_at, message_id, content_hash, properties, context, rest) FROM stdin;
\.


--
-- Data for Name: events_2026_06; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.events_2026_06 (set_id, "time", event_id, source_id, type, name, received_at, message_id, content_hash, properties, context, rest) FROM stdin;
\.


--
-- Data for Name: events_2026_07; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.events_2026_07 (set_id, "time", event_id, source_id, type, name, received_at, message_id, content_hash, properties, context, rest) FROM stdin;
\.


--
-- Data for Name: events_2026_08; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.events_2026_08 (set_id, "time", event_id, source_id, type, name, received_at, message_id, content_hash, properties, context, rest) FROM stdin;
\.


--
-- Data for Name: events_2026_09; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.events_2026_09 (set_id, "time", event_id, source_id, type, name, received_at, message_id, content_hash, properties, context, rest) FROM stdin;
\.


--
-- Data for Name: events_2026_10; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.events_2026_10 (set_id, "time", event_id, source_id, type, name, received_at, message_id, content_hash, properties, context, rest) FROM stdin;
\.


--
-- Data for Name: events_2026_11; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.events_2026_11 (set_id, "time", event_id, source_id, type, name, received_at, message_id, content_hash, properties, context, rest) FROM stdin;
\.


--
-- Data for Name: events_2026_12; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.events_2026_12 (set_id, "time", event_id, source_id, type, name, received_at, message_id, content_hash, properties, context, rest) FROM stdin;
\.


--
-- Data for Name: events_2027_01; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.events_2027_01 (set_id, "time", event_id, source_id, type, name, received_at, message_id, content_hash, properties, context, rest) FROM stdin;
\.


--
-- Data for Name: events_2027_02; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.events_2027_02 (set_id, "time", event_id, source_id, type, name, received_at, message_id, content_hash, properties, context, rest) FROM stdin;
\.


--
-- Data for Name: events_after; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.events_after (set_id, "time", event_id, source_id, type, name, received_at, message_id, content_hash, properties, context, rest) FROM stdin;
\.


--
-- Data for Name: events_before; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.events_before (set_id, "time", event_id, source_id, type, name, received_at, message_id, content_hash, properties, context, rest) FROM stdin;
2	2026-02-02 00:00:00+00	3	2	track	Order Completed	2026-11-22 00:10:25.776607+00	m2	8440803798422472227	{"total": 12.5}	\N	{"userId": "u1", "timestamp": "2026-02-02T00:00:00+00:00"}
\.


--
-- Data for Name: identifier_sets; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.identifier_sets (set_id, fingerprint, nodes) FROM stdin;
2	352f52a0-0a81-a566-42b7-38e916ffa567	{2}
3	807be6a3-2cda-bbe7-89d0-057a7c257213	{2,3,4}
4	a0377e1d-8c7f-b197-6b03-a7264b291b70	{3,5}
5	d5b64e3e-48ce-2656-67fa-ccc3719bd734	{6,7}
6	6872479d-bca9-7d38-6704-2cfb8514f5fa	{8}
\.


--
-- Data for Name: identifier_types; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.identifier_types (type_id, name, priority, max_per_profile, bridges, normaliser, default_region, pattern, blocked_values, blocked_patterns, builtin_blocked, max_degree, paths, record_source_id, version) FROM stdin;
1	user_id	10	1	t	text	\N	\N	{}	{}	t	{}	{userId,previousId}	\N	1
2	email	20	5	t	email	\N	\N	{}	{}	t	{"user_id": 10}	{traits.email,context.traits.email}	\N	1
3	phone	30	5	t	phone	\N	\N	{}	{}	t	{"user_id": 10}	{traits.phone,context.traits.phone}	\N	1
4	device_id	80	\N	f	text	\N	\N	{}	{}	t	{}	{context.device.id}	\N	1
5	anonymous_id	90	\N	f	text	\N	\N	{}	{}	t	{}	{anonymousId}	\N	1
6	record:crm	1000000	\N	t	text	\N	\N	{}	{}	t	{}	{}	3	1
\.


--
-- Data for Name: identifiers; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.identifiers (value, type_id, node_id) FROM stdin;
u1	1	2
ann@example.com	2	3
a1	5	4
1	6	5
bob@example.com	2	6
2	6	7
3	6	8
\.


--
-- Data for Name: inbox_0; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.inbox_0 (id, slot, xact, received_at, kind, source, message) FROM stdin;
\.


--
-- Data for Name: inbox_1; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.inbox_1 (id, slot, xact, received_at, kind, source, message) FROM stdin;
2	1	3654	2026-11-22 00:10:25.736944+00	r	crm	{"op" : "I", "rel" : "public.contacts", "cols" : ["id","email","country","created"], "types" : ["integer","text","text","timestamp with time zone"], "row" : "(1,ann@example.com,PT,\\"2026-01-05 00:00:00+00\\")"}
3	1	3654	2026-11-22 00:10:25.736944+00	r	crm	{"op" : "I", "rel" : "public.contacts", "cols" : ["id","email","country","created"], "types" : ["integer","text","text","timestamp with time zone"], "row" : "(2,bob@example.com,BR,\\"2026-01-06 00:00:00+00\\")"}
4	1	3654	2026-11-22 00:10:25.736944+00	r	crm	{"op" : "I", "rel" : "public.contacts", "cols" : ["id","email","country","created"], "types" : ["integer","text","text","timestamp with time zone"], "row" : "(3,,ES,\\"2026-01-07 00:00:00+00\\")"}
5	1	3656	2026-11-22 00:10:25.772597+00	m	web	{"type": "identify", "traits": {"email": "ann@example.com", "visits": 3}, "userId": "u1", "messageId": "m1", "timestamp": "2026-02-01T00:00:00+00:00", "anonymousId": "a1"}
6	1	3657	2026-11-22 00:10:25.776607+00	m	web	{"type": "track", "event": "Order Completed", "userId": "u1", "messageId": "m2", "timestamp": "2026-02-02T00:00:00+00:00", "properties": {"total": 12.5}}
7	1	3658	2026-11-22 00:10:25.777184+00	m	web	{"type": "track", "event": "x"}
8	1	3664	2026-11-22 00:10:25.922709+00	m	web	{"type": "track", "event": "Order Completed", "messageId": "m3", "timestamp": "2026-02-03T00:00:00+00:00", "anonymousId": "a2"}
\.


--
-- Data for Name: inbox_2; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.inbox_2 (id, slot, xact, received_at, kind, source, message) FROM stdin;
\.


--
-- Data for Name: inbox_3; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.inbox_3 (id, slot, xact, received_at, kind, source, message) FROM stdin;
\.


--
-- Data for Name: inert_identifiers; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.inert_identifiers (node_id, blocked, shared, degree, by_type) FROM stdin;
\.


--
-- Data for Name: installation; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.installation (singleton, schema_version, system_identifier, database_oid, installed_at, paused_at, paused_by, pause_reason) FROM stdin;
t	1	7710757359333870033	20326	2026-11-22 00:10:25.436714+00	\N	\N	\N
\.


--
-- Data for Name: job_runs; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.job_runs (run_id, job_id, job, started_at, finished_at, status, rows, error) FROM stdin;
\.


--
-- Data for Name: jobs; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.jobs (job_id, name, schedule, time_zone, command, owner, enabled, created_at, scheduled_at, counted_from, next_run_at, seal) FROM stdin;
1	refresh	@daily	UTC	SELECT cdp.refresh_segment('buyers')	postgres	t	2026-11-22 00:10:25.779649+00	2026-11-22 00:10:25.779649+00	2026-11-22 00:10:25.779649+00	2026-11-23 00:00:00+00	5af5df264e6252020f161adfd84427792d2e862b52e568448da502dc10739e0d
\.


--
-- Data for Name: links; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.links (low, high, confirmed, first_seen, decision, rule_type) FROM stdin;
2	3	f	2026-02-01 00:00:00+00	0	\N
2	4	f	2026-02-01 00:00:00+00	0	\N
3	5	t	2026-01-05 00:00:00+00	0	\N
6	7	t	2026-01-06 00:00:00+00	0	\N
\.


--
-- Data for Name: mapping_parts; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.mapping_parts (leaf, source_id, part) FROM stdin;
public.contacts	3	public.contacts
\.


--
-- Data for Name: mappings; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.mappings (source_id, relation, key_columns, mapping, capture, watermark, owner, poll_every, compare_every, overlap, column_state, poll_state, fault, fault_since) FROM stdin;
3	public.contacts	{id}	{"key": ["id"], "kind": "records", "traits": {"country": "country"}, "created_at": "created", "identifiers": {"email": ["email"]}}	trigger	\N	postgres	00:00:10	01:00:00	00:01:00	{"of": "7710757359333870033/20326/20850", "names": {"id": "id", "email": "email", "country": "country", "created": "created"}, "numbers": {"id": 1, "email": 2, "country": 3, "created": 4}}	{"granted": false}	\N	\N
\.


--
-- Data for Name: memberships; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.memberships (profile_id, segment_id, entered_at, left_at) FROM stdin;
2	1	2026-11-22 00:10:25.852462+00	\N
\.


--
-- Data for Name: message_keys; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.message_keys (source_id, message_id, content_hash) FROM stdin;
2	m1	-8617678038436192545
2	m2	8440803798422472227
\.


--
-- Data for Name: messages; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.messages (set_id, "time", event_id, source_id, type, received_at, message_id, content_hash, traits, context, rest) FROM stdin;
3	2026-02-01 00:00:00+00	2	2	identify	2026-11-22 00:10:25.772597+00	m1	-8617678038436192545	{"email": "ann@example.com", "visits": 3}	\N	{"userId": "u1", "timestamp": "2026-02-01T00:00:00+00:00", "anonymousId": "a1"}
\.


--
-- Data for Name: pipeline_lock; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.pipeline_lock  FROM stdin;
\.


--
-- Data for Name: polled_keys; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.polled_keys (source_id, key, row_hash) FROM stdin;
\.


--
-- Data for Name: profile_rows; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.profile_rows (profile_id, first_seen, last_seen, extra, t1_text, t2_bigint, t3_numeric, t4_double, t5_boolean, t6_date, t7_timestamptz, t8_jsonb, t9_texts, t10_text, t11_bigint) FROM stdin;
2	2026-01-05 00:00:00+00	2026-02-02 00:00:00+00	{"email": "ann@example.com"}	PT	3	\N	\N	\N	\N	\N	\N	\N	\N	\N
6	2026-01-06 00:00:00+00	2026-01-06 00:00:00+00	{}	BR	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N
8	2026-01-07 00:00:00+00	2026-01-07 00:00:00+00	{}	ES	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N
\.


--
-- Data for Name: records; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.records (source_id, key, version, part, set_id, "time", event_id, captured_at, said_at, said, shown) FROM stdin;
3	1	2	public.contacts	4	2026-01-05 00:00:00+00	\N	2026-11-22 00:10:25.736944+00	2026-11-22 00:10:25.736944+00	{"country": "PT"}	[["email", "ann@example.com"]]
3	2	3	public.contacts	5	2026-01-06 00:00:00+00	\N	2026-11-22 00:10:25.736944+00	2026-11-22 00:10:25.736944+00	{"country": "BR"}	[["email", "bob@example.com"]]
3	3	4	public.contacts	6	2026-01-07 00:00:00+00	\N	2026-11-22 00:10:25.736944+00	2026-11-22 00:10:25.736944+00	{"country": "ES"}	[]
\.


--
-- Data for Name: row_versions; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.row_versions (source_id, key, version, part, received_at, "row") FROM stdin;
3	1	2	public.contacts	2026-11-22 00:10:25.736944+00	{"id": 1, "email": "ann@example.com", "country": "PT", "created": "2026-01-05T00:00:00Z"}
3	2	3	public.contacts	2026-11-22 00:10:25.736944+00	{"id": 2, "email": "bob@example.com", "country": "BR", "created": "2026-01-06T00:00:00Z"}
3	3	4	public.contacts	2026-11-22 00:10:25.736944+00	{"id": 3, "email": null, "country": "ES", "created": "2026-01-07T00:00:00Z"}
\.


--
-- Data for Name: segments; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.segments (segment_id, name, rule, description, created_at, created_by, refreshed_at) FROM stdin;
1	buyers	 did 'Order Completed' at least 1 time 	\N	2026-11-22 00:10:25.764707+00	postgres	2026-11-22 00:10:25.764707+00
\.


--
-- Data for Name: set_evidence; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.set_evidence (set_id, source_id, linked_at, first_seen, last_seen, count) FROM stdin;
2	2	2026-02-02 00:00:00+00	2026-02-02 00:00:00+00	2026-02-02 00:00:00+00	1
3	2	2026-02-01 00:00:00+00	2026-02-01 00:00:00+00	2026-02-01 00:00:00+00	1
4	3	2026-01-05 00:00:00+00	2026-01-05 00:00:00+00	2026-01-05 00:00:00+00	1
5	3	2026-01-06 00:00:00+00	2026-01-06 00:00:00+00	2026-01-06 00:00:00+00	1
6	3	2026-01-07 00:00:00+00	2026-01-07 00:00:00+00	2026-01-07 00:00:00+00	1
\.


--
-- Data for Name: set_links; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.set_links (set_id, low, high) FROM stdin;
4	3	5
3	2	4
5	6	7
3	2	3
\.


--
-- Data for Name: set_members; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.set_members (node_id, set_id) FROM stdin;
2	3
3	3
4	3
3	4
5	4
6	5
7	5
\.


--
-- Data for Name: set_nodes; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.set_nodes (set_id, node_id) FROM stdin;
2	2
3	2
4	3
5	6
6	8
\.


--
-- Data for Name: set_traits; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.set_traits (set_id, source_id, candidates) FROM stdin;
3	2	{"email": [[["ann@example.com", 1769904000000000, "m1"]]], "visits": [[[3, 1769904000000000, "m1"]]]}
4	3	{"country": [[["PT", 1795306225736944, "1"]]]}
5	3	{"country": [[["BR", 1795306225736944, "2"]]]}
6	3	{"country": [[["ES", 1795306225736944, "3"]]]}
\.


--
-- Data for Name: sources; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.sources (source_id, name, kind, max_backdate, created_at) FROM stdin;
1	default	stream	\N	2026-11-22 00:10:25.436714+00
2	web	stream	\N	2026-11-22 00:10:25.674037+00
3	crm	records	\N	2026-11-22 00:10:25.736944+00
\.


--
-- Data for Name: traits; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.traits (trait_id, name, type, survivorship, source_priority, column_name, description) FROM stdin;
1	country	text	most_recent	{}	t1_text	\N
2	visits	bigint	max	{}	t2_bigint	\N
\.


--
-- Data for Name: value_issues; Type: TABLE DATA; Schema: cdp; Owner: cdp_owner
--

COPY cdp.value_issues (source_id, kind, name, reason, count, sample, first_seen, last_seen) FROM stdin;
\.


--
-- Data for Name: contacts; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.contacts (id, email, country, created) FROM stdin;
1	ann@example.com	PT	2026-01-05 00:00:00+00
2	bob@example.com	BR	2026-01-06 00:00:00+00
3	\N	ES	2026-01-07 00:00:00+00
\.


--
-- Name: attempts_attempt_id_seq; Type: SEQUENCE SET; Schema: cdp; Owner: cdp_owner
--

SELECT pg_catalog.setval('cdp.attempts_attempt_id_seq', 1, true);


--
-- Name: batches_batch_id_seq; Type: SEQUENCE SET; Schema: cdp; Owner: cdp_owner
--

SELECT pg_catalog.setval('cdp.batches_batch_id_seq', 2, true);


--
-- Name: dead_letter_dead_letter_id_seq; Type: SEQUENCE SET; Schema: cdp; Owner: cdp_owner
--

SELECT pg_catalog.setval('cdp.dead_letter_dead_letter_id_seq', 1, true);


--
-- Name: event_id_seq; Type: SEQUENCE SET; Schema: cdp; Owner: cdp_owner
--

SELECT pg_catalog.setval('cdp.event_id_seq', 6, true);


--
-- Name: identifier_types_type_id_seq; Type: SEQUENCE SET; Schema: cdp; Owner: cdp_owner
--

SELECT pg_catalog.setval('cdp.identifier_types_type_id_seq', 6, true);


--
-- Name: inbox_id_seq; Type: SEQUENCE SET; Schema: cdp; Owner: cdp_owner
--

SELECT pg_catalog.setval('cdp.inbox_id_seq', 8, true);


--
-- Name: job_runs_run_id_seq; Type: SEQUENCE SET; Schema: cdp; Owner: cdp_owner
--

SELECT pg_catalog.setval('cdp.job_runs_run_id_seq', 1, false);


--
-- Name: jobs_job_id_seq; Type: SEQUENCE SET; Schema: cdp; Owner: cdp_owner
--

SELECT pg_catalog.setval('cdp.jobs_job_id_seq', 1, true);


--
-- Name: node_id_seq; Type: SEQUENCE SET; Schema: cdp; Owner: cdp_owner
--

SELECT pg_catalog.setval('cdp.node_id_seq', 8, true);


--
-- Name: segments_segment_id_seq; Type: SEQUENCE SET; Schema: cdp; Owner: cdp_owner
--

SELECT pg_catalog.setval('cdp.segments_segment_id_seq', 1, true);


--
-- Name: set_id_seq; Type: SEQUENCE SET; Schema: cdp; Owner: cdp_owner
--

SELECT pg_catalog.setval('cdp.set_id_seq', 6, true);


--
-- Name: sources_source_id_seq; Type: SEQUENCE SET; Schema: cdp; Owner: cdp_owner
--

SELECT pg_catalog.setval('cdp.sources_source_id_seq', 3, true);


--
-- Name: traits_trait_id_seq; Type: SEQUENCE SET; Schema: cdp; Owner: cdp_owner
--

SELECT pg_catalog.setval('cdp.traits_trait_id_seq', 2, true);


--
-- Name: attempts attempts_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (attempt_id);


--
-- Name: batches batches_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.batches
    ADD CONSTRAINT batches_pkey PRIMARY KEY (batch_id);


--
-- Name: clusters clusters_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.clusters
    ADD CONSTRAINT clusters_pkey PRIMARY KEY (node_id);


--
-- Name: dead_letter dead_letter_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.dead_letter
    ADD CONSTRAINT dead_letter_pkey PRIMARY KEY (dead_letter_id);


--
-- Name: events events_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: events_2026_05 events_2026_05_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events_2026_05
    ADD CONSTRAINT events_2026_05_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: events_2026_06 events_2026_06_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events_2026_06
    ADD CONSTRAINT events_2026_06_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: events_2026_07 events_2026_07_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events_2026_07
    ADD CONSTRAINT events_2026_07_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: events_2026_08 events_2026_08_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events_2026_08
    ADD CONSTRAINT events_2026_08_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: events_2026_09 events_2026_09_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events_2026_09
    ADD CONSTRAINT events_2026_09_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: events_2026_10 events_2026_10_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events_2026_10
    ADD CONSTRAINT events_2026_10_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: events_2026_11 events_2026_11_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events_2026_11
    ADD CONSTRAINT events_2026_11_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: events_2026_12 events_2026_12_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events_2026_12
    ADD CONSTRAINT events_2026_12_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: events_2027_01 events_2027_01_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events_2027_01
    ADD CONSTRAINT events_2027_01_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: events_2027_02 events_2027_02_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events_2027_02
    ADD CONSTRAINT events_2027_02_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: events_after events_after_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events_after
    ADD CONSTRAINT events_after_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: events_before events_before_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.events_before
    ADD CONSTRAINT events_before_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: identifier_sets identifier_sets_fingerprint_key; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.identifier_sets
    ADD CONSTRAINT identifier_sets_fingerprint_key UNIQUE (fingerprint);


--
-- Name: identifier_sets identifier_sets_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.identifier_sets
    ADD CONSTRAINT identifier_sets_pkey PRIMARY KEY (set_id);


--
-- Name: identifier_types identifier_types_name_key; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.identifier_types
    ADD CONSTRAINT identifier_types_name_key UNIQUE (name);


--
-- Name: identifier_types identifier_types_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.identifier_types
    ADD CONSTRAINT identifier_types_pkey PRIMARY KEY (type_id);


--
-- Name: identifier_types identifier_types_record_source_id_key; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.identifier_types
    ADD CONSTRAINT identifier_types_record_source_id_key UNIQUE (record_source_id);


--
-- Name: identifiers identifiers_node_id_key; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.identifiers
    ADD CONSTRAINT identifiers_node_id_key UNIQUE (node_id);


--
-- Name: identifiers identifiers_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.identifiers
    ADD CONSTRAINT identifiers_pkey PRIMARY KEY (value, type_id);


--
-- Name: inert_identifiers inert_identifiers_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.inert_identifiers
    ADD CONSTRAINT inert_identifiers_pkey PRIMARY KEY (node_id);


--
-- Name: installation installation_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (singleton);


--
-- Name: job_runs job_runs_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.job_runs
    ADD CONSTRAINT job_runs_pkey PRIMARY KEY (run_id);


--
-- Name: jobs jobs_name_key; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.jobs
    ADD CONSTRAINT jobs_name_key UNIQUE (name);


--
-- Name: jobs jobs_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (job_id);


--
-- Name: links links_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.links
    ADD CONSTRAINT links_pkey PRIMARY KEY (low, high);


--
-- Name: mapping_parts mapping_parts_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.mapping_parts
    ADD CONSTRAINT mapping_parts_pkey PRIMARY KEY (leaf, source_id);


--
-- Name: mapping_parts mapping_parts_source_id_part_key; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.mapping_parts
    ADD CONSTRAINT mapping_parts_source_id_part_key UNIQUE (source_id, part);


--
-- Name: mappings mappings_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.mappings
    ADD CONSTRAINT mappings_pkey PRIMARY KEY (source_id);


--
-- Name: memberships memberships_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (profile_id, segment_id, entered_at);


--
-- Name: message_keys message_keys_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.message_keys
    ADD CONSTRAINT message_keys_pkey PRIMARY KEY (source_id, message_id);


--
-- Name: messages messages_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (set_id, "time", event_id);


--
-- Name: polled_keys polled_keys_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.polled_keys
    ADD CONSTRAINT polled_keys_pkey PRIMARY KEY (source_id, key);


--
-- Name: profile_rows profile_rows_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.profile_rows
    ADD CONSTRAINT profile_rows_pkey PRIMARY KEY (profile_id);


--
-- Name: records records_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.records
    ADD CONSTRAINT records_pkey PRIMARY KEY (source_id, key);


--
-- Name: row_versions row_versions_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.row_versions
    ADD CONSTRAINT row_versions_pkey PRIMARY KEY (source_id, key, version);


--
-- Name: segments segments_name_key; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.segments
    ADD CONSTRAINT segments_name_key UNIQUE (name);


--
-- Name: segments segments_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.segments
    ADD CONSTRAINT segments_pkey PRIMARY KEY (segment_id);


--
-- Name: set_evidence set_evidence_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.set_evidence
    ADD CONSTRAINT set_evidence_pkey PRIMARY KEY (set_id, source_id);


--
-- Name: set_links set_links_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.set_links
    ADD CONSTRAINT set_links_pkey PRIMARY KEY (set_id, low, high);


--
-- Name: set_members set_members_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.set_members
    ADD CONSTRAINT set_members_pkey PRIMARY KEY (node_id, set_id);


--
-- Name: set_nodes set_nodes_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.set_nodes
    ADD CONSTRAINT set_nodes_pkey PRIMARY KEY (set_id);


--
-- Name: set_traits set_traits_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.set_traits
    ADD CONSTRAINT set_traits_pkey PRIMARY KEY (set_id, source_id);


--
-- Name: sources sources_name_key; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.sources
    ADD CONSTRAINT sources_name_key UNIQUE (name);


--
-- Name: sources sources_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.sources
    ADD CONSTRAINT sources_pkey PRIMARY KEY (source_id);


--
-- Name: traits traits_column_name_key; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.traits
    ADD CONSTRAINT traits_column_name_key UNIQUE (column_name);


--
-- Name: traits traits_name_key; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.traits
    ADD CONSTRAINT traits_name_key UNIQUE (name);


--
-- Name: traits traits_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.traits
    ADD CONSTRAINT traits_pkey PRIMARY KEY (trait_id);


--
-- Name: value_issues value_issues_pkey; Type: CONSTRAINT; Schema: cdp; Owner: cdp_owner
--

ALTER TABLE ONLY cdp.value_issues
    ADD CONSTRAINT value_issues_pkey PRIMARY KEY (source_id, kind, name, reason);


--
-- Name: contacts contacts_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_pkey PRIMARY KEY (id);


--
-- Name: clusters_profile; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX clusters_profile ON cdp.clusters USING btree (profile_id);


--
-- Name: dead_letter_inbox_id; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX dead_letter_inbox_id ON cdp.dead_letter USING btree (inbox_id);


--
-- Name: dead_letter_recorded_at; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX dead_letter_recorded_at ON cdp.dead_letter USING btree (recorded_at);


--
-- Name: inbox_xact_id; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX inbox_xact_id ON ONLY cdp.inbox USING btree (xact, id);


--
-- Name: inbox_0_xact_id_idx; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX inbox_0_xact_id_idx ON cdp.inbox_0 USING btree (xact, id);


--
-- Name: inbox_1_xact_id_idx; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX inbox_1_xact_id_idx ON cdp.inbox_1 USING btree (xact, id);


--
-- Name: inbox_2_xact_id_idx; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX inbox_2_xact_id_idx ON cdp.inbox_2 USING btree (xact, id);


--
-- Name: inbox_3_xact_id_idx; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX inbox_3_xact_id_idx ON cdp.inbox_3 USING btree (xact, id);


--
-- Name: job_runs_job; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX job_runs_job ON cdp.job_runs USING btree (job, started_at);


--
-- Name: job_runs_running; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX job_runs_running ON cdp.job_runs USING btree (job_id) WHERE (status = 'running'::text);


--
-- Name: links_high; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX links_high ON cdp.links USING btree (high, low);


--
-- Name: memberships_present; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX memberships_present ON cdp.memberships USING btree (segment_id, profile_id) WHERE (left_at IS NULL);


--
-- Name: records_set; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX records_set ON cdp.records USING btree (set_id) WHERE (set_id IS NOT NULL);


--
-- Name: set_links_pair; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX set_links_pair ON cdp.set_links USING btree (low, high, set_id);


--
-- Name: set_nodes_node; Type: INDEX; Schema: cdp; Owner: cdp_owner
--

CREATE INDEX set_nodes_node ON cdp.set_nodes USING btree (node_id);


--
-- Name: events_2026_05_pkey; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.events_pkey ATTACH PARTITION cdp.events_2026_05_pkey;


--
-- Name: events_2026_06_pkey; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.events_pkey ATTACH PARTITION cdp.events_2026_06_pkey;


--
-- Name: events_2026_07_pkey; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.events_pkey ATTACH PARTITION cdp.events_2026_07_pkey;


--
-- Name: events_2026_08_pkey; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.events_pkey ATTACH PARTITION cdp.events_2026_08_pkey;


--
-- Name: events_2026_09_pkey; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.events_pkey ATTACH PARTITION cdp.events_2026_09_pkey;


--
-- Name: events_2026_10_pkey; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.events_pkey ATTACH PARTITION cdp.events_2026_10_pkey;


--
-- Name: events_2026_11_pkey; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.events_pkey ATTACH PARTITION cdp.events_2026_11_pkey;


--
-- Name: events_2026_12_pkey; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.events_pkey ATTACH PARTITION cdp.events_2026_12_pkey;


--
-- Name: events_2027_01_pkey; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.events_pkey ATTACH PARTITION cdp.events_2027_01_pkey;


--
-- Name: events_2027_02_pkey; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.events_pkey ATTACH PARTITION cdp.events_2027_02_pkey;


--
-- Name: events_after_pkey; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.events_pkey ATTACH PARTITION cdp.events_after_pkey;


--
-- Name: events_before_pkey; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.events_pkey ATTACH PARTITION cdp.events_before_pkey;


--
-- Name: inbox_0_xact_id_idx; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.inbox_xact_id ATTACH PARTITION cdp.inbox_0_xact_id_idx;


--
-- Name: inbox_1_xact_id_idx; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.inbox_xact_id ATTACH PARTITION cdp.inbox_1_xact_id_idx;


--
-- Name: inbox_2_xact_id_idx; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.inbox_xact_id ATTACH PARTITION cdp.inbox_2_xact_id_idx;


--
-- Name: inbox_3_xact_id_idx; Type: INDEX ATTACH; Schema: cdp; Owner: cdp_owner
--

ALTER INDEX cdp.inbox_xact_id ATTACH PARTITION cdp.inbox_3_xact_id_idx;


--
-- Name: inbox inbox_written; Type: TRIGGER; Schema: cdp; Owner: cdp_owner
--

CREATE TRIGGER inbox_written AFTER INSERT ON cdp.inbox FOR EACH STATEMENT EXECUTE FUNCTION cdp.inbox_written();

ALTER TABLE cdp.inbox ENABLE ALWAYS TRIGGER inbox_written;


--
-- Name: contacts cdp_capture_3; Type: TRIGGER; Schema: public; Owner: postgres
--

CREATE TRIGGER cdp_capture_3 AFTER INSERT OR DELETE OR UPDATE ON public.contacts FOR EACH ROW EXECUTE FUNCTION cdp.capture_row('crm', '3', 'public.contacts');

ALTER TABLE public.contacts ENABLE ALWAYS TRIGGER cdp_capture_3;


--
-- Name: contacts cdp_truncate_3; Type: TRIGGER; Schema: public; Owner: postgres
--

CREATE TRIGGER cdp_truncate_3 AFTER TRUNCATE ON public.contacts FOR EACH STATEMENT EXECUTE FUNCTION cdp.capture_truncate('crm', '3', 'public.contacts');

ALTER TABLE public.contacts ENABLE ALWAYS TRIGGER cdp_truncate_3;


--
-- Name: SCHEMA cdp; Type: ACL; Schema: -; Owner: cdp_owner
--

GRANT USAGE ON SCHEMA cdp TO cdp_ingest;
GRANT USAGE ON SCHEMA cdp TO cdp_reader;


--
-- Name: FUNCTION alias(previous_id text, user_id text, context jsonb, "timestamp" timestamp with time zone, message_id text, source text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.alias(previous_id text, user_id text, context jsonb, "timestamp" timestamp with time zone, message_id text, source text) TO cdp_owner;
GRANT ALL ON FUNCTION cdp.alias(previous_id text, user_id text, context jsonb, "timestamp" timestamp with time zone, message_id text, source text) TO cdp_ingest;


--
-- Name: FUNCTION alter_identifier_type(name text, priority integer, max_per_profile integer, bridges boolean, normaliser text, default_region text, pattern text, blocked_values text[], blocked_patterns text[], builtin_blocked boolean, max_degree jsonb, paths text[], reset text[]); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.alter_identifier_type(name text, priority integer, max_per_profile integer, bridges boolean, normaliser text, default_region text, pattern text, blocked_values text[], blocked_patterns text[], builtin_blocked boolean, max_degree jsonb, paths text[], reset text[]) TO cdp_owner;


--
-- Name: FUNCTION alter_segment(name text, rule text, description text, reset text[]); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.alter_segment(name text, rule text, description text, reset text[]) TO cdp_owner;


--
-- Name: FUNCTION alter_source(name text, max_backdate interval, reset text[]); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.alter_source(name text, max_backdate interval, reset text[]) TO cdp_owner;


--
-- Name: FUNCTION alter_trait(name text, survivorship text, source_priority text[], description text, reset text[]); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.alter_trait(name text, survivorship text, source_priority text[], description text, reset text[]) TO cdp_owner;


--
-- Name: FUNCTION apply(config jsonb); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.apply(config jsonb) TO cdp_owner;


--
-- Name: FUNCTION begin_batch(batch_size integer); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.begin_batch(batch_size integer) TO cdp_owner;


--
-- Name: FUNCTION capture_row(); Type: ACL; Schema: cdp; Owner: cdp_owner
--

REVOKE ALL ON FUNCTION cdp.capture_row() FROM PUBLIC;


--
-- Name: FUNCTION capture_truncate(); Type: ACL; Schema: cdp; Owner: cdp_owner
--

REVOKE ALL ON FUNCTION cdp.capture_truncate() FROM PUBLIC;


--
-- Name: FUNCTION claim_due_job(); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.claim_due_job() TO cdp_owner;


--
-- Name: FUNCTION config(); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.config() TO cdp_owner;


--
-- Name: FUNCTION create_identifier_type(name text, priority integer, max_per_profile integer, bridges boolean, normaliser text, default_region text, pattern text, blocked_values text[], blocked_patterns text[], builtin_blocked boolean, max_degree jsonb, paths text[]); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.create_identifier_type(name text, priority integer, max_per_profile integer, bridges boolean, normaliser text, default_region text, pattern text, blocked_values text[], blocked_patterns text[], builtin_blocked boolean, max_degree jsonb, paths text[]) TO cdp_owner;


--
-- Name: FUNCTION create_segment(name text, rule text, description text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.create_segment(name text, rule text, description text) TO cdp_owner;


--
-- Name: FUNCTION create_source(name text, max_backdate interval); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.create_source(name text, max_backdate interval) TO cdp_owner;


--
-- Name: FUNCTION create_trait(name text, type text, survivorship text, source_priority text[], description text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.create_trait(name text, type text, survivorship text, source_priority text[], description text) TO cdp_owner;


--
-- Name: FUNCTION drop_identifier_type(name text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.drop_identifier_type(name text) TO cdp_owner;


--
-- Name: FUNCTION drop_segment(name text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.drop_segment(name text) TO cdp_owner;


--
-- Name: FUNCTION drop_source(name text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.drop_source(name text) TO cdp_owner;


--
-- Name: FUNCTION drop_trait(name text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.drop_trait(name text) TO cdp_owner;


--
-- Name: FUNCTION explain_identity(type_a text, value_a text, type_b text, value_b text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.explain_identity(type_a text, value_a text, type_b text, value_b text) TO cdp_owner;


--
-- Name: FUNCTION "group"(group_id text, user_id text, traits jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp."group"(group_id text, user_id text, traits jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text) TO cdp_owner;
GRANT ALL ON FUNCTION cdp."group"(group_id text, user_id text, traits jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text) TO cdp_ingest;


--
-- Name: FUNCTION identify(user_id text, traits jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.identify(user_id text, traits jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text) TO cdp_owner;
GRANT ALL ON FUNCTION cdp.identify(user_id text, traits jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text) TO cdp_ingest;


--
-- Name: FUNCTION inbox_wake(); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.inbox_wake() TO cdp_owner;
GRANT ALL ON FUNCTION cdp.inbox_wake() TO cdp_ingest;


--
-- Name: FUNCTION inbox_written(); Type: ACL; Schema: cdp; Owner: cdp_owner
--

REVOKE ALL ON FUNCTION cdp.inbox_written() FROM PUBLIC;


--
-- Name: FUNCTION ingest(message jsonb, source text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.ingest(message jsonb, source text) TO cdp_owner;
GRANT ALL ON FUNCTION cdp.ingest(message jsonb, source text) TO cdp_ingest;


--
-- Name: FUNCTION init(); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.init() TO cdp_owner;


--
-- Name: FUNCTION map_table(source text, relation regclass, mapping jsonb, capture text, watermark text, poll_every interval, compare_every interval, overlap interval); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.map_table(source text, relation regclass, mapping jsonb, capture text, watermark text, poll_every interval, compare_every interval, overlap interval) TO cdp_owner;


--
-- Name: FUNCTION optional_objects(traits jsonb, properties jsonb, identifiers jsonb, context jsonb); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.optional_objects(traits jsonb, properties jsonb, identifiers jsonb, context jsonb) TO cdp_owner;
GRANT ALL ON FUNCTION cdp.optional_objects(traits jsonb, properties jsonb, identifiers jsonb, context jsonb) TO cdp_ingest;


--
-- Name: FUNCTION page(name text, user_id text, properties jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.page(name text, user_id text, properties jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text) TO cdp_owner;
GRANT ALL ON FUNCTION cdp.page(name text, user_id text, properties jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text) TO cdp_ingest;


--
-- Name: FUNCTION pause(reason text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.pause(reason text) TO cdp_owner;


--
-- Name: FUNCTION plan(config jsonb); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.plan(config jsonb) TO cdp_owner;


--
-- Name: FUNCTION poll(source text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.poll(source text) TO cdp_owner;


--
-- Name: FUNCTION preview_segment(rule text, "limit" integer); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.preview_segment(rule text, "limit" integer) TO cdp_owner;


--
-- Name: FUNCTION process(batch_size integer); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.process(batch_size integer) TO cdp_owner;


--
-- Name: PROCEDURE process_all(IN batch_size integer); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON PROCEDURE cdp.process_all(IN batch_size integer) TO cdp_owner;


--
-- Name: FUNCTION profile(profile_id bigint, events integer); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.profile(profile_id bigint, events integer) TO cdp_owner;


--
-- Name: FUNCTION progress(); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.progress() TO cdp_owner;
GRANT ALL ON FUNCTION cdp.progress() TO cdp_reader;


--
-- Name: FUNCTION rebuild(); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.rebuild() TO cdp_owner;


--
-- Name: FUNCTION refresh_mappings(); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.refresh_mappings() TO cdp_owner;


--
-- Name: FUNCTION refresh_segment(name text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.refresh_segment(name text) TO cdp_owner;


--
-- Name: FUNCTION resolve(type text, value text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.resolve(type text, value text) TO cdp_owner;
GRANT ALL ON FUNCTION cdp.resolve(type text, value text) TO cdp_reader;


--
-- Name: FUNCTION resume(); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.resume() TO cdp_owner;


--
-- Name: FUNCTION retry_dead_letters(reason text, since timestamp with time zone, source text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.retry_dead_letters(reason text, since timestamp with time zone, source text) TO cdp_owner;


--
-- Name: FUNCTION run_begun_batch(attempt bigint); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.run_begun_batch(attempt bigint) TO cdp_owner;


--
-- Name: FUNCTION run_claimed_job(run bigint); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.run_claimed_job(run bigint) TO cdp_owner;


--
-- Name: PROCEDURE run_due_jobs(); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON PROCEDURE cdp.run_due_jobs() TO cdp_owner;


--
-- Name: FUNCTION run_job(name text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.run_job(name text) TO cdp_owner;


--
-- Name: FUNCTION schedule(name text, schedule text, command text, time_zone text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.schedule(name text, schedule text, command text, time_zone text) TO cdp_owner;


--
-- Name: FUNCTION screen(name text, user_id text, properties jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.screen(name text, user_id text, properties jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text) TO cdp_owner;
GRANT ALL ON FUNCTION cdp.screen(name text, user_id text, properties jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text) TO cdp_ingest;


--
-- Name: FUNCTION start(); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.start() TO cdp_owner;


--
-- Name: FUNCTION status(); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.status() TO cdp_owner;
GRANT ALL ON FUNCTION cdp.status() TO cdp_reader;


--
-- Name: FUNCTION track(event text, user_id text, properties jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.track(event text, user_id text, properties jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text) TO cdp_owner;
GRANT ALL ON FUNCTION cdp.track(event text, user_id text, properties jsonb, anonymous_id text, identifiers jsonb, context jsonb, "timestamp" timestamp with time zone, message_id text, source text) TO cdp_ingest;


--
-- Name: FUNCTION unmap_table(source text, withdraw boolean); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.unmap_table(source text, withdraw boolean) TO cdp_owner;


--
-- Name: FUNCTION unschedule(name text); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.unschedule(name text) TO cdp_owner;


--
-- Name: FUNCTION version(); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.version() TO cdp_owner;
GRANT ALL ON FUNCTION cdp.version() TO cdp_reader;
GRANT ALL ON FUNCTION cdp.version() TO cdp_ingest;


--
-- Name: FUNCTION wake_worker(); Type: ACL; Schema: cdp; Owner: postgres
--

GRANT ALL ON FUNCTION cdp.wake_worker() TO cdp_owner;


--
-- Name: TABLE attempts; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.attempts TO cdp_reader;


--
-- Name: TABLE batches; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.batches TO cdp_reader;


--
-- Name: TABLE clusters; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.clusters TO cdp_reader;


--
-- Name: COLUMN dead_letter.dead_letter_id; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(dead_letter_id) ON TABLE cdp.dead_letter TO cdp_reader;


--
-- Name: COLUMN dead_letter.recorded_at; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(recorded_at) ON TABLE cdp.dead_letter TO cdp_reader;


--
-- Name: COLUMN dead_letter.received_at; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(received_at) ON TABLE cdp.dead_letter TO cdp_reader;


--
-- Name: COLUMN dead_letter.source; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(source) ON TABLE cdp.dead_letter TO cdp_reader;


--
-- Name: COLUMN dead_letter.reason; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(reason) ON TABLE cdp.dead_letter TO cdp_reader;


--
-- Name: COLUMN dead_letter.retried_at; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(retried_at) ON TABLE cdp.dead_letter TO cdp_reader;


--
-- Name: TABLE events; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.events TO cdp_reader;


--
-- Name: TABLE identifier_sets; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.identifier_sets TO cdp_reader;


--
-- Name: TABLE identifier_types; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.identifier_types TO cdp_reader;


--
-- Name: TABLE identifiers; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.identifiers TO cdp_reader;


--
-- Name: COLUMN inbox.id; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(id) ON TABLE cdp.inbox TO cdp_reader;


--
-- Name: COLUMN inbox.xact; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(xact) ON TABLE cdp.inbox TO cdp_reader;


--
-- Name: COLUMN inbox.received_at; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(received_at) ON TABLE cdp.inbox TO cdp_reader;


--
-- Name: COLUMN inbox.source; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT INSERT(source) ON TABLE cdp.inbox TO cdp_ingest;


--
-- Name: COLUMN inbox.message; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT INSERT(message) ON TABLE cdp.inbox TO cdp_ingest;


--
-- Name: SEQUENCE inbox_id_seq; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT USAGE ON SEQUENCE cdp.inbox_id_seq TO cdp_ingest;


--
-- Name: TABLE inert_identifiers; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.inert_identifiers TO cdp_reader;


--
-- Name: TABLE installation; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.installation TO cdp_reader;


--
-- Name: COLUMN job_runs.run_id; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(run_id) ON TABLE cdp.job_runs TO cdp_reader;


--
-- Name: COLUMN job_runs.job; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(job) ON TABLE cdp.job_runs TO cdp_reader;


--
-- Name: COLUMN job_runs.started_at; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(started_at) ON TABLE cdp.job_runs TO cdp_reader;


--
-- Name: COLUMN job_runs.finished_at; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(finished_at) ON TABLE cdp.job_runs TO cdp_reader;


--
-- Name: COLUMN job_runs.status; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(status) ON TABLE cdp.job_runs TO cdp_reader;


--
-- Name: COLUMN job_runs.rows; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(rows) ON TABLE cdp.job_runs TO cdp_reader;


--
-- Name: COLUMN jobs.job_id; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(job_id) ON TABLE cdp.jobs TO cdp_reader;


--
-- Name: COLUMN jobs.name; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(name) ON TABLE cdp.jobs TO cdp_reader;


--
-- Name: COLUMN jobs.schedule; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(schedule) ON TABLE cdp.jobs TO cdp_reader;


--
-- Name: COLUMN jobs.time_zone; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(time_zone) ON TABLE cdp.jobs TO cdp_reader;


--
-- Name: COLUMN jobs.enabled; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(enabled) ON TABLE cdp.jobs TO cdp_reader;


--
-- Name: COLUMN jobs.next_run_at; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(next_run_at) ON TABLE cdp.jobs TO cdp_reader;


--
-- Name: TABLE links; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.links TO cdp_reader;


--
-- Name: COLUMN mappings.source_id; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(source_id) ON TABLE cdp.mappings TO cdp_reader;


--
-- Name: COLUMN mappings.capture; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(capture) ON TABLE cdp.mappings TO cdp_reader;


--
-- Name: COLUMN mappings.fault; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(fault) ON TABLE cdp.mappings TO cdp_reader;


--
-- Name: COLUMN mappings.fault_since; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(fault_since) ON TABLE cdp.mappings TO cdp_reader;


--
-- Name: TABLE memberships; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.memberships TO cdp_reader;


--
-- Name: TABLE set_nodes; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.set_nodes TO cdp_reader;


--
-- Name: TABLE profile_events; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.profile_events TO cdp_reader;


--
-- Name: TABLE profile_identifiers; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.profile_identifiers TO cdp_reader;


--
-- Name: TABLE profile_rows; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.profile_rows TO cdp_reader;


--
-- Name: TABLE profile_sets; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.profile_sets TO cdp_reader;


--
-- Name: TABLE profiles; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.profiles TO cdp_reader;


--
-- Name: TABLE segments; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.segments TO cdp_reader;


--
-- Name: TABLE segment_history; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.segment_history TO cdp_reader;


--
-- Name: TABLE segment_members; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.segment_members TO cdp_reader;


--
-- Name: TABLE set_evidence; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.set_evidence TO cdp_reader;


--
-- Name: TABLE set_members; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.set_members TO cdp_reader;


--
-- Name: TABLE set_traits; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.set_traits TO cdp_reader;


--
-- Name: TABLE sources; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.sources TO cdp_reader;


--
-- Name: TABLE traits; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT ON TABLE cdp.traits TO cdp_reader;


--
-- Name: COLUMN value_issues.source_id; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(source_id) ON TABLE cdp.value_issues TO cdp_reader;


--
-- Name: COLUMN value_issues.kind; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(kind) ON TABLE cdp.value_issues TO cdp_reader;


--
-- Name: COLUMN value_issues.name; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(name) ON TABLE cdp.value_issues TO cdp_reader;


--
-- Name: COLUMN value_issues.reason; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(reason) ON TABLE cdp.value_issues TO cdp_reader;


--
-- Name: COLUMN value_issues.count; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(count) ON TABLE cdp.value_issues TO cdp_reader;


--
-- Name: COLUMN value_issues.first_seen; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(first_seen) ON TABLE cdp.value_issues TO cdp_reader;


--
-- Name: COLUMN value_issues.last_seen; Type: ACL; Schema: cdp; Owner: cdp_owner
--

GRANT SELECT(last_seen) ON TABLE cdp.value_issues TO cdp_reader;


--
-- PostgreSQL database dump complete
--


