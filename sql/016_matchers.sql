-- Matching as records come: what each record says, and by what it is found.

ALTER TABLE cdp.matchers ADD COLUMN live boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN cdp.matchers.live IS 'whether it was run: from then on new records are matched as they come';

-- said: what the record says, by compared column, in its one form: JSON, as many lists as columns. shown:
-- the identifiers that it shows.
CREATE TABLE cdp.match_records (
    node_id     bigint  NOT NULL,
    matcher_id  integer NOT NULL,
    said        text    NOT NULL,
    shown       bigint[] NOT NULL,
    PRIMARY KEY (node_id, matcher_id)
);
COMMENT ON TABLE cdp.match_records IS 'what records say to each matcher that was run';

-- rule: the position of a blocking rule of the model; -1: key is an identifier that the record shows.
CREATE TABLE cdp.match_keys (
    key         bigint   NOT NULL,
    rule        smallint NOT NULL,
    matcher_id  integer  NOT NULL,
    node_id     bigint   NOT NULL,
    PRIMARY KEY (key, rule, matcher_id, node_id)
);
COMMENT ON TABLE cdp.match_keys IS 'blocking keys of records: those with a key in common are compared';

CREATE VIEW cdp.match_pairs AS
SELECT r.name AS matcher, m.kind, sa.name AS source_a, a.value AS key_a, sb.name AS source_b, b.value AS key_b,
       m.weight, m.probability, m.household, ca.profile_id AS profile_a, cb.profile_id AS profile_b,
       CASE WHEN m.decision = 0 THEN 'accepted' WHEN m.decision > 0 THEN 'refused' END AS decision, m.low, m.high
  FROM cdp.matches m
  JOIN cdp.matchers r ON r.matcher_id = m.matcher_id
  JOIN cdp.identifiers a ON a.node_id = m.low
  JOIN cdp.identifier_types ta ON ta.type_id = a.type_id
  JOIN cdp.sources sa ON sa.source_id = ta.record_source_id
  JOIN cdp.identifiers b ON b.node_id = m.high
  JOIN cdp.identifier_types tb ON tb.type_id = b.type_id
  JOIN cdp.sources sb ON sb.source_id = tb.record_source_id
  LEFT JOIN cdp.clusters ca ON ca.node_id = m.low
  LEFT JOIN cdp.clusters cb ON cb.node_id = m.high;
COMMENT ON VIEW cdp.match_pairs IS 'all pairs of records that matchers found: what each is, how sure that is, and the profiles';

CREATE VIEW cdp.match_review AS
SELECT p.matcher, p.source_a, p.key_a, p.source_b, p.key_b, p.weight, p.probability, p.profile_a, p.profile_b
  FROM cdp.match_pairs p
 WHERE p.kind = 'review' AND p.profile_a IS DISTINCT FROM p.profile_b
   AND NOT EXISTS (SELECT 1 FROM cdp.asserted_links l WHERE l.low = p.low AND l.high = p.high)
   AND NOT EXISTS (SELECT 1 FROM cdp.cannot_links l WHERE l.low = p.low AND l.high = p.high);
COMMENT ON VIEW cdp.match_review IS 'pairs of records that a matcher is not sure of and nobody has decided';

CREATE VIEW cdp.match_households AS
SELECT p.matcher, p.source_a, p.key_a, p.source_b, p.key_b, p.household AS probability, p.profile_a, p.profile_b
  FROM cdp.match_pairs p
 WHERE p.kind = 'household';
COMMENT ON VIEW cdp.match_households IS 'pairs of records that a matcher holds for two persons of one household';
