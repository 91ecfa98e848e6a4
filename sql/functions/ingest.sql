-- Functions that append messages. They run with the caller's rights: to append needs INSERT on
-- cdp.inbox (source, message), which role cdp_ingest has, and nothing else.

CREATE FUNCTION cdp.ingest(message jsonb, source text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    IF message IS NULL THEN
        RAISE EXCEPTION 'the message is NULL'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'Pass one message, or an array of messages.';
    END IF;
    IF jsonb_typeof(message) NOT IN ('object', 'array') THEN
        RAISE EXCEPTION 'a message is a JSON object, not a %', jsonb_typeof(message)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass one message, or an array of messages.';
    END IF;
    IF to_regclass('cdp.inbox') IS NULL THEN
        RAISE EXCEPTION 'pg_cdp is not initialised in this database'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Run SELECT cdp.init();';
    END IF;
    INSERT INTO cdp.inbox (source, message)
    SELECT ingest.source, m::text
      FROM jsonb_array_elements(CASE jsonb_typeof(message) WHEN 'array' THEN message
                                     ELSE jsonb_build_array(message) END) m;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;

-- The parts of a message that are objects, those that are given. NULLs inside them stay.
CREATE FUNCTION cdp.optional_objects(
    traits jsonb DEFAULT NULL, properties jsonb DEFAULT NULL, identifiers jsonb DEFAULT NULL,
    context jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_object_agg(part, value), '{}')
      FROM (VALUES ('traits', traits), ('properties', properties), ('identifiers', identifiers),
                   ('context', context)) given (part, value)
     WHERE value IS NOT NULL
$$;

-- A timestamp is written in UTC, which is how a message without an offset is read: the same call from
-- a session in another time zone is the same message.
CREATE FUNCTION cdp.identify(
    user_id text DEFAULT NULL, traits jsonb DEFAULT NULL, anonymous_id text DEFAULT NULL,
    identifiers jsonb DEFAULT NULL, context jsonb DEFAULT NULL, "timestamp" timestamptz DEFAULT NULL,
    message_id text DEFAULT NULL, source text DEFAULT NULL) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT cdp.ingest(jsonb_strip_nulls(jsonb_build_object('type', 'identify',
        'userId', user_id, 'anonymousId', anonymous_id, 'timestamp', "timestamp" AT TIME ZONE 'UTC',
        'messageId', message_id)) || cdp.optional_objects(traits => traits, identifiers => identifiers,
        context => context), source)
$$;

CREATE FUNCTION cdp.track(
    event text, user_id text DEFAULT NULL, properties jsonb DEFAULT NULL,
    anonymous_id text DEFAULT NULL, identifiers jsonb DEFAULT NULL, context jsonb DEFAULT NULL,
    "timestamp" timestamptz DEFAULT NULL, message_id text DEFAULT NULL, source text DEFAULT NULL)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT cdp.ingest(jsonb_strip_nulls(jsonb_build_object('type', 'track', 'event', event,
        'userId', user_id, 'anonymousId', anonymous_id, 'timestamp', "timestamp" AT TIME ZONE 'UTC',
        'messageId', message_id)) || cdp.optional_objects(properties => properties,
        identifiers => identifiers, context => context), source)
$$;

CREATE FUNCTION cdp.page(
    name text DEFAULT NULL, user_id text DEFAULT NULL, properties jsonb DEFAULT NULL,
    anonymous_id text DEFAULT NULL, identifiers jsonb DEFAULT NULL, context jsonb DEFAULT NULL,
    "timestamp" timestamptz DEFAULT NULL, message_id text DEFAULT NULL, source text DEFAULT NULL)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT cdp.ingest(jsonb_strip_nulls(jsonb_build_object('type', 'page', 'name', name,
        'userId', user_id, 'anonymousId', anonymous_id, 'timestamp', "timestamp" AT TIME ZONE 'UTC',
        'messageId', message_id)) || cdp.optional_objects(properties => properties,
        identifiers => identifiers, context => context), source)
$$;

CREATE FUNCTION cdp.screen(
    name text DEFAULT NULL, user_id text DEFAULT NULL, properties jsonb DEFAULT NULL,
    anonymous_id text DEFAULT NULL, identifiers jsonb DEFAULT NULL, context jsonb DEFAULT NULL,
    "timestamp" timestamptz DEFAULT NULL, message_id text DEFAULT NULL, source text DEFAULT NULL)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT cdp.ingest(jsonb_strip_nulls(jsonb_build_object('type', 'screen', 'name', name,
        'userId', user_id, 'anonymousId', anonymous_id, 'timestamp', "timestamp" AT TIME ZONE 'UTC',
        'messageId', message_id)) || cdp.optional_objects(properties => properties,
        identifiers => identifiers, context => context), source)
$$;

CREATE FUNCTION cdp."group"(
    group_id text, user_id text DEFAULT NULL, traits jsonb DEFAULT NULL,
    anonymous_id text DEFAULT NULL, identifiers jsonb DEFAULT NULL, context jsonb DEFAULT NULL,
    "timestamp" timestamptz DEFAULT NULL, message_id text DEFAULT NULL, source text DEFAULT NULL)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT cdp.ingest(jsonb_strip_nulls(jsonb_build_object('type', 'group', 'groupId', group_id,
        'userId', user_id, 'anonymousId', anonymous_id, 'timestamp', "timestamp" AT TIME ZONE 'UTC',
        'messageId', message_id)) || cdp.optional_objects(traits => traits,
        identifiers => identifiers, context => context), source)
$$;

CREATE FUNCTION cdp.alias(
    previous_id text, user_id text, context jsonb DEFAULT NULL, "timestamp" timestamptz DEFAULT NULL,
    message_id text DEFAULT NULL, source text DEFAULT NULL) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT cdp.ingest(jsonb_strip_nulls(jsonb_build_object('type', 'alias', 'previousId', previous_id,
        'userId', user_id, 'timestamp', "timestamp" AT TIME ZONE 'UTC', 'messageId', message_id))
        || cdp.optional_objects(context => context), source)
$$;
