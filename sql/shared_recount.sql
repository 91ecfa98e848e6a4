-- Counts, for nodes $1, with how many values of another type each was seen; limits are ($2 type,
-- $3 other type, $4 at most). Writes who is shared, and gives the nodes whose standing changed. A
-- blocked value joins nothing anyway, and is not counted. Where the first sets are past the limit, the
-- others are not read: one that is shared by many is seen with every message.
WITH limits AS (
    SELECT * FROM unnest($2::integer[], $3::integer[], $4::integer[]) l (type_id, other, most)
), over AS (
    SELECT n.node_id, l.other, greatest(f.degree, c.degree) AS degree
      FROM unnest($1::bigint[]) n (node_id)
      JOIN cdp.identifiers i ON i.node_id = n.node_id
      JOIN limits l ON l.type_id = i.type_id
     CROSS JOIN LATERAL (
        SELECT count(*)::integer AS degree FROM (
            SELECT DISTINCT o.node_id
              FROM (SELECT set_id FROM cdp.set_members m WHERE m.node_id = n.node_id
                     LIMIT 8 * (l.most::bigint + 1)) m
              JOIN cdp.identifier_sets s ON s.set_id = m.set_id
             CROSS JOIN LATERAL unnest(s.nodes) x (node_id)
              JOIN cdp.identifiers o ON o.node_id = x.node_id AND o.type_id = l.other
             WHERE EXISTS (SELECT 1 FROM cdp.set_evidence e WHERE e.set_id = m.set_id)
               AND NOT EXISTS (SELECT 1 FROM cdp.inert_identifiers b
                                WHERE b.node_id = o.node_id AND b.blocked)
             LIMIT l.most + 1) d) f
     CROSS JOIN LATERAL (
        SELECT count(*)::integer AS degree FROM (
            SELECT DISTINCT o.node_id
              FROM cdp.set_members m
              JOIN cdp.identifier_sets s ON s.set_id = m.set_id
             CROSS JOIN LATERAL unnest(s.nodes) x (node_id)
              JOIN cdp.identifiers o ON o.node_id = x.node_id AND o.type_id = l.other
             WHERE m.node_id = n.node_id AND f.degree <= l.most
               AND EXISTS (SELECT 1 FROM cdp.set_evidence e WHERE e.set_id = m.set_id)
               AND NOT EXISTS (SELECT 1 FROM cdp.inert_identifiers b
                                WHERE b.node_id = o.node_id AND b.blocked)
             LIMIT l.most + 1) d) c
     WHERE greatest(f.degree, c.degree) > l.most
       AND NOT EXISTS (SELECT 1 FROM cdp.inert_identifiers b WHERE b.node_id = n.node_id AND b.blocked)
), standing AS (
    SELECT DISTINCT ON (n.node_id) n.node_id, o.other, o.degree, o.node_id IS NOT NULL AS shared
      FROM unnest($1::bigint[]) n (node_id)
      LEFT JOIN over o USING (node_id)
     ORDER BY n.node_id, o.other
), now_shared AS (
    INSERT INTO cdp.inert_identifiers AS x (node_id, blocked, shared, degree, by_type)
    SELECT node_id, false, true, degree, other FROM standing WHERE shared
    ON CONFLICT (node_id) DO UPDATE
       SET shared = true, degree = EXCLUDED.degree, by_type = EXCLUDED.by_type
     WHERE (x.shared, x.degree, x.by_type)
           IS DISTINCT FROM (true, EXCLUDED.degree, EXCLUDED.by_type)
    RETURNING node_id
), ordinary AS (
    DELETE FROM cdp.inert_identifiers x USING standing s
     WHERE s.node_id = x.node_id AND x.shared AND NOT s.shared AND NOT x.blocked
    RETURNING x.node_id
), only_blocked AS (
    UPDATE cdp.inert_identifiers x SET shared = false, degree = NULL, by_type = NULL
      FROM standing s
     WHERE s.node_id = x.node_id AND x.shared AND NOT s.shared AND x.blocked
    RETURNING x.node_id
)
SELECT node_id FROM now_shared
UNION SELECT node_id FROM ordinary
UNION SELECT node_id FROM only_blocked
