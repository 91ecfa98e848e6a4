-- What is known of nodes $1, by what they say: a picture does not depend on which came first.
SELECT i.node_id, i.type_id, i.value, c.profile_id,
       coalesce(x.blocked, false), coalesce(x.shared, false), x.degree, x.by_type
  FROM unnest($1::bigint[]) n (node_id)
  JOIN cdp.identifiers i ON i.node_id = n.node_id
  LEFT JOIN cdp.clusters c ON c.node_id = i.node_id
  LEFT JOIN cdp.inert_identifiers x ON x.node_id = i.node_id
 ORDER BY i.type_id, i.value COLLATE "C"
