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

-- The rows of mapped tables that each profile holds, as captured last. A record is a node of its own.
CREATE VIEW cdp.profile_records AS
SELECT c.profile_id, s.name AS source, r.key, v."row"
  FROM cdp.clusters c
  JOIN cdp.identifiers i ON i.node_id = c.node_id
  JOIN cdp.identifier_types t ON t.type_id = i.type_id
  JOIN cdp.sources s ON s.source_id = t.record_source_id
  JOIN cdp.records r ON r.source_id = s.source_id AND r.key = i.value
  JOIN cdp.row_versions v ON v.source_id = r.source_id AND v.key = r.key AND v.version = r.version;
COMMENT ON VIEW cdp.profile_records IS 'the records of each profile: source, key and the row as captured last';

-- Nothing that they hold is shared with anything else: neither a record nor an event.
CREATE VIEW cdp.unmatched_records AS
SELECT s.name AS source, i.value AS key, c.profile_id
  FROM cdp.sources s
  JOIN cdp.identifier_types t ON t.record_source_id = s.source_id
  JOIN cdp.identifiers i ON i.type_id = t.type_id
  JOIN cdp.clusters c ON c.node_id = i.node_id
 WHERE NOT EXISTS (SELECT 1 FROM cdp.clusters o
                    WHERE o.profile_id = c.profile_id AND o.node_id <> c.node_id);
COMMENT ON VIEW cdp.unmatched_records IS 'records that await matching: each is a profile by itself, for it has no identifier that joins it';
