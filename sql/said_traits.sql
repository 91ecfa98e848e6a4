-- What is stored and not revoked says of people: the traits of identify messages, the context.traits
-- of others, the standing records.
SELECT set_id, source_id, "time", message_id, content_hash,
       (CASE type WHEN 'identify' THEN traits ELSE context -> 'traits' END)::text
  FROM cdp.messages
 WHERE CASE type WHEN 'identify' THEN traits ELSE context -> 'traits' END IS NOT NULL AND NOT revoked
UNION ALL
SELECT set_id, source_id, "time", message_id, content_hash, (context -> 'traits')::text
  FROM cdp.events
 WHERE context -> 'traits' IS NOT NULL AND NOT revoked
UNION ALL
SELECT r.set_id, r.source_id, r.said_at, r.key, 0, r.said::text
  FROM cdp.records r JOIN cdp.sources s ON s.source_id = r.source_id
 WHERE r.set_id IS NOT NULL AND s.kind = 'records' AND NOT r.revoked
