-- Every mapping, with its relation as it is called now.
SELECT s.name, coalesce(format('%I.%I', n.nspname, c.relname), m.relation::text), m.mapping,
       m.capture, m.watermark, m.poll_every, m.compare_every, m.overlap
  FROM cdp.mappings m
  JOIN cdp.sources s USING (source_id)
  LEFT JOIN pg_catalog.pg_class c ON c.oid = m.relation
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY s.name COLLATE "C"
