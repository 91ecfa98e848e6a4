-- The demonstration: six tables of a company become profiles and segments, and stay so with every change.
-- Run by scripts/demo, in this folder, in an empty database. The data are described in data/README.md.

\set QUIET on
\pset footer off
\pset null '-'
SET client_min_messages = warning;

\echo
\echo '1. A company has six tables, from systems that do not know each other'
\echo

\ir tables.sql

SELECT 'shop.orders' AS table, count(*) AS rows, 'customer number' AS "known by" FROM shop.orders
UNION ALL SELECT 'office.social_security', count(*), 'social security number (SSN)' FROM office.social_security
UNION ALL SELECT 'office.tax_returns', count(*), 'SSN, with errors' FROM office.tax_returns
UNION ALL SELECT 'office.wage_reports', count(*), 'SSN, with errors' FROM office.wage_reports
UNION ALL SELECT 'office.census_2020', count(*), 'name and date of birth only' FROM office.census_2020
UNION ALL SELECT 'office.census_2030', count(*), 'name and date of birth only' FROM office.census_2030;

\echo '2. pg_cdp is told what identifies people, and what each column means'
\echo

CREATE EXTENSION pg_cdp;
SELECT cdp.init() \g /dev/null

-- What people are known by. Of an SSN only the digits count, and there must be nine of them; 078-05-1120 was printed
-- on sample cards for wallets, and thousands have given it for theirs. Placeholders such as all zeros are blocked anyway.
SELECT cdp.create_identifier_type('customer_id', priority => 1, max_per_profile => 1) \g /dev/null
SELECT cdp.create_identifier_type('ssn', priority => 2, max_per_profile => 1, normaliser => 'digits',
    pattern => '^[0-9]{9}$', blocked_values => '{078051120,123456789}') \g /dev/null


-- Records: what a system holds of a person now.
SELECT cdp.map_table('social_security', 'office.social_security', '{"ssn": "ssn",
    "traits": {"first_name": "first_name", "middle_name": "middle_name", "last_name": "last_name",
               "born": "date_of_birth", "sex": "sex"}}') AS social_security,
  cdp.map_table('tax', 'office.tax_returns', '{"ssn": "ssn",
    "traits": {"first_name": "first_name", "last_name": "last_name", "street_number": "street_number",
               "street": "street_name", "city": "city", "state": "state", "zip": "zipcode"}}') AS tax,
  cdp.map_table('wages', 'office.wage_reports', '{"ssn": "ssn",
    "traits": {"first_name": "first_name", "last_name": "last_name", "employer": "employer_name",
               "wages": "wages", "street_number": "street_number",
               "street": "street_name", "city": "city", "state": "state", "zip": "zipcode"}}') AS wages,
  cdp.map_table('census_2020', 'office.census_2020', '{
    "traits": {"first_name": "first_name", "last_name": "last_name", "born": "date_of_birth", "sex": "sex",
               "street_number": "street_number", "street": "street_name", "city": "city"}}') AS census_2020,
  cdp.map_table('census_2030', 'office.census_2030', '{
    "traits": {"first_name": "first_name", "last_name": "last_name", "born": "date_of_birth", "sex": "sex",
               "street_number": "street_number", "street": "street_name", "city": "city"}}') AS census_2030,
-- Events: what a person did.
  cdp.map_table('orders', 'shop.orders', '{"customer_id": "customer_id",
    "event": "Order Completed", "time": "ordered_on",
    "properties": {"order_id": "order_no", "quantity": "quantity", "total": "amount"}}') AS orders;

-- Which of several values wins: of names and sex what social security says, of wages the highest; else the newest.
SELECT cdp.create_trait('first_name', 'text', 'source_priority', '{social_security,tax,wages}'),
       cdp.create_trait('last_name', 'text', 'source_priority', '{social_security,tax,wages}'),
       cdp.create_trait('born', 'text'), cdp.create_trait('sex', 'text', 'source_priority', '{social_security}'),
       cdp.create_trait('wages', 'numeric', 'max'), cdp.create_trait('city', 'text') \g /dev/null

-- The background worker is at it already; this waits until all is done.
CALL cdp.process_all();

\echo '3. The rows become profiles: one a person, as far as numbers tell'
\echo

