-- Statements that give again the rights on view $2, and its comment, after it is made anew.
-- $1: the columns that it then has.
SELECT pg_catalog.format('GRANT %s ON %s TO %s%s', a.privilege_type, $2::text,
           CASE a.grantee WHEN 0 THEN 'PUBLIC'
                          ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
           CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END)
  FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
 WHERE c.oid = $2::text::regclass AND a.grantee <> c.relowner
UNION ALL
SELECT pg_catalog.format('GRANT %s (%I) ON %s TO %s%s', a.privilege_type, t.attname, $2::text,
           CASE a.grantee WHEN 0 THEN 'PUBLIC'
                          ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
           CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_attribute t ON t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped,
       pg_catalog.aclexplode(t.attacl) a
 WHERE c.oid = $2::text::regclass AND a.grantee <> c.relowner AND t.attname::text = ANY ($1)
UNION ALL
SELECT pg_catalog.format('COMMENT ON VIEW %s IS %L', $2::text,
                         pg_catalog.obj_description($2::text::regclass, 'pg_class'))
