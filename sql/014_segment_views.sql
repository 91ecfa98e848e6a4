-- Views for those who come from Segment's Profiles Sync: its names, its columns. Schema cdp_segment is
-- made by cdp.init(), and belongs to the owner role. A segment_id is a profile id; one that was given up
-- goes on being a row, with the profile that it belongs to now as its canonical_segment_id.

-- The first evidence of each identifier: the first set that showed it, and the first message or row that
-- did. No row for one that was only named by hand.
CREATE VIEW cdp.first_evidence AS
SELECT i.node_id, f.first_seen, coalesce(m.received_at, r.captured_at) AS received_at,
       coalesce(m.type, CASE WHEN r.key IS NOT NULL THEN 'record' END) AS type,
       coalesce(m.message_id, m.event_id::text, r.key) AS message_id
  FROM cdp.identifiers i
 CROSS JOIN LATERAL (
       SELECT e.set_id, e.first_seen
         -- Sets of it alone; set by set, by key, whatever the planner thinks of arrays.
         FROM (SELECT s.set_id FROM cdp.set_nodes s
                WHERE s.node_id = i.node_id AND s.starts IS NULL
                  AND (SELECT n.nodes FROM cdp.identifier_sets n
                        WHERE n.set_id = s.set_id) = ARRAY[i.node_id]
               UNION ALL SELECT s.set_id FROM cdp.sliced_sets s
                WHERE s.node_id = i.node_id
                  AND (SELECT n.nodes FROM cdp.identifier_sets n
                        WHERE n.set_id = s.set_id) = ARRAY[i.node_id]
               UNION ALL SELECT s.set_id FROM cdp.set_members s WHERE s.node_id = i.node_id) s
         JOIN cdp.set_evidence e ON e.set_id = s.set_id
        ORDER BY e.first_seen, e.set_id, e.source_id LIMIT 1) f
  LEFT JOIN LATERAL (
       SELECT m.received_at, m.type, m.message_id, m.event_id
         FROM (SELECT e.received_at, e.type, e.message_id, e.event_id
                 FROM cdp.events e
                WHERE e.set_id = f.set_id AND e."time" = f.first_seen AND NOT e.revoked
               UNION ALL
               SELECT e.received_at, e.type, e.message_id, e.event_id
                 FROM cdp.messages e
                WHERE e.set_id = f.set_id AND e."time" = f.first_seen AND NOT e.revoked) m
        ORDER BY m.event_id LIMIT 1) m ON true
  LEFT JOIN LATERAL (
       SELECT r.key, r.captured_at FROM cdp.records r
        WHERE r.set_id = f.set_id ORDER BY r.captured_at, r.key LIMIT 1) r ON m.event_id IS NULL;
COMMENT ON VIEW cdp.first_evidence IS 'when each identifier was first shown, and by which message or row';

-- Which profile an id stood for, from when on. A profile's first row has both ids equal; then one row
-- each time that its identifier went over to another profile, whether it named one by then itself or
-- was in one that did.
CREATE VIEW cdp_segment.id_graph_updates AS
SELECT g.segment_id, g.canonical_segment_id, g.triggering_event_type, g.triggering_event_id,
       g."timestamp", g.received_at, g.uuid_ts, (extract(epoch FROM g.uuid_ts) * 1000000)::bigint AS seq
  FROM (SELECT b.node_id AS segment_id, b.node_id AS canonical_segment_id,
               f.type AS triggering_event_type, f.message_id AS triggering_event_id,
               f.first_seen AS "timestamp", f.received_at,
               -- Something older can be received later; a profile still was there before it went over.
               least(f.received_at, (SELECT min(s.decided_at) - interval '1 microsecond'
                                       FROM cdp.identity_moves m
                                       JOIN cdp.identity_steps s ON s.step_id = m.step_id
                                      WHERE m.node_id = b.node_id)) AS uuid_ts
          FROM (SELECT c.node_id FROM cdp.clusters c
                 WHERE c.profile_id = c.node_id
                   AND NOT EXISTS (SELECT 1 FROM cdp.identity_moves m WHERE m.node_id = c.node_id)
                UNION ALL
                SELECT m.node_id FROM cdp.identity_moves m
                 WHERE m.from_profile = m.node_id
                   AND NOT EXISTS (SELECT 1 FROM cdp.identity_moves o
                                    WHERE o.node_id = m.node_id AND o.step_id < m.step_id)) b
          LEFT JOIN cdp.first_evidence f ON f.node_id = b.node_id
        UNION ALL
        SELECT m.node_id, m.to_profile, coalesce(e.type, s.cause),
               coalesce(p.message_id, p.event_id::text, s.change_id::text),
               coalesce(e."time", s.decided_at), coalesce(e.received_at, s.decided_at),
               s.decided_at
          FROM cdp.identity_moves m
          JOIN cdp.identity_steps s ON s.step_id = m.step_id
          LEFT JOIN cdp.profile_changes p
                 ON p.step_id = m.step_id AND p.from_profile = m.from_profile
                AND p.to_profile = m.to_profile
          LEFT JOIN LATERAL (
               SELECT e.type, e."time", e.received_at FROM cdp.events e
                WHERE e.set_id = p.set_id AND e.event_id = p.event_id
               UNION ALL
               SELECT e.type, e."time", e.received_at FROM cdp.messages e
                WHERE e.set_id = p.set_id AND e.event_id = p.event_id) e ON true
         WHERE m.to_profile IS NOT NULL
           AND (m.to_profile = m.node_id
                OR EXISTS (SELECT 1 FROM cdp.profile_changes o
                            WHERE o.from_profile = m.node_id AND o.step_id <= m.step_id))) g;