SELECT (SELECT sum(accepted) FROM cdp.batches) AS "rows taken over", count(*) AS profiles,
       (SELECT round(sum(milliseconds) / 1000.0, 1) FROM cdp.batches) AS "in seconds"
  FROM cdp.profiles;

-- Somebody whom all three offices with numbers know, and whose first name is not always written alike.
SELECT profile_id AS person FROM cdp.profile_records
 GROUP BY profile_id
 ORDER BY count(DISTINCT source) DESC, count(DISTINCT left(row ->> 'first_name', 1)),
          count(DISTINCT row ->> 'last_name'), count(DISTINCT row ->> 'first_name') DESC, count(*) DESC, profile_id
 LIMIT 1 \gset

\echo '4. One person: what the systems hold'
\echo

SELECT source, key, row ->> 'first_name' AS first_name, row ->> 'last_name' AS last_name, row ->> 'ssn' AS ssn,
       row ->> 'wages' AS wages, row ->> 'employer_name' AS employer
  FROM cdp.profile_records WHERE profile_id = :person ORDER BY source, key::int;

\echo '   … and what pg_cdp makes of it: each value with the source that won'
\echo

\pset format unaligned
\pset tuples_only on
SELECT jsonb_pretty(jsonb_build_object(
         'profile_id', p.profile -> 'profile_id',
         'identifiers', (SELECT jsonb_agg((i ->> 'type') || ' ' || (i ->> 'value'))
                           FROM jsonb_array_elements(p.profile -> 'identifiers') i),
         'traits', (SELECT jsonb_object_agg(key, (value ->> 'value') || '  (' || (value ->> 'source') || ')')
                      FROM jsonb_each(p.profile -> 'traits') WHERE value ? 'value')))
  FROM (SELECT cdp.profile(:person) AS profile) p;
\pset tuples_only off
\pset format aligned

\echo
\echo '5. Why two of these records are one person: the chain of evidence'
\echo

SELECT a.key AS record_a, b.key AS record_b
  FROM cdp.profile_records a JOIN cdp.profile_records b USING (profile_id)
 WHERE profile_id = :person AND a.source = 'social_security' AND b.source = 'wages'
 ORDER BY a.row ->> 'first_name' = b.row ->> 'first_name', b.key LIMIT 1 \gset
SELECT step, from_type || ' ' || from_value AS this, to_type || ' ' || to_value AS "belongs with",
       array_to_string(sources, ', ') AS "said by"
  FROM cdp.explain_identity('record:social_security', :'record_a', 'record:wages', :'record_b');

\echo '6. Segments: rules over traits and events, kept exact'
\echo

SELECT cdp.create_segment('loyal', $$ did 'Order Completed' at least 10 times $$),
       cdp.create_segment('high_earners', $$ wages >= 100000 and city is set $$),
       cdp.create_segment('came_back', $$ did 'Order Completed' before '1999-01-01'
           and did 'Order Completed' in last 30 days $$) \g /dev/null

SELECT s.name AS segment, count(m.profile_id) AS members, regexp_replace(trim(s.rule), '\s+', ' ', 'g') AS rule
  FROM cdp.segments s LEFT JOIN cdp.segment_members m ON m.segment = s.name
 GROUP BY s.segment_id ORDER BY s.segment_id;

\echo '7. A customer with nine purchases, the last of them in 1998, buys again now'
\echo

SELECT customer_id AS customer, cdp.resolve('customer_id', customer_id::text) AS buyer
  FROM shop.orders GROUP BY customer_id HAVING count(*) = 9 AND max(ordered_on) >= '1998-01-01'
 ORDER BY customer_id LIMIT 1 \gset

CREATE TEMP VIEW buyer AS
SELECT p.profile_id, (SELECT count(*) FROM cdp.profile_events e WHERE e.profile_id = p.profile_id) AS orders,
       p.last_seen::date AS last_seen,
       coalesce((SELECT string_agg(m.segment, ', ' ORDER BY m.segment) FROM cdp.segment_members m
                  WHERE m.profile_id = p.profile_id), 'none') AS segments
  FROM cdp.profiles p WHERE p.profile_id = :buyer;

SELECT 'before' AS "when", * FROM buyer;

INSERT INTO shop.orders
SELECT max(order_no) + 1, :customer, current_date, 2, 29.96 FROM shop.orders;

