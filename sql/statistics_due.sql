-- ANALYZE of each table that is more than four times as large as when it was last looked at. Not of
-- jsonb columns, which no plan depends on and which cost the most; nor of the inbox, which empties.
SELECT format('ANALYZE (SKIP_LOCKED) %s (%s)', c.oid::regclass, string_agg(quote_ident(a.attname), ', '))
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'cdp'::regnamespace AND c.relkind = 'r' AND c.relname !~ '^inbox_'
   AND a.atttypid <> 'jsonb'::regtype
   AND pg_relation_size(c.oid) > (16 + 4 * c.relpages::bigint) * current_setting('block_size')::integer
 GROUP BY c.oid
