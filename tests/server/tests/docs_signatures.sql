-- The functions of schema cdp, as docs/reference.md writes them: name and signature.
SELECT f.name,
       format('cdp.%s(%s)%s', f.name,
              replace(replace(regexp_replace(f.arguments, '::[a-z ]+(\[\])?', '', 'g'),
                              'timestamp with time zone', 'timestamptz'), '"', ''),
              ' → ' || replace(replace(f.result, 'timestamp with time zone', 'timestamptz'), '"', ''))
  FROM (SELECT proname::text AS name, regexp_replace(pg_get_function_arguments(oid), '\mIN ', '', 'g') AS arguments,
               pg_get_function_result(oid) AS result
          FROM pg_proc WHERE pronamespace = 'cdp'::regnamespace) f
 ORDER BY 1, 2