-- The INSERT has committed. From here on only the background worker is at work.
SELECT set_config('demo.committed', clock_timestamp()::text, false),
       set_config('demo.buyer', :'buyer', false) \g /dev/null
DO $$
BEGIN
    WHILE NOT EXISTS (SELECT 1 FROM cdp.segment_members
                       WHERE segment = 'came_back' AND profile_id = current_setting('demo.buyer')::bigint) LOOP
        IF clock_timestamp() > current_setting('demo.committed')::timestamptz + interval '30 seconds' THEN
            RAISE 'the worker did not process the purchase within 30 seconds'
                USING HINT = 'See SELECT * FROM cdp.status();';
        END IF;
        PERFORM pg_sleep(0.001);
    END LOOP;
    PERFORM set_config('demo.milliseconds', round(extract(epoch FROM clock_timestamp()
        - current_setting('demo.committed')::timestamptz) * 1000)::text, false);
END $$;

SELECT 'after' AS "when", *, current_setting('demo.milliseconds') AS "ms after commit" FROM buyer;

\echo '8. What is left: records that no shared number joins to anybody'
\echo

SELECT s.name AS source, (SELECT count(*) FROM cdp.records r WHERE r.source_id = s.source_id) AS records,
       count(u.key) AS "await matching"
  FROM cdp.sources s LEFT JOIN cdp.unmatched_records u ON u.source = s.name
 WHERE s.kind = 'records' GROUP BY s.source_id ORDER BY s.source_id;

\echo '   Numbers and values that could not be used were counted, not dropped:'
\echo

SELECT s.name AS source, v.name, v.reason, v.count, v.sample
  FROM cdp.value_issues v JOIN cdp.sources s USING (source_id) ORDER BY s.source_id, v.kind, v.name;

\echo '9. They are matched by name, date of birth and address, without any example'
\echo

-- The columns say by their names what they mean.
SELECT cdp.create_matcher('people', '{social_security,tax,wages,census_2020,census_2030}') \g /dev/null
SELECT kind, pairs FROM cdp.run_matcher('people');

\echo '   How well? Who is who of the five was held back until now (data/README.md):'
\echo

CREATE TABLE office.who_is_who (source text, record_no bigint, person integer, PRIMARY KEY (source, record_no));
\copy office.who_is_who FROM PROGRAM 'gzip -dc data/who_is_who.csv.gz' (FORMAT csv, HEADER)

WITH who AS (
    SELECT w.person, c.profile_id
      FROM office.who_is_who w
      JOIN cdp.sources s ON s.name = w.source
      JOIN cdp.identifier_types t ON t.record_source_id = s.source_id
      JOIN cdp.identifiers i ON i.type_id = t.type_id AND i.value = w.record_no::text
      JOIN cdp.clusters c USING (node_id)),
counted AS (
    SELECT (SELECT sum(n * (n - 1) / 2) FROM (SELECT count(*) AS n FROM who GROUP BY profile_id) g) AS found,
           (SELECT sum(n * (n - 1) / 2) FROM (SELECT count(*) AS n FROM who GROUP BY profile_id, person) g) AS agreed,
           (SELECT sum(n * (n - 1) / 2) FROM (SELECT count(*) AS n FROM who GROUP BY person) g) AS there)
SELECT found AS "pairs in profiles", agreed AS "of one person", there AS "pairs there are",
       round(agreed / found, 3) AS precision, round(agreed / there, 3) AS recall
  FROM counted;

\echo '   Why two of them are one person (a picture in demo/match.svg; what was learned and found: demo/report.html):'
\echo

SELECT key_a, key_b FROM cdp.match_pairs
 WHERE kind = 'link' AND source_a = 'census_2020' AND source_b = 'census_2030' AND probability BETWEEN 0.99 AND 0.999
 ORDER BY weight, key_a, key_b LIMIT 1 \gset

SELECT comparison, level, value_a, value_b, weight
  FROM cdp.explain_match('people', :'key_a', :'key_b', 'census_2020', 'census_2030');

\pset format unaligned
\pset tuples_only on
SELECT cdp.explain_match_svg('people', :'key_a', :'key_b', 'census_2020', 'census_2030') \g match.svg
SELECT cdp.matcher_report('people') \g report.html
\pset format aligned
\pset tuples_only off
