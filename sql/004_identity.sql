-- Identity: derived from evidence under the rules in force.

-- Which sources showed a set, when and how often. linked_at is the time its links date from
-- (bounded by the source's max_backdate).
CREATE TABLE cdp.set_evidence (
    set_id      bigint      NOT NULL,
    source_id   integer     NOT NULL,
    linked_at   timestamptz NOT NULL,
    first_seen  timestamptz NOT NULL,
    last_seen   timestamptz NOT NULL,
    count       bigint      NOT NULL,
    PRIMARY KEY (set_id, source_id)
) WITH (fillfactor = 70);
COMMENT ON TABLE cdp.set_evidence IS 'which sources showed an identifier set: first and last time, count';

-- The node that a set, and so its events, belongs to: the centre of its star. No row: only blocked
-- identifiers, unattributed.
CREATE TABLE cdp.set_nodes (
    set_id   bigint PRIMARY KEY,
    node_id  bigint NOT NULL
);
CREATE INDEX set_nodes_node ON cdp.set_nodes (node_id);
COMMENT ON TABLE cdp.set_nodes IS 'the node that each identifier set belongs to';

-- Sets of two or more, by member.
CREATE TABLE cdp.set_members (
    node_id  bigint NOT NULL,
    set_id   bigint NOT NULL,
    PRIMARY KEY (node_id, set_id)
);
COMMENT ON TABLE cdp.set_members IS 'identifier sets of two or more nodes, by node';

-- Identifiers that join nothing at present. reason: blocked, or the type it is shared by.
CREATE TABLE cdp.inert_identifiers (
    node_id  bigint  PRIMARY KEY,
    blocked  boolean NOT NULL,
    shared   boolean NOT NULL,
    degree   integer,
    by_type  integer
);
COMMENT ON TABLE cdp.inert_identifiers IS 'identifiers that join nothing: blocked values, and shared ones with their degree';

-- Which sets show which link: the star of each set, low < high.
CREATE TABLE cdp.set_links (
    set_id  bigint NOT NULL,
    low     bigint NOT NULL,
    high    bigint NOT NULL,
    PRIMARY KEY (set_id, low, high)
);
CREATE INDEX set_links_pair ON cdp.set_links (low, high, set_id);
COMMENT ON TABLE cdp.set_links IS 'the links that each identifier set shows: a star round its strongest identifier';

-- One row a link, low < high. decision: 0 accepted, else the rule that refused it.
CREATE TABLE cdp.links (
    low         bigint      NOT NULL,
    high        bigint      NOT NULL,
    confirmed   boolean     NOT NULL,
    first_seen  timestamptz NOT NULL,
    decision    smallint    NOT NULL DEFAULT -1,
    rule_type   integer,
    PRIMARY KEY (low, high)
) WITH (fillfactor = 80);
CREATE INDEX links_high ON cdp.links (high, low);
COMMENT ON TABLE cdp.links IS 'links derived from identifier sets, each accepted or refused by a rule';

CREATE TABLE cdp.clusters (
    node_id     bigint PRIMARY KEY,
    profile_id  bigint NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX clusters_profile ON cdp.clusters (profile_id);
COMMENT ON TABLE cdp.clusters IS 'the profile that each node belongs to';
