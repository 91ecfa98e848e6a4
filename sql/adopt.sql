-- Statements that give what stands in schemas cdp and cdp_segment, is no member of the extension and belongs to
-- another role (after a restore without owners) to $1.
SELECT pg_catalog.format(
           CASE c.relkind WHEN 'v' THEN 'ALTER VIEW %s OWNER TO %I'
                          WHEN 'S' THEN 'ALTER SEQUENCE %s OWNER TO %I'
                          ELSE 'ALTER TABLE %s OWNER TO %I' END,
           c.oid::regclass, $1)
  FROM pg_catalog.pg_class c
 WHERE c.relnamespace IN ('cdp'::regnamespace, 'cdp_segment'::regnamespace)
   AND c.relkind IN ('r', 'p', 'v', 'S')
   AND c.relowner <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1)
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype IN ('e', 'a', 'i')
                      AND (c.relkind = 'S' OR d.deptype = 'e'))
UNION ALL
SELECT pg_catalog.format('ALTER FUNCTION %s OWNER TO %I', p.oid::regprocedure, $1)
  FROM pg_catalog.pg_proc p
 WHERE p.pronamespace IN ('cdp'::regnamespace, 'cdp_segment'::regnamespace)
   AND p.proowner <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1)
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid
                      AND d.deptype = 'e')
