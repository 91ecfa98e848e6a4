-- Whether anything depends on view $1 or its row type: views, functions, columns, triggers, rules.
WITH self AS (
    SELECT c.oid, c.reltype, t.typarray
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_type t ON t.oid = c.reltype
     WHERE c.oid = $1::text::regclass
)
SELECT EXISTS (
    SELECT 1
      FROM self, pg_catalog.pg_depend d
     WHERE ((d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = self.oid)
            OR (d.refclassid = 'pg_catalog.pg_type'::regclass
                AND d.refobjid IN (self.reltype, self.typarray)))
       AND NOT (d.classid = 'pg_catalog.pg_type'::regclass AND d.objid IN (self.reltype, self.typarray))
       AND NOT (d.classid = 'pg_catalog.pg_rewrite'::regclass
                AND d.objid = (SELECT r.oid FROM pg_catalog.pg_rewrite r
                                WHERE r.ev_class = self.oid AND r.rulename = '_RETURN')))
