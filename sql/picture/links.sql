-- The links among nodes $1, and those that lead from them out of profile $2, which a rule refused; the
-- strongest first. kind: o observed, a asserted, c asserted apart (cannot-link).
WITH ends AS (
    SELECT DISTINCT l.*
      FROM unnest($1::bigint[]) n (node_id)
     CROSS JOIN LATERAL (
           SELECT l.low, l.high, 'o' AS kind, l.confirmed, l.first_seen, l.decision::integer, l.rule_type,
                  NULL::bigint AS change_id
             FROM cdp.links l WHERE l.low = n.node_id
           UNION ALL
           SELECT l.low, l.high, 'o', l.confirmed, l.first_seen, l.decision, l.rule_type, NULL
             FROM cdp.links l WHERE l.high = n.node_id
           UNION ALL
           SELECT l.low, l.high, 'a', true, l.first_seen, l.decision, l.rule_type, l.change_id
             FROM cdp.asserted_links l WHERE l.low = n.node_id
           UNION ALL
           SELECT l.low, l.high, 'a', true, l.first_seen, l.decision, l.rule_type, l.change_id
             FROM cdp.asserted_links l WHERE l.high = n.node_id
           UNION ALL
           SELECT l.low, l.high, 'c', true, NULL, 1, NULL, l.change_id
             FROM cdp.cannot_links l WHERE l.low = n.node_id
           UNION ALL
           SELECT l.low, l.high, 'c', true, NULL, 1, NULL, l.change_id
             FROM cdp.cannot_links l WHERE l.high = n.node_id) l
)
SELECT e.low, e.high, e.kind, e.confirmed, e.decision::smallint, e.rule_type, w.is_inside,
       a.made_by, a.made_at, a.reason
  FROM ends e
 CROSS JOIN LATERAL (SELECT e.low = ANY ($1::bigint[]) AND e.high = ANY ($1::bigint[])) w (is_inside)
  JOIN cdp.identifiers il ON il.node_id = e.low
  JOIN cdp.identifier_types tl ON tl.type_id = il.type_id
  JOIN cdp.identifiers ih ON ih.node_id = e.high
  JOIN cdp.identifier_types th ON th.type_id = ih.type_id
  LEFT JOIN cdp.clusters cl ON cl.node_id = e.low
  LEFT JOIN cdp.clusters ch ON ch.node_id = e.high
  LEFT JOIN cdp.assertions a ON a.change_id = e.change_id
 WHERE w.is_inside OR cl.profile_id IS DISTINCT FROM $2 OR ch.profile_id IS DISTINCT FROM $2
 ORDER BY e.kind = 'o', greatest(tl.priority, th.priority), e.confirmed DESC,
       coalesce(e.first_seen, a.made_at), e.low, e.high, e.kind
