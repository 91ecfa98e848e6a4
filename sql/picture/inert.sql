-- Identifiers that join nothing, seen together with nodes $1, or with others where a node of $1 is one of them itself;
-- those seen most often first, and how many there are.
WITH seen AS (
    SELECT t.node_id, t.inert, array_agg(DISTINCT s.name ORDER BY s.name) AS sources, sum(e.count)::bigint AS count,
           min(e.first_seen) AS first_seen, max(e.last_seen) AS last_seen,
           bool_or(e.last_seen::date > e.first_seen::date) AS confirmed
      FROM (SELECT d.node_id, x.node_id AS inert, d.set_id
              FROM cdp.set_nodes d
              JOIN cdp.identifier_sets i ON i.set_id = d.set_id
             CROSS JOIN LATERAL unnest(i.nodes) m (node_id)
              JOIN cdp.inert_identifiers x ON x.node_id = m.node_id
             WHERE d.node_id = ANY ($1::bigint[]) AND d.node_id = ANY (i.nodes) AND m.node_id <> d.node_id
            UNION
            SELECT d.node_id, x.node_id, d.set_id
              FROM cdp.inert_identifiers x
              JOIN cdp.set_members m ON m.node_id = x.node_id
              JOIN cdp.set_nodes d ON d.set_id = m.set_id
             WHERE x.node_id = ANY ($1::bigint[]) AND d.node_id <> x.node_id) t
      JOIN cdp.set_evidence e ON e.set_id = t.set_id
      JOIN cdp.sources s ON s.source_id = e.source_id
     GROUP BY t.node_id, t.inert
)
SELECT t.node_id, t.inert, t.sources, t.count, t.first_seen, t.last_seen, t.confirmed, count(*) OVER ()
  FROM seen t
  JOIN cdp.identifiers i ON i.node_id = t.node_id
  JOIN cdp.identifiers x ON x.node_id = t.inert
 ORDER BY t.count DESC, i.type_id, i.value COLLATE "C", x.type_id, x.value COLLATE "C"
 LIMIT $2