COMMENT ON VIEW cdp_segment.id_graph_updates IS 'which profile each profile id stood for from when on, and the event that made it so';

-- Where each profile id leads now.
CREATE VIEW cdp_segment.profile_merges AS
SELECT c.profile_id AS canonical_segment_id, c.node_id AS segment_id,
       u.seq, u.received_at, u.uuid_ts, u."timestamp"
  FROM cdp.clusters c
  LEFT JOIN LATERAL (SELECT g.seq, g.received_at, g.uuid_ts, g."timestamp"
                       FROM cdp_segment.id_graph_updates g
                      WHERE g.segment_id = c.node_id AND g.canonical_segment_id = c.profile_id
                      ORDER BY g.seq DESC LIMIT 1) u ON true
 WHERE c.node_id = c.profile_id
    OR EXISTS (SELECT 1 FROM cdp.profile_changes p WHERE p.from_profile = c.node_id);
COMMENT ON VIEW cdp_segment.profile_merges IS 'the present profile of every profile id that there is or was';

CREATE VIEW cdp_segment.user_identifiers AS
SELECT c.profile_id AS canonical_segment_id, t.name AS type, i.value,
       (extract(epoch FROM f.first_seen) * 1000000)::bigint AS seq,
       f.received_at, f.received_at AS uuid_ts, f.first_seen AS "timestamp"
  FROM cdp.clusters c
  JOIN cdp.identifiers i ON i.node_id = c.node_id
  JOIN cdp.identifier_types t ON t.type_id = i.type_id
  LEFT JOIN cdp.first_evidence f ON f.node_id = c.node_id
 WHERE t.record_source_id IS NULL;
COMMENT ON VIEW cdp_segment.user_identifiers IS 'the identifiers of each profile, but for rows of mapped tables';

CREATE VIEW cdp_segment.external_id_mapping AS
SELECT u.canonical_segment_id, u.type AS external_id_type, u.value AS external_id_value,
       encode(sha256(convert_to(u.type || ':' || u.value, 'UTF8')), 'hex') AS external_id_hash,
       u."timestamp", u.uuid_ts
  FROM cdp_segment.user_identifiers u;
COMMENT ON VIEW cdp_segment.external_id_mapping IS 'the profile of each identifier, but for rows of mapped tables';

-- Columns for declared traits are appended as they are to cdp.profiles.
CREATE VIEW cdp_segment.profile_traits AS
SELECT m.segment_id AS canonical_segment_id, m.merged_to, r.extra
  FROM (SELECT c.node_id AS segment_id, nullif(c.profile_id, c.node_id) AS merged_to
          FROM cdp.clusters c
         WHERE c.node_id = c.profile_id
            OR EXISTS (SELECT 1 FROM cdp.profile_changes p WHERE p.from_profile = c.node_id)) m
  LEFT JOIN cdp.profile_rows r ON r.profile_id = m.segment_id;
COMMENT ON VIEW cdp_segment.profile_traits IS 'one row a profile, with a column for each declared trait; and one for each profile id that was given up, with the profile it leads to';
