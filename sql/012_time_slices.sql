-- Identifiers that serve one person after another, and types that keep the newest link.

ALTER TABLE cdp.identifier_types
    ADD COLUMN time_sliced boolean NOT NULL DEFAULT false,
    ADD COLUMN keep text NOT NULL DEFAULT 'first' CHECK (keep IN ('first', 'last'));
COMMENT ON COLUMN cdp.identifier_types.keep IS 'which of links that are equally strong wins: the first or the last';

ALTER TABLE cdp.links ADD COLUMN last_seen timestamptz;
COMMENT ON COLUMN cdp.links.last_seen IS 'the time that decides where the last link is kept; NULL where it is first_seen';

-- From when on which person used a time-sliced identifier: until the next row of the node. The first
-- one is also who used it before.
CREATE TABLE cdp.switch_points (
    node_id      bigint      NOT NULL,
    switched_at  timestamptz NOT NULL,
    person_id    bigint      NOT NULL,
    PRIMARY KEY (node_id, switched_at)
);
COMMENT ON TABLE cdp.switch_points IS 'when a time-sliced identifier went over to which person (node)';

-- The sets that show time-sliced identifiers alone, and the one whose switch points say whose they are.
CREATE TABLE cdp.sliced_sets (
    set_id   bigint PRIMARY KEY,
    node_id  bigint NOT NULL
);
CREATE INDEX sliced_sets_node ON cdp.sliced_sets (node_id);
COMMENT ON TABLE cdp.sliced_sets IS 'identifier sets that belong to one person after another, by their time-sliced identifier';

-- Such a set belongs to nodes by time: one row a slice, from starts to before ends.
ALTER TABLE cdp.set_nodes DROP CONSTRAINT set_nodes_pkey;
ALTER TABLE cdp.set_nodes ADD COLUMN starts timestamptz, ADD COLUMN ends timestamptz;
CREATE UNIQUE INDEX set_nodes_set ON cdp.set_nodes (set_id, starts) NULLS NOT DISTINCT;
COMMENT ON TABLE cdp.set_nodes IS 'the node that each identifier set belongs to; of a time-sliced one, the node of each slice of time';

CREATE OR REPLACE VIEW cdp.profile_sets AS
SELECT c.profile_id, s.set_id
  FROM cdp.clusters c JOIN cdp.set_nodes s ON s.node_id = c.node_id
 WHERE s.starts IS NULL;

CREATE OR REPLACE VIEW cdp.profile_events AS
SELECT c.profile_id, e."time", e.event_id, e.type, e.name, e.source_id, e.properties, e.context
  FROM cdp.clusters c
  JOIN cdp.set_nodes s ON s.node_id = c.node_id
  JOIN cdp.events e ON e.set_id = s.set_id
   AND (s.starts IS NULL OR (e."time" >= s.starts AND e."time" < s.ends))
 WHERE NOT e.revoked;
