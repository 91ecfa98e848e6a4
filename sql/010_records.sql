-- Records: looking at the rows of mapped tables by profile.

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
