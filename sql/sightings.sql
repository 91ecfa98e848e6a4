-- When the sets of one member ($1) and centre ($2) were shown, from $3 and before $4, as links date it:
-- position of the asked, time; but for sets that show two identifiers that were unlinked. A source's max_backdate is counted in seconds, as in a batch.
SELECT q.n, u."time"
  FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[])
       WITH ORDINALITY q (node_id, person_id, starts, ends, n)
 CROSS JOIN LATERAL (
    SELECT d.set_id FROM cdp.set_nodes d WHERE d.node_id = q.person_id AND d.starts IS NULL OFFSET 0) d
  JOIN cdp.set_members m ON m.node_id = q.node_id AND m.set_id = d.set_id
   AND NOT EXISTS (
    SELECT 1 FROM cdp.identifier_sets s CROSS JOIN LATERAL unnest(s.nodes) o (node_id)
      JOIN cdp.cannot_links h ON h.low = least(o.node_id, q.node_id) AND h.high = greatest(o.node_id, q.node_id)
     WHERE s.set_id = d.set_id)
 CROSS JOIN LATERAL (
    SELECT e."time" FROM cdp.events e JOIN cdp.sources s ON s.source_id = e.source_id
     WHERE e.set_id = m.set_id AND e."time" >= q.starts AND e."time" < q.ends AND s.max_backdate IS NULL
       AND NOT e.revoked
    UNION ALL
    SELECT e."time" FROM cdp.messages e JOIN cdp.sources s ON s.source_id = e.source_id
     WHERE e.set_id = m.set_id AND e."time" >= q.starts AND e."time" < q.ends AND s.max_backdate IS NULL
       AND NOT e.revoked
    UNION ALL
    SELECT r."time" FROM cdp.records r JOIN cdp.sources s ON s.source_id = r.source_id
     WHERE r.set_id = m.set_id AND s.kind = 'records' AND NOT r.revoked AND r."time" >= q.starts AND r."time" < q.ends
    UNION ALL
    SELECT b."time" FROM (
        SELECT greatest(e."time", e.received_at
                 - make_interval(secs => extract(epoch FROM s.max_backdate)::double precision))
          FROM (SELECT source_id, "time", received_at FROM cdp.events
                 WHERE set_id = m.set_id AND NOT revoked
                UNION ALL
                SELECT source_id, "time", received_at FROM cdp.messages
                 WHERE set_id = m.set_id AND NOT revoked) e
          JOIN cdp.sources s ON s.source_id = e.source_id AND s.max_backdate IS NOT NULL
         WHERE $5) b ("time")
     WHERE b."time" >= q.starts AND b."time" < q.ends) u
