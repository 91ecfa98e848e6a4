-- Identifiers that accepted links tie to nodes $1, the most strongly tied first: not those in $2, at most $3.
SELECT n.node_id
  FROM unnest($1::bigint[]) f (node_id)
 CROSS JOIN LATERAL (
       SELECT l.high AS node_id, false AS by_hand, l.confirmed, l.first_seen
         FROM cdp.links l WHERE l.low = f.node_id AND l.decision = 0
       UNION ALL
       SELECT l.low, false, l.confirmed, l.first_seen
         FROM cdp.links l WHERE l.high = f.node_id AND l.decision = 0
       UNION ALL
       SELECT l.high, true, true, l.first_seen
         FROM cdp.asserted_links l WHERE l.low = f.node_id AND l.decision = 0
       UNION ALL
       SELECT l.low, true, true, l.first_seen
         FROM cdp.asserted_links l WHERE l.high = f.node_id AND l.decision = 0) n
  JOIN cdp.identifiers i ON i.node_id = n.node_id
  JOIN cdp.identifier_types t ON t.type_id = i.type_id
 WHERE NOT EXISTS (SELECT 1 FROM unnest($2::bigint[]) k (node_id) WHERE k.node_id = n.node_id)
 GROUP BY n.node_id, t.priority, t.type_id, i.value
 ORDER BY bool_or(n.by_hand) DESC, t.priority, t.type_id, bool_or(n.confirmed) DESC, min(n.first_seen),
       i.value COLLATE "C"
 LIMIT $3
