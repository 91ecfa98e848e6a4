-- The relation of name $1, and the columns of its primary key.
SELECT c.oid,
       coalesce((SELECT array_agg(a.attname::text ORDER BY k.ordinality)
                   FROM pg_catalog.pg_index i,
                        unnest(i.indkey::smallint[]) WITH ORDINALITY k (attnum, ordinality)
                   JOIN pg_catalog.pg_attribute a ON a.attnum = k.attnum
                  WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid), '{}')
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE format('%I.%I', n.nspname, c.relname) = $1
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
