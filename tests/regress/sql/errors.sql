-- What is said of input that cannot be taken: message, detail, hint.
\set SHOW_CONTEXT never

-- Functions refuse at once what can never be a message, a source, an identifier.
SELECT cdp.ingest(NULL);
SELECT cdp.ingest('"track"');
SELECT cdp.ingest('not json');
SELECT cdp.resolve('shoe_size', '44');
SELECT cdp.resolve('email', 'no address') IS NULL AS nobody;
SELECT * FROM cdp.explain_identity('user_id', 'nobody', 'user_id', 'u1');
SELECT * FROM cdp.refresh_segment('nothing');
SELECT * FROM cdp.preview_segment('contry = ''PT''');
SELECT cdp.process(0);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT cdp.process();
ROLLBACK;
SELECT cdp.pause('maintenance') IS NOT NULL AS paused;
SELECT cdp.process();
SELECT cdp.resume() IS NOT NULL AS resumed;

-- A message is judged by the pipeline. What is not accepted is a dead letter with its reason.
SELECT cdp.create_trait('age', 'bigint');
INSERT INTO cdp.inbox (source, message) VALUES
    (NULL, NULL),
    (NULL, ''),
    (NULL, '{"type":'),
    (NULL, '[]'),
    (NULL, '{}'),
    (NULL, '{"type":"Track","event":"e","userId":"u1"}'),
    (NULL, '{"type":"track","userId":"u1"}'),
    (NULL, '{"type":"track","event":7,"userId":"u1"}'),
    (NULL, '{"type":"track","event":"e"}'),
    (NULL, '{"type":"track","event":"e","userId":{"id":1}}'),
    (NULL, '{"type":"track","event":"e","identifiers":{"email":"no address"}}'),
    (NULL, '{"type":"track","event":"e","userId":"' || repeat('x', 1025) || '"}'),
    (NULL, '{"type":"track","event":"e","userId":"u1","messageId":"' || repeat('x', 1025) || '"}'),
    (NULL, '{"type":"track","event":"e","userId":"u1","properties":"p"}'),
    (NULL, '{"type":"track","event":"e","userId":"u1","properties":{"a":"\u0000"}}'),
    (NULL, '{"type":"track","event":"e","userId":"u1","properties":{"a":"\ud800"}}'),
    (NULL, '{"type":"track","event":"e","userId":"u1","properties":{"a":1e200000}}'),
    (NULL, '{"type":"track","event":"e","userId":"u1","properties":{"a":' || repeat('[', 5000) || repeat(']', 5000) || '}}'),
    (NULL, '{"type":"track","event":"e","userId":"u1","timestamp":"10000-01-01"}'),
    (NULL, '{"type":"track","event":"e","userId":"u1","timestamp":"soon"}'),
    (NULL, '{"type":"group","userId":"u1"}'),
    (NULL, '{"type":"alias","userId":"u1"}'),
    ('nowhere', '{"type":"track","event":"e","userId":"u1"}'),
    (NULL, '{"type":"track","event":"e","userId":"u1","messageId":"m1"}'),
    (NULL, '{"type":"track","event":"f","userId":"u1","messageId":"m1"}'),
    (NULL, '{"type":"identify","userId":"u1","traits":{"email":"no address","age":"old"}}');
CALL cdp.process_all();
SELECT reason, detail, left(message, 60) AS message FROM cdp.dead_letter ORDER BY inbox_id;

-- What was accepted beside it, and what in it could not be used.
SELECT type, name, message_id FROM cdp.events ORDER BY event_id;
SELECT kind, name, reason, count, sample FROM cdp.value_issues ORDER BY kind, name;
SELECT age, extra FROM cdp.profiles;
