-- The first object of schemas cdp and cdp_segment that belongs to neither $1 (the owner role), nor the extension's
-- installer, nor the caller. Columns: what it is, its owner.
WITH trusted AS (
    SELECT extowner AS role FROM pg_catalog.pg_extension WHERE extname = 'pg_cdp'
    UNION SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1
    UNION SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user
    UNION SELECT 10::oid
), ours AS (
    SELECT oid, nspname, nspowner FROM pg_catalog.pg_namespace WHERE nspname IN ('cdp', 'cdp_segment')
), objects AS (
    SELECT 1 AS rank, 'schema ' || nspname AS what, nspowner AS owner FROM ours
    UNION ALL
    SELECT 2, 'relation ' || c.oid::regclass::text, c.relowner
      FROM pg_catalog.pg_class c WHERE c.relnamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 3, 'function ' || p.oid::regprocedure::text, p.proowner
      FROM pg_catalog.pg_proc p WHERE p.pronamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 4, 'type ' || t.oid::regtype::text, t.typowner
      FROM pg_catalog.pg_type t WHERE t.typnamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 5, 'operator ' || o.oid::regoperator::text, o.oprowner
      FROM pg_catalog.pg_operator o WHERE o.oprnamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 6, 'collation ' || c.collname, c.collowner
      FROM pg_catalog.pg_collation c WHERE c.collnamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 7, 'conversion ' || c.conname, c.conowner
      FROM pg_catalog.pg_conversion c WHERE c.connamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 8, 'text search configuration ' || c.cfgname, c.cfgowner
      FROM pg_catalog.pg_ts_config c WHERE c.cfgnamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 9, 'text search dictionary ' || d.dictname, d.dictowner
      FROM pg_catalog.pg_ts_dict d WHERE d.dictnamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 10, 'statistics ' || s.stxname, s.stxowner
      FROM pg_catalog.pg_statistic_ext s WHERE s.stxnamespace IN (SELECT oid FROM ours)
)
SELECT o.what, pg_catalog.pg_get_userbyid(o.owner)::text
  FROM objects o
 WHERE NOT EXISTS (SELECT 1 FROM trusted t WHERE t.role = o.owner)
 ORDER BY o.rank, o.what
 LIMIT 1
