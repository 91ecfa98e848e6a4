-- Identifiers that accepted links tie to nodes $1, the most strongly tied first: not those in $2, at most $3.
SELECT n.node_id
  FROM unnest($1::bigint[]) f (node_id)
 CROSS JOIN LATERAL (
       SELECT l.high AS node_id, false AS by_hand, NULL::integer AS matcher_id, l.confirmed, l.first_seen
         FROM cdp.links l WHERE l.low = f.node_id AND l.decision = 0
       UNION ALL
       SELECT l.low, false, NULL, l.confirmed, l.first_seen
         FROM cdp.links l WHERE l.high = f.node_id AND l.decision = 0
       UNION ALL
       SELECT l.high, true, NULL, true, l.first_seen
         FROM cdp.asserted_links l WHERE l.low = f.node_id AND l.decision = 0
       UNION ALL
       SELECT l.low, true, NULL, true, l.first_seen
         FROM cdp.asserted_links l WHERE l.high = f.node_id AND l.decision = 0
       UNION ALL
       SELECT m.high, false, m.matcher_id, true, NULL
         FROM cdp.matches m WHERE m.low = f.node_id AND m.decision = 0
       UNION ALL
       SELECT m.low, false, m.matcher_id, true, NULL
         FROM cdp.matches m WHERE m.high = f.node_id AND m.decision = 0) n
  JOIN cdp.identifiers i ON i.node_id = n.node_id
  JOIN cdp.identifier_types t ON t.type_id = i.type_id
  LEFT JOIN cdp.matchers r ON r.matcher_id = n.matcher_id
 WHERE NOT EXISTS (SELECT 1 FROM unnest($2::bigint[]) k (node_id) WHERE k.node_id = n.node_id)
 GROUP BY n.node_id, t.priority, t.type_id, i.value
 ORDER BY bool_or(n.by_hand) DESC, least(t.priority, min(r.priority)), t.priority, t.type_id, bool_or(n.confirmed) DESC, min(n.first_seen),
       i.value COLLATE "C"
 LIMIT $3
