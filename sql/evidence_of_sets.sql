-- The evidence of identifier sets, counted from what is stored and not revoked: messages, events,
-- standing records.
-- A month of max_backdate is 30 days, here as in a batch, whatever the calendar and the time zone.
SELECT u.set_id, u.source_id,
       min(greatest(u."time", u.received_at
              - make_interval(secs => extract(epoch FROM s.max_backdate)::double precision))) AS linked_at,
       min(u."time") AS first_seen, max(u."time") AS last_seen, count(*) AS count
  FROM (SELECT set_id, source_id, "time", received_at FROM cdp.events WHERE NOT revoked
        UNION ALL
        SELECT set_id, source_id, "time", received_at FROM cdp.messages WHERE NOT revoked
        UNION ALL
        SELECT r.set_id, r.source_id, r."time", '-infinity'::timestamptz
          FROM cdp.records r JOIN cdp.sources rs ON rs.source_id = r.source_id
         WHERE r.set_id IS NOT NULL AND rs.kind = 'records' AND NOT r.revoked) u
  JOIN cdp.sources s ON s.source_id = u.source_id
 GROUP BY u.set_id, u.source_id
