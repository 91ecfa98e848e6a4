-- Puts dead letters back into the inbox, as they came: $1 reason, $2 since, $3 source; NULL is any.
-- A row that was captured keeps its place among the versions of its row, which is its inbox id.
WITH retried AS (
    UPDATE cdp.dead_letter
       SET retried_at = clock_timestamp()
     WHERE retried_at IS NULL AND message IS NOT NULL
       AND ($1::text IS NULL OR reason = $1)
       AND ($2::timestamptz IS NULL OR recorded_at >= $2)
       AND ($3::text IS NULL OR source = $3)
    RETURNING dead_letter_id, inbox_id, received_at, kind, source, message
)
INSERT INTO cdp.inbox (id, received_at, kind, source, message)
SELECT coalesce(inbox_id, nextval('cdp.inbox_id_seq')), coalesce(received_at, now()), kind, source, message
  FROM retried ORDER BY dead_letter_id
