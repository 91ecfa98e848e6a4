-- Settings of role $1 in this database, those of the database last; of the others only search_path.
SELECT s.name, s.value
  FROM (SELECT split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value,
               r.setrole <> 0 AS of_role, r.setdatabase <> 0 AS of_database
          FROM pg_catalog.pg_db_role_setting r, unnest(r.setconfig) c
         WHERE r.setrole IN (0, $1)
           AND r.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database
                                      WHERE datname = current_database()))) s
  JOIN pg_catalog.pg_settings p ON p.name = s.name AND p.context = 'user'
 WHERE (s.of_role OR s.name = 'search_path') AND s.name NOT IN ('role', 'session_authorization')
 ORDER BY s.of_role, s.of_database
