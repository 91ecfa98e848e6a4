-- Who is who: what joins, what is refused by which rule, and what comes back when evidence goes.
CREATE VIEW people AS
SELECT string_agg(type || ':' || value, ' ' ORDER BY type COLLATE "C", value COLLATE "C") AS who
  FROM cdp.profile_identifiers GROUP BY profile_id;
CREATE VIEW refused AS
SELECT a.value AS one, b.value AS other, t.name AS rule_of
  FROM cdp.links l JOIN cdp.identifiers a ON a.node_id = l.low JOIN cdp.identifiers b ON b.node_id = l.high
  LEFT JOIN cdp.identifier_types t ON t.type_id = l.rule_type
 WHERE l.decision <> 0;

-- user_id is unique: a second one with the same e-mail address is a person of its own.
SELECT cdp.identify('abc123', '{"email": "jane@example.com"}', "timestamp" => '2024-01-01Z');
SELECT cdp.track('Login', 'abc456', context => '{"traits": {"email": "Jane@Example.com"}}', "timestamp" => '2024-01-02Z');
CALL cdp.process_all();
SELECT * FROM people ORDER BY 1;
SELECT * FROM refused ORDER BY 1, 2;

-- A device attaches to a person, and does not fuse two.
SELECT cdp.track('Visit', anonymous_id => 'kiosk', "timestamp" => '2024-01-03Z');
SELECT cdp.track('Visit', 'abc123', anonymous_id => 'kiosk', "timestamp" => '2024-01-04Z');
SELECT cdp.track('Visit', 'abc456', anonymous_id => 'kiosk', "timestamp" => '2024-01-05Z');
CALL cdp.process_all();
SELECT * FROM people ORDER BY 1;
SELECT * FROM refused ORDER BY 1, 2;

-- The earlier link wins, whichever came in first: now abc456 was seen with it before.
SELECT cdp.track('Visit', 'abc456', anonymous_id => 'kiosk', "timestamp" => '2023-12-31Z');
CALL cdp.process_all();
SELECT * FROM people ORDER BY 1;

-- What stands for nobody joins nobody, and is counted.
SELECT cdp.identify('null', '{"email": "null@example.com"}', "timestamp" => '2024-01-01Z');
SELECT cdp.track('Visit', 'null', anonymous_id => '00000000-0000-0000-0000-000000000000', "timestamp" => '2024-01-01Z');
CALL cdp.process_all();
SELECT * FROM people ORDER BY 1;
SELECT count(*) AS unattributed FROM cdp.events e WHERE NOT EXISTS (SELECT 1 FROM cdp.set_nodes s WHERE s.set_id = e.set_id);

-- Records: an update replaces what a row said, a deletion withdraws it, and what was before comes back.
CREATE TABLE contacts (id integer PRIMARY KEY, login text, email text, created timestamptz);
INSERT INTO contacts VALUES (1, 'm1', 'one@example.com', '2024-01-01Z'), (2, 'm2', 'two@example.com', '2024-01-01Z');
SELECT cdp.map_table('crm', 'contacts', '{"user_id": "login", "email": "email", "created_at": "created"}') AS rows;
CALL cdp.process_all();
CREATE TABLE first AS SELECT type, value, profile_id FROM cdp.profile_identifiers;
UPDATE contacts SET login = 'm1' WHERE id = 2;
CALL cdp.process_all();
SELECT * FROM people WHERE who ~ 'record' ORDER BY 1;
UPDATE contacts SET login = 'm2' WHERE id = 2;
CALL cdp.process_all();
SELECT * FROM people WHERE who ~ 'record' ORDER BY 1;
SELECT count(*) AS others FROM (TABLE first EXCEPT SELECT type, value, profile_id FROM cdp.profile_identifiers) d;
DELETE FROM contacts;
CALL cdp.process_all();
SELECT * FROM people WHERE who ~ 'record|m1|m2' ORDER BY 1;

-- Why, step by step.
SELECT step, from_type, from_value, to_type, to_value, sources, confirmed
  FROM cdp.explain_identity('email', 'jane@example.com', 'user_id', 'abc123');
SELECT step, from_value, to_value, kind, decision, rule
  FROM cdp.explain_identity('user_id', 'abc123', 'user_id', 'abc456');

-- A rebuild finds nothing else.
CREATE TABLE before AS TABLE people;
SELECT cdp.rebuild() > 0 AS people_left;
SELECT count(*) AS differences FROM ((TABLE before EXCEPT TABLE people) UNION ALL (TABLE people EXCEPT TABLE before)) d;
