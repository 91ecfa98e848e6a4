-- Evidence: what was accepted. Primary, never derived; everything else can be computed from it.

-- Every identifier ever seen, normalised. node_id is never reused: profile ids are node ids.
CREATE SEQUENCE cdp.node_id_seq;
CREATE TABLE cdp.identifiers (
    value    text    NOT NULL CHECK (octet_length(value) <= 1024),
    type_id  integer NOT NULL,
    node_id  bigint  NOT NULL UNIQUE,
    PRIMARY KEY (value, type_id)
);
COMMENT ON TABLE cdp.identifiers IS 'dictionary of identifiers: type and normalised value to node id';

-- The identifiers that one message or record shows together; stored once. fingerprint is a 128-bit
-- hash of the sorted node ids.
CREATE SEQUENCE cdp.set_id_seq;
CREATE TABLE cdp.identifier_sets (
    set_id       bigint   PRIMARY KEY,
    fingerprint  uuid     NOT NULL UNIQUE,
    nodes        bigint[] NOT NULL
);
COMMENT ON TABLE cdp.identifier_sets IS 'identifier sets: the nodes that one message or record shows together, stored once';

CREATE TABLE cdp.message_keys (
    source_id     integer NOT NULL,
    message_id    text    NOT NULL COLLATE "C",
    content_hash  bigint  NOT NULL,
    PRIMARY KEY (source_id, message_id)
);
COMMENT ON TABLE cdp.message_keys IS 'what was accepted, by source and messageId; source 0 holds inbox ids of messages without one';

-- Events, by time. event_id breaks ties and names the event.
CREATE SEQUENCE cdp.event_id_seq;
CREATE TABLE cdp.events (
    set_id       bigint      NOT NULL,
    "time"       timestamptz NOT NULL,
    event_id     bigint      NOT NULL,
    source_id    integer     NOT NULL,
    type         text        NOT NULL,
    name         text,
    received_at  timestamptz NOT NULL,
    message_id   text,
    content_hash bigint      NOT NULL,
    properties   jsonb,
    context      jsonb,
    rest         jsonb,
    PRIMARY KEY (set_id, "time", event_id)
) PARTITION BY RANGE ("time");
COMMENT ON TABLE cdp.events IS 'track, page and screen messages and mapped events, each with its identifier set';

-- identify, group and alias messages, whole.
CREATE TABLE cdp.messages (
    set_id       bigint      NOT NULL,
    "time"       timestamptz NOT NULL,
    event_id     bigint      NOT NULL,
    source_id    integer     NOT NULL,
    type         text        NOT NULL,
    received_at  timestamptz NOT NULL,
    message_id   text,
    content_hash bigint      NOT NULL,
    traits       jsonb,
    context      jsonb,
    rest         jsonb,
    PRIMARY KEY (set_id, "time", event_id)
);
COMMENT ON TABLE cdp.messages IS 'identify, group and alias messages, whole, each with its identifier set';

-- Every captured version of a mapped row, and which one stands. version is the inbox id: writers of
-- one row take the row lock first, so its order is theirs.
CREATE TABLE cdp.row_versions (
    source_id    integer     NOT NULL,
    key          text        NOT NULL COLLATE "C",
    version      bigint      NOT NULL,
    part         text        NOT NULL,
    received_at  timestamptz NOT NULL,
    "row"        jsonb,
    PRIMARY KEY (source_id, key, version)
);
COMMENT ON TABLE cdp.row_versions IS 'every captured version of the rows of mapped tables; a NULL row is a deletion';

CREATE TABLE cdp.records (
    source_id    integer     NOT NULL,
    key          text        NOT NULL COLLATE "C",
    version      bigint      NOT NULL,
    part         text        NOT NULL,
    set_id       bigint,
    "time"       timestamptz,
    event_id     bigint,
    captured_at  timestamptz NOT NULL,
    said_at      timestamptz,
    said         jsonb,
    shown        jsonb,
    PRIMARY KEY (source_id, key)
);
CREATE INDEX records_set ON cdp.records (set_id) WHERE set_id IS NOT NULL;
COMMENT ON TABLE cdp.records IS 'the version of each mapped row that stands, its identifier set and what it says; set_id is NULL once deleted';
