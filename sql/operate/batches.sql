-- The last batch that read something, and all of them.
SELECT (SELECT format('%s: %s messages in %s ms (%s a second)%s',
                      date_trunc('second', finished_at), read, milliseconds,
                      CASE WHEN milliseconds > 0 THEN round(read * 1000.0 / milliseconds)::text ELSE '-' END,
                      CASE WHEN lag IS NOT NULL
                           THEN format(', the oldest %s old', date_trunc('milliseconds', lag)) END)
          FROM cdp.batches WHERE read > 0 ORDER BY batch_id DESC LIMIT 1),
       format('%s read, %s accepted, %s duplicates, %s rejected', coalesce(sum(read), 0),
              coalesce(sum(accepted), 0), coalesce(sum(duplicates), 0), coalesce(sum(rejected), 0))
  FROM cdp.batches
