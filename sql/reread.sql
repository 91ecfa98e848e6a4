-- Stored messages as they came, to be read again for identifiers: kind of storage, place, text.
SELECT 'e', e.set_id, e."time", e.event_id, e.source_id, NULL,
       (coalesce(e.rest, '{}') || jsonb_strip_nulls(jsonb_build_object('type', e.type,
           CASE e.type WHEN 'track' THEN 'event' ELSE 'name' END, e.name))
        || jsonb_build_object('properties', coalesce(e.properties, '{}'),
                              'context', coalesce(e.context, '{}')))::text
  FROM cdp.events e JOIN cdp.sources s ON s.source_id = e.source_id
 WHERE s.kind = 'stream'
UNION ALL
SELECT 'm', m.set_id, m."time", m.event_id, m.source_id, NULL,
       (coalesce(m.rest, '{}') || jsonb_build_object('type', m.type,
           'traits', coalesce(m.traits, '{}'), 'context', coalesce(m.context, '{}')))::text
  FROM cdp.messages m
UNION ALL
SELECT 'r', r.set_id, r."time", coalesce(r.event_id, 0), r.source_id, r.key, r.shown::text
  FROM cdp.records r WHERE r.set_id IS NOT NULL
