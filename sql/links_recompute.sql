-- Recomputes links ($1 low, $2 high) from all the sets that show each: a link dates from the
-- earliest, and is confirmed by two UTC days, two sources, or a record.
WITH pairs AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[]) p (low, high)
), fresh AS (
    SELECT p.low, p.high, min(e.linked_at) AS first_seen,
           (min(e.first_seen) AT TIME ZONE 'UTC')::date <> (max(e.last_seen) AT TIME ZONE 'UTC')::date
           OR min(e.source_id) <> max(e.source_id)
           OR bool_or(s.kind = 'records') AS confirmed
      FROM pairs p
      JOIN cdp.set_links l ON l.low = p.low AND l.high = p.high
      JOIN cdp.set_evidence e ON e.set_id = l.set_id
      JOIN cdp.sources s ON s.source_id = e.source_id
     GROUP BY p.low, p.high
), gone AS (
    DELETE FROM cdp.links d USING pairs p
     WHERE d.low = p.low AND d.high = p.high
       AND NOT EXISTS (SELECT 1 FROM fresh f WHERE f.low = p.low AND f.high = p.high)
)
INSERT INTO cdp.links AS l (low, high, confirmed, first_seen)
SELECT low, high, confirmed, first_seen FROM fresh
ON CONFLICT (low, high) DO UPDATE
   SET confirmed = EXCLUDED.confirmed, first_seen = EXCLUDED.first_seen
 WHERE (l.confirmed, l.first_seen) IS DISTINCT FROM (EXCLUDED.confirmed, EXCLUDED.first_seen)
