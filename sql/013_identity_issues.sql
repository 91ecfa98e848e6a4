-- What identity resolution held back, or could not be sure of, with the advice what to set.

-- Links as the stronger and the weaker identifier that they tie.
CREATE VIEW cdp.link_ends AS
SELECT l.low, l.high, l.decision, l.rule_type, l.confirmed, l.first_seen,
       CASE WHEN a.first THEN l.low ELSE l.high END AS strong_node,
       CASE WHEN a.first THEN l.high ELSE l.low END AS weak_node,
       CASE WHEN a.first THEN ta.type_id ELSE tb.type_id END AS strong_type,
       CASE WHEN a.first THEN tb.type_id ELSE ta.type_id END AS weak_type
  FROM cdp.links l
  JOIN cdp.identifiers ia ON ia.node_id = l.low
  JOIN cdp.identifiers ib ON ib.node_id = l.high
  JOIN cdp.identifier_types ta ON ta.type_id = ia.type_id
  JOIN cdp.identifier_types tb ON tb.type_id = ib.type_id
 CROSS JOIN LATERAL (SELECT (ta.priority, ta.type_id, ia.value COLLATE "C")
                          < (tb.priority, tb.type_id, ib.value COLLATE "C") AS first) a;
COMMENT ON VIEW cdp.link_ends IS 'links, by their stronger and their weaker identifier';

