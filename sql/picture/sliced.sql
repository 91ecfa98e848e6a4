-- Time-sliced identifiers (types $2) that served nodes $1: node, identifier, what showed the two together, and from when
-- until when it was theirs; those seen most often first, at most $3, and how many there are.
WITH shown AS MATERIALIZED (
    SELECT d.node_id, m.node_id AS sliced, d.set_id
      FROM cdp.set_nodes d
      JOIN cdp.identifier_sets s ON s.set_id = d.set_id
     CROSS JOIN LATERAL unnest(s.nodes) m (node_id)
      JOIN cdp.identifiers i ON i.node_id = m.node_id AND i.type_id = ANY ($2::integer[])
     WHERE d.node_id = ANY ($1::bigint[]) AND d.starts IS NULL AND m.node_id <> d.node_id
       AND NOT EXISTS (SELECT 1 FROM cdp.sliced_sets x WHERE x.set_id = d.set_id)
       AND NOT EXISTS (SELECT 1 FROM cdp.inert_identifiers b WHERE b.node_id = m.node_id)
), points AS MATERIALIZED (
    SELECT w.node_id, w.person_id, w.switched_at, row_number() OVER turn AS n, lead(w.switched_at) OVER turn AS next
      FROM cdp.switch_points w
     WHERE w.node_id IN (SELECT sliced FROM shown)
    WINDOW turn AS (PARTITION BY w.node_id ORDER BY w.switched_at)
), seen AS (
    SELECT t.node_id, t.sliced, array_agg(DISTINCT s.name ORDER BY s.name) AS sources, sum(e.count)::bigint AS count,
           min(e.first_seen) AS first_seen, max(e.last_seen) AS last_seen
      FROM shown t
      JOIN cdp.set_evidence e ON e.set_id = t.set_id
      JOIN cdp.sources s ON s.source_id = e.source_id
     GROUP BY t.node_id, t.sliced
)
SELECT t.node_id, t.sliced, t.sources, t.count, t.first_seen, t.last_seen,
       (SELECT array_agg(CASE WHEN p.n > 1 THEN p.switched_at END ORDER BY p.n)
          FROM points p WHERE p.node_id = t.sliced AND p.person_id = t.node_id),
       (SELECT array_agg(p.next ORDER BY p.n)
          FROM points p WHERE p.node_id = t.sliced AND p.person_id = t.node_id),
       count(*) OVER ()
  FROM seen t
  JOIN cdp.identifiers i ON i.node_id = t.node_id
  JOIN cdp.identifiers x ON x.node_id = t.sliced
 ORDER BY t.count DESC, i.type_id, i.value COLLATE "C", x.type_id, x.value COLLATE "C"
 LIMIT $3
