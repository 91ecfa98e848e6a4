-- The links among nodes $1, and those that lead from them out of profile $2, which a rule refused; the
-- strongest first. kind: o observed, a asserted, m matched, c asserted apart (cannot-link), n non-match.
WITH ends AS (
    SELECT DISTINCT l.low, l.high, l.kind, l.confirmed, l.first_seen, l.decision, l.rule_type, l.change_id,
           l.weight, l.matcher_id, o.node_id IS NOT NULL AS is_inside
      FROM unnest($1::bigint[]) n (node_id)
     CROSS JOIN LATERAL (
           SELECT l.high AS other, l.low, l.high, 'o' AS kind, l.confirmed, l.first_seen,
                  l.decision::integer, l.rule_type, NULL::bigint AS change_id, 0 AS weight, NULL::integer AS matcher_id
             FROM cdp.links l WHERE l.low = n.node_id
           UNION ALL
           SELECT l.low, l.low, l.high, 'o', l.confirmed, l.first_seen, l.decision, l.rule_type, NULL, 0, NULL
             FROM cdp.links l WHERE l.high = n.node_id
           UNION ALL
           SELECT l.high, l.low, l.high, 'a', true, l.first_seen, l.decision, l.rule_type, l.change_id, 0, NULL
             FROM cdp.asserted_links l WHERE l.low = n.node_id
           UNION ALL
           SELECT l.low, l.low, l.high, 'a', true, l.first_seen, l.decision, l.rule_type, l.change_id, 0, NULL
             FROM cdp.asserted_links l WHERE l.high = n.node_id
           UNION ALL
           SELECT l.high, l.low, l.high, 'c', true, NULL, 1, NULL, l.change_id, 0, NULL
             FROM cdp.cannot_links l WHERE l.low = n.node_id
           UNION ALL
           SELECT l.low, l.low, l.high, 'c', true, NULL, 1, NULL, l.change_id, 0, NULL
             FROM cdp.cannot_links l WHERE l.high = n.node_id
           UNION ALL
           SELECT m.high, m.low, m.high, CASE WHEN m.decision IS NULL THEN 'n' ELSE 'm' END, true, NULL,
                  coalesce(m.decision, 4), m.rule_type, NULL, m.weight, m.matcher_id
             FROM cdp.matches m WHERE m.low = n.node_id AND m.kind <> 'review'
           UNION ALL
           SELECT m.low, m.low, m.high, CASE WHEN m.decision IS NULL THEN 'n' ELSE 'm' END, true, NULL,
                  coalesce(m.decision, 4), m.rule_type, NULL, m.weight, m.matcher_id
             FROM cdp.matches m WHERE m.high = n.node_id AND m.kind <> 'review') l
      LEFT JOIN unnest($1::bigint[]) o (node_id) ON o.node_id = l.other
      LEFT JOIN cdp.clusters c ON c.node_id = l.other
     WHERE o.node_id IS NOT NULL OR c.profile_id IS DISTINCT FROM $2
)
SELECT e.low, e.high, e.kind, e.confirmed, e.decision::smallint, e.rule_type, e.is_inside,
       coalesce(a.made_by, 'matcher ' || r.name), a.made_at, a.reason, e.weight
  FROM ends e
  JOIN cdp.identifiers il ON il.node_id = e.low
  JOIN cdp.identifier_types tl ON tl.type_id = il.type_id
  JOIN cdp.identifiers ih ON ih.node_id = e.high
  JOIN cdp.identifier_types th ON th.type_id = ih.type_id
 CROSS JOIN LATERAL (SELECT lpad(il.type_id::text, 10) || il.value COLLATE "C" AS low,
                            lpad(ih.type_id::text, 10) || ih.value COLLATE "C" AS high) s
  LEFT JOIN cdp.assertions a ON a.change_id = e.change_id
  LEFT JOIN cdp.matchers r ON r.matcher_id = e.matcher_id
 ORDER BY e.kind IN ('o', 'm', 'n'), coalesce(r.priority, greatest(tl.priority, th.priority)), e.weight DESC, e.confirmed DESC,
       coalesce(e.first_seen, a.made_at), e.kind,
       least(s.low, s.high), greatest(s.low, s.high)
