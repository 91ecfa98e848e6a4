-- What stored messages say of people: the traits of identify messages, the context.traits of others.
SELECT set_id, source_id, "time", message_id, content_hash,
       (CASE type WHEN 'identify' THEN traits ELSE context -> 'traits' END)::text
  FROM cdp.messages
 WHERE CASE type WHEN 'identify' THEN traits ELSE context -> 'traits' END IS NOT NULL
UNION ALL
SELECT set_id, source_id, "time", message_id, content_hash, (context -> 'traits')::text
  FROM cdp.events
 WHERE context -> 'traits' IS NOT NULL
