-- The links among nodes $1, and those that lead from them out of profile $2, which a rule refused; the strongest first.
WITH ends AS (
    SELECT l.low, l.high, l.confirmed, l.first_seen, l.decision, l.rule_type
      FROM unnest($1::bigint[]) n (node_id) JOIN cdp.links l ON l.low = n.node_id
    UNION
    SELECT l.low, l.high, l.confirmed, l.first_seen, l.decision, l.rule_type
      FROM unnest($1::bigint[]) n (node_id) JOIN cdp.links l ON l.high = n.node_id
)
SELECT e.low, e.high, e.confirmed, e.decision, e.rule_type, inside.both
  FROM ends e
 CROSS JOIN LATERAL (SELECT e.low = ANY ($1::bigint[]) AND e.high = ANY ($1::bigint[])) inside (both)
  JOIN cdp.identifiers a ON a.node_id = e.low JOIN cdp.identifier_types ta ON ta.type_id = a.type_id
  JOIN cdp.identifiers b ON b.node_id = e.high JOIN cdp.identifier_types tb ON tb.type_id = b.type_id
  JOIN cdp.clusters ca ON ca.node_id = e.low
  JOIN cdp.clusters cb ON cb.node_id = e.high
 WHERE inside.both OR ca.profile_id <> $2 OR cb.profile_id <> $2
 ORDER BY greatest(ta.priority, tb.priority), e.confirmed DESC, e.first_seen, e.low, e.high
