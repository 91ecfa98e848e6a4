-- What showed each pair: the sets whose star has that link.
SELECT p.low, p.high, array_agg(DISTINCT s.name ORDER BY s.name), sum(e.count)::bigint,
       min(e.first_seen), max(e.last_seen)
  FROM unnest($1::bigint[], $2::bigint[]) p (low, high)
  JOIN cdp.set_links l ON l.low = p.low AND l.high = p.high
  JOIN cdp.set_evidence e ON e.set_id = l.set_id
  JOIN cdp.sources s ON s.source_id = e.source_id
 GROUP BY p.low, p.high
