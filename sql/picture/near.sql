-- Identifiers that accepted links tie to nodes $1, the most strongly tied first: not those in $2, at most $3.
SELECT n.node_id
  FROM (SELECT l.high AS node_id, l.confirmed, l.first_seen
          FROM unnest($1::bigint[]) f (node_id) JOIN cdp.links l ON l.low = f.node_id
         WHERE l.decision = 0
        UNION ALL
        SELECT l.low, l.confirmed, l.first_seen
          FROM unnest($1::bigint[]) f (node_id) JOIN cdp.links l ON l.high = f.node_id
         WHERE l.decision = 0) n
  JOIN cdp.identifiers i ON i.node_id = n.node_id
  JOIN cdp.identifier_types t ON t.type_id = i.type_id
 WHERE n.node_id <> ALL ($2::bigint[])
 GROUP BY n.node_id, t.priority, t.type_id, i.value
 ORDER BY t.priority, t.type_id, bool_or(n.confirmed) DESC, min(n.first_seen), i.value COLLATE "C"
 LIMIT $3
