-- What people get wrong, and what they are told.
\set VERBOSITY default
SET client_min_messages = warning;

-- ingest
SELECT cdp.ingest(NULL);
SELECT cdp.ingest('"text"');
SELECT cdp.ingest('[]');

-- declarations
SELECT cdp.create_trait('country', 'strng');
SELECT cdp.create_trait('extra', 'text');
SELECT cdp.create_trait('country', 'text');
SELECT cdp.create_trait('country', 'text');
SELECT cdp.create_trait('tags', 'text', survivorship => 'union');
SELECT cdp.create_identifier_type('card', priority => 15, normaliser => 'mail');
SELECT cdp.create_identifier_type('card', priority => 15, pattern => '[0-9');
SELECT cdp.create_source('default');

-- rules of segments
SELECT cdp.create_segment('s', $$ contry = 'PT' $$);
SELECT cdp.create_segment('s', $$ country > 5 $$);
SELECT cdp.create_segment('s', $$ country = 'PT' and ( $$);
SELECT cdp.create_segment('s', $$ did at least 2 times $$);
SELECT cdp.create_segment('s', $$ in segment 'nobody' $$);
SELECT cdp.create_segment('s', $$ country matches '(' $$);

-- one document
SELECT * FROM cdp.apply('{"traits": [{"name": "age", "type": "bigint"}, {"name": "plan", "type": "txt"}]}');
SELECT * FROM cdp.apply('{"trait": []}');

-- mapped tables
CREATE TABLE contacts (id int PRIMARY KEY, email_address text);
SELECT cdp.map_table('crm', 'contacts', '{"email": "email_adress"}');
SELECT cdp.map_table('crm', 'contacts', '{"e-mail": "email_address"}');

-- jobs
SELECT cdp.schedule('nightly', '61 * * * *', 'SELECT 1');
SELECT cdp.schedule('nightly', 'every now and then', 'SELECT 1');
SELECT cdp.run_job('nightly');

-- answers
SELECT cdp.resolve('mail', 'a@x');
SELECT cdp.resolve('email', 'never@seen.org');
SELECT * FROM cdp.explain_identity('email', 'never@seen.org', 'user_id', 'u1');
SELECT * FROM cdp.refresh_segment('nobody');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT cdp.process();
ROLLBACK;
