-- Blocking keys as a run of a matcher stores them: some dozens of one rule a row, in their order. What changed
-- since then is a row each.

ALTER TABLE cdp.match_keys RENAME TO match_key_changes;
ALTER INDEX cdp.match_keys_pkey RENAME TO match_key_changes_pkey;
ALTER TABLE cdp.match_key_changes ADD COLUMN gone boolean NOT NULL DEFAULT false;
COMMENT ON TABLE cdp.match_key_changes IS 'blocking keys of records that came or went since the matcher was run';
COMMENT ON COLUMN cdp.match_key_changes.gone IS 'whether it is in cdp.match_key_pages and counts no more';

-- keys and nodes: of the same length, in the order of keys, then nodes; last_key and last_node are their ends.
CREATE TABLE cdp.match_key_pages (
    matcher_id  integer  NOT NULL,
    rule        smallint NOT NULL,
    last_key    bigint   NOT NULL,
    last_node   bigint   NOT NULL,
    keys        bigint[] NOT NULL,
    nodes       bigint[] NOT NULL,
    PRIMARY KEY (matcher_id, rule, last_key, last_node)
);
-- No plan asks for what is in them.
ALTER TABLE cdp.match_key_pages ALTER COLUMN keys SET STATISTICS 0, ALTER COLUMN nodes SET STATISTICS 0;
COMMENT ON TABLE cdp.match_key_pages IS 'blocking keys of records when the matcher was run';

CREATE VIEW cdp.match_keys AS
SELECT k.key, p.rule, p.matcher_id, k.node_id
  FROM cdp.match_key_pages p
 CROSS JOIN LATERAL unnest(p.keys, p.nodes) k (key, node_id)
 WHERE NOT EXISTS (SELECT 1 FROM cdp.match_key_changes c
                    WHERE c.key = k.key AND c.rule = p.rule AND c.matcher_id = p.matcher_id AND c.node_id = k.node_id
                      AND c.gone)
UNION ALL
SELECT key, rule, matcher_id, node_id FROM cdp.match_key_changes WHERE NOT gone;
COMMENT ON VIEW cdp.match_keys IS 'blocking keys of records: those with a key in common are compared';
