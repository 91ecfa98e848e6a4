-- After a restore, a clone or a move: everything in the inbox counts as just arrived, nothing in the
-- ledger of another server counts as consumed, and no sequence is behind what the tables hold.
UPDATE cdp.batches SET consumed = '1:1:', window_end = NULL, position_xact = NULL, position_id = NULL;

UPDATE cdp.inbox SET xact = pg_catalog.pg_current_xact_id();

SELECT pg_catalog.setval('cdp.inbox_id_seq', greatest(
           (SELECT last_value FROM cdp.inbox_id_seq),
           (SELECT coalesce(max(id), 0) FROM cdp.inbox),
           (SELECT coalesce(max(version), 0) FROM cdp.records), 1));
SELECT pg_catalog.setval('cdp.node_id_seq', greatest(
           (SELECT last_value FROM cdp.node_id_seq),
           (SELECT coalesce(max(node_id), 0) FROM cdp.identifiers), 1));
SELECT pg_catalog.setval('cdp.set_id_seq', greatest(
           (SELECT last_value FROM cdp.set_id_seq),
           (SELECT coalesce(max(set_id), 0) FROM cdp.identifier_sets), 1));
SELECT pg_catalog.setval('cdp.event_id_seq', greatest(
           (SELECT last_value FROM cdp.event_id_seq),
           (SELECT coalesce(max(event_id), 0) FROM cdp.events),
           (SELECT coalesce(max(event_id), 0) FROM cdp.messages), 1));
SELECT pg_catalog.setval('cdp.assertions_change_id_seq', greatest(
           (SELECT last_value FROM cdp.assertions_change_id_seq),
           (SELECT coalesce(max(change_id), 0) FROM cdp.assertions), 1),
           (SELECT is_called FROM cdp.assertions_change_id_seq) OR EXISTS (SELECT 1 FROM cdp.assertions));
SELECT pg_catalog.setval('cdp.identity_steps_step_id_seq', greatest(
           (SELECT last_value FROM cdp.identity_steps_step_id_seq),
           (SELECT coalesce(max(step_id), 0) FROM cdp.identity_steps), 1),
           (SELECT is_called FROM cdp.identity_steps_step_id_seq) OR EXISTS (SELECT 1 FROM cdp.identity_steps));