CREATE VIEW cdp.identity_issues AS
WITH refused AS (
    SELECT * FROM cdp.link_ends WHERE decision IN (2, 3)
), arrived AS (
    -- Sets are numbered in the order in which they were first accepted.
    SELECT r.weak_node, a.low, a.high, count(*) AS overtaken
      FROM refused r
      JOIN cdp.link_ends a ON a.weak_node = r.weak_node AND a.decision = 0
      JOIN cdp.identifier_types t ON t.type_id = r.weak_type AND t.keep = 'first'
     WHERE a.first_seen < r.first_seen AND a.confirmed = r.confirmed
       AND (SELECT min(s.set_id) FROM cdp.set_links s WHERE s.low = a.low AND s.high = a.high)
         > (SELECT min(s.set_id) FROM cdp.set_links s WHERE s.low = r.low AND s.high = r.high)
     GROUP BY 1, 2, 3
), shown AS (
    -- With which values of other types an identifier of which a profile holds one was seen, and when.
    SELECT l.strong_node, l.weak_type, l.weak_node,
           min(e.first_seen) AS first_seen, max(e.last_seen) AS last_seen
      FROM cdp.link_ends l
      JOIN cdp.identifier_types t ON t.type_id = l.strong_type AND t.max_per_profile = 1
      JOIN cdp.identifier_types w ON w.type_id = l.weak_type AND w.bridges AND w.record_source_id IS NULL
      JOIN cdp.set_links s ON s.low = l.low AND s.high = l.high
      JOIN cdp.set_evidence e ON e.set_id = s.set_id
     GROUP BY 1, 2, 3
), newest AS (
    SELECT strong_node, weak_type, count(*) - 1 AS former, max(first_seen) AS began
      FROM shown GROUP BY 1, 2 HAVING count(*) > 1
), handed_over AS (
    -- In two types at least, and all that came before had ended before any of what is now began.
    SELECT n.strong_node, sum(n.former) AS former, n.began, n.types
      FROM (SELECT x.strong_node, x.former, min(x.began) OVER one AS began, count(*) OVER one AS kinds,
                   string_agg(t.name, ' and ') OVER one AS types, x.weak_type
              FROM newest x JOIN cdp.identifier_types t ON t.type_id = x.weak_type
            WINDOW one AS (PARTITION BY x.strong_node)) n
     WHERE n.kinds > 1
       AND NOT EXISTS (SELECT 1 FROM shown s
                        WHERE s.strong_node = n.strong_node AND s.first_seen < n.began AND s.last_seen >= n.began)
     GROUP BY n.strong_node, n.began, n.types
), issue (kind, node_id, degree, since, what_happened, advice) AS (
    SELECT 'blocked', x.node_id, count(m.set_id), min(e.first_seen),
           'it stands for nobody: it is kept, and joins nothing',
           format('Nothing to set. Mend the source that sends it. If it is somebody after all: SELECT '
                  'cdp.alter_identifier_type(%L, builtin_blocked => false), or take it out of blocked_values and blocked_patterns.',
                  t.name)
      FROM cdp.inert_identifiers x
      JOIN cdp.identifiers i ON i.node_id = x.node_id
      JOIN cdp.identifier_types t ON t.type_id = i.type_id
      JOIN cdp.set_members m ON m.node_id = x.node_id
      JOIN LATERAL (SELECT min(v.first_seen) FROM cdp.set_evidence v WHERE v.set_id = m.set_id) e (first_seen)
        ON e.first_seen IS NOT NULL
     WHERE x.blocked
     GROUP BY x.node_id, t.name
    UNION ALL
    SELECT 'shared', x.node_id, d.degree, d.since,
           format('it was seen with %s values of %s, more than max_degree allows: it joins nobody, and holds its own events',
                  d.degree, o.name),
           format('If it is one person''s: SELECT cdp.alter_identifier_type(%L, max_degree => %L). If it stands for nobody, '
                  'add it to blocked_values.', t.name, t.max_degree || jsonb_build_object(o.name, d.degree))
      FROM cdp.inert_identifiers x
      JOIN cdp.identifiers i ON i.node_id = x.node_id
      JOIN cdp.identifier_types t ON t.type_id = i.type_id
      JOIN cdp.identifier_types o ON o.type_id = x.by_type
     CROSS JOIN LATERAL (
        SELECT count(DISTINCT p.node_id), min(e.first_seen)
          FROM cdp.set_members m
          JOIN cdp.identifier_sets s ON s.set_id = m.set_id
         CROSS JOIN LATERAL unnest(s.nodes) n (node_id)
          JOIN cdp.identifiers p ON p.node_id = n.node_id AND p.type_id = x.by_type
          JOIN cdp.set_evidence e ON e.set_id = m.set_id
         WHERE m.node_id = x.node_id
           AND NOT EXISTS (SELECT 1 FROM cdp.inert_identifiers b WHERE b.node_id = p.node_id AND b.blocked)
       ) d (degree, since)
     WHERE x.shared
    UNION ALL
    SELECT 'contested', r.weak_node,
           count(*) + CASE WHEN EXISTS (SELECT 1 FROM cdp.link_ends a
                                         WHERE a.weak_node = r.weak_node AND a.decision = 0) THEN 1 ELSE 0 END,
           min(r.first_seen),
           format('several claim it; it stays with the %s, and %s links are refused: they would break a rule about %s',
                  CASE t.keep WHEN 'last' THEN 'last' ELSE 'first' END, count(*), string_agg(DISTINCT o.name, ', ')),
           CASE WHEN t.bridges
                THEN format('A family or an office: nothing to set. If it should join nobody: SELECT '
                            'cdp.alter_identifier_type(%L, max_degree => %L).',
                            t.name, t.max_degree || jsonb_build_object(min(o.name), 1))
                ELSE format('If people take turns on it: SELECT cdp.alter_identifier_type(%L, time_sliced => true). If one used '
                            'by many should join nobody: SELECT cdp.alter_identifier_type(%L, max_degree => %L).',
                            t.name, t.name, t.max_degree || jsonb_build_object(min(o.name), 5)) END
      FROM refused r
      JOIN cdp.identifier_types t ON t.type_id = r.weak_type
      JOIN cdp.identifier_types o ON o.type_id = r.rule_type
     WHERE r.rule_type <> r.weak_type
     GROUP BY r.weak_node, t.type_id, t.name, t.keep, t.bridges, t.max_degree
    UNION ALL
    SELECT 'full_profile', r.strong_node, count(*), min(r.first_seen),
           format('its profile holds as many of type %s as max_per_profile allows: %s links are refused', t.name, count(*)),
           format('If many people use it (a test account, an id given out again): add it to blocked_values of %s. If not: '
                  'SELECT cdp.alter_identifier_type(%L, max_per_profile => %s).',
                  s.name, t.name, t.max_per_profile + count(*))
      FROM refused r
      JOIN cdp.identifier_types t ON t.type_id = r.weak_type
      JOIN cdp.identifier_types s ON s.type_id = r.strong_type
     WHERE r.rule_type = r.weak_type
     GROUP BY r.strong_node, t.type_id, t.name, t.max_per_profile, s.name
    UNION ALL
    SELECT 'large_profile', c.profile_id, count(*), NULL,
           format('its profile holds %s identifiers', count(*)),
           format('If they are not one person''s: block %s, or give the type of most of them (%s) a max_per_profile.',
                  quote_literal(i.value), mode() WITHIN GROUP (ORDER BY t.name))
      FROM cdp.clusters c
      JOIN cdp.identifiers i ON i.node_id = c.profile_id
      JOIN cdp.identifiers n ON n.node_id = c.node_id
      JOIN cdp.identifier_types t ON t.type_id = n.type_id
     GROUP BY c.profile_id, i.value
    HAVING count(*) > 100
    UNION ALL
    SELECT 'backdated', a.weak_node, a.overtaken, NULL,
           format('what came later, and says that it is older, took it from %s who had it before', a.overtaken),
           coalesce((SELECT string_agg(format('If the time is wrong, bound it: SELECT cdp.alter_source(%L, max_backdate => ''7 days'').',
                                              s.name), ' ' ORDER BY s.name)
              FROM cdp.sources s
             WHERE s.max_backdate IS NULL AND s.kind = 'stream'
               AND EXISTS (SELECT 1 FROM cdp.set_links l JOIN cdp.set_evidence e ON e.set_id = l.set_id
                            WHERE l.low = a.low AND l.high = a.high AND e.source_id = s.source_id)),
             'Nothing to set: the source is bounded, or states records.')
      FROM arrived a
    UNION ALL
    SELECT 'backdate_bounded', l.weak_node, count(DISTINCT l.set_id), min(l.first_seen),
           format('messages of source %s date its links further back than max_backdate allows: they count from %s on',
                  l.source, min(l.linked_at)),
           'Nothing to set. If these are old data that should count: load them through a source without max_backdate.'
      FROM (SELECT d.weak_node, s.set_id, e.first_seen, e.linked_at, o.name AS source
              FROM cdp.set_evidence e
              JOIN cdp.sources o ON o.source_id = e.source_id AND o.max_backdate IS NOT NULL
              JOIN cdp.set_links s ON s.set_id = e.set_id
              JOIN cdp.link_ends d ON d.low = s.low AND d.high = s.high
             WHERE e.linked_at > e.first_seen) l
     GROUP BY l.weak_node, l.source
    UNION ALL
    SELECT 'changed_hands', h.strong_node, h.former, h.began,
           format('since %s it is seen with none of its former values of %s', h.began, h.types),
           'If the source gave it to somebody else: send the new person under an identifier that is never given out again, '
           'or add it to blocked_values.'
      FROM handed_over h
)
SELECT x.kind, t.name AS identifier_type, i.value, x.degree::bigint, x.since, x.what_happened, x.advice
  FROM issue x
  JOIN cdp.identifiers i ON i.node_id = x.node_id
  JOIN cdp.identifier_types t ON t.type_id = i.type_id
UNION ALL
SELECT 'invalid', v.name, NULL, v.count, v.first_seen,
       format('source %s sent %s values that are none of this type (%s): they were not used', s.name, v.count, v.reason),
       'See cdp.value_issues for one of them. Mend the source, or change the normaliser or the pattern of the type.'
  FROM cdp.value_issues v JOIN cdp.sources s ON s.source_id = v.source_id
 WHERE v.kind = 'identifier';
COMMENT ON VIEW cdp.identity_issues IS 'identifiers that were held back or are in doubt: what happened, and what to set';
