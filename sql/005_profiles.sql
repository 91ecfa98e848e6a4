-- Profiles: derived.

-- Trait candidates of one set from one source: a mergeable state, see the engine's traits module.
CREATE TABLE cdp.set_traits (
    set_id      bigint  NOT NULL,
    source_id   integer NOT NULL,
    candidates  jsonb   NOT NULL,
    PRIMARY KEY (set_id, source_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE cdp.set_traits IS 'trait candidates by identifier set and source';

-- One row a person. Columns for declared traits are appended by cdp.create_trait(); read it through
-- the view cdp.profiles. first_seen and last_seen change with every message and are not indexed.
CREATE TABLE cdp.profile_rows (
    profile_id  bigint      PRIMARY KEY,
    first_seen  timestamptz,
    last_seen   timestamptz,
    extra       jsonb       NOT NULL DEFAULT '{}'
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE cdp.profile_rows IS 'one row a profile: storage of the view cdp.profiles';

CREATE VIEW cdp.profiles AS SELECT profile_id, first_seen, last_seen, extra FROM cdp.profile_rows;
COMMENT ON VIEW cdp.profiles IS 'one row a person: declared traits as typed columns, all other traits in extra';

-- The sets of each profile, and its events.
CREATE VIEW cdp.profile_sets AS
SELECT c.profile_id, s.set_id
  FROM cdp.clusters c JOIN cdp.set_nodes s ON s.node_id = c.node_id;
COMMENT ON VIEW cdp.profile_sets IS 'the identifier sets that belong to each profile';

CREATE VIEW cdp.profile_events AS
SELECT c.profile_id, e."time", e.event_id, e.type, e.name, e.source_id, e.properties, e.context
  FROM cdp.clusters c
  JOIN cdp.set_nodes s ON s.node_id = c.node_id
  JOIN cdp.events e ON e.set_id = s.set_id;
COMMENT ON VIEW cdp.profile_events IS 'events by profile';

CREATE VIEW cdp.profile_identifiers AS
SELECT c.profile_id, t.name AS type, i.value, i.node_id
  FROM cdp.clusters c
  JOIN cdp.identifiers i ON i.node_id = c.node_id
  JOIN cdp.identifier_types t ON t.type_id = i.type_id;
COMMENT ON VIEW cdp.profile_identifiers IS 'identifiers by profile';
