-- When node $2 used the time-sliced identifier $1, in words.
SELECT string_agg(words, ', ' ORDER BY n) FILTER (WHERE n <= 5)
       || CASE WHEN count(*) > 5 THEN format(', and %s times more', count(*) - 5) ELSE '' END
  FROM (SELECT row_number() OVER (ORDER BY p.switched_at) AS n,
               CASE WHEN p.former IS NULL AND p.next IS NULL THEN 'at all times'
                    WHEN p.former IS NULL THEN 'until ' || p.until
                    WHEN p.next IS NULL THEN 'from ' || p.since || ' on'
                    ELSE format('from %s until %s', p.since, p.until) END AS words
          FROM (SELECT w.person_id, w.switched_at, lag(w.switched_at) OVER turn AS former,
                       lead(w.switched_at) OVER turn AS next,
                       to_char(w.switched_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since,
                       to_char(lead(w.switched_at) OVER turn AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS until
                  FROM cdp.switch_points w WHERE w.node_id = $1
                WINDOW turn AS (ORDER BY w.switched_at)) p
         WHERE p.person_id = $2) t
