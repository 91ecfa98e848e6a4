-- What each role may do. Run by every cdp.init(), after the migrations. Idempotent.
REVOKE ALL ON SCHEMA cdp FROM PUBLIC;
-- A restore without rights gives new functions to everybody.
REVOKE ALL ON ALL ROUTINES IN SCHEMA cdp FROM PUBLIC;
GRANT USAGE ON SCHEMA cdp TO cdp_ingest, cdp_reader;

-- cdp_ingest appends messages. kind, xact and received_at keep their defaults.
GRANT INSERT (source, message) ON cdp.inbox TO cdp_ingest;
GRANT USAGE ON SEQUENCE cdp.inbox_id_seq TO cdp_ingest;
GRANT EXECUTE ON FUNCTION cdp.inbox_wake(), cdp.ingest, cdp.identify, cdp.track, cdp.page, cdp.screen,
    cdp."group", cdp.alias, cdp.optional_objects TO cdp_ingest;

-- cdp_reader reads people, not the machinery.
GRANT SELECT ON cdp.profiles, cdp.profile_events, cdp.profile_identifiers, cdp.profile_sets,
    cdp.segment_members, cdp.segment_history, cdp.unmatched_records, cdp.first_evidence,
    cdp.identity_changes, cdp.profile_merges, cdp.assertion_log,
    cdp.identity_issues, cdp.link_ends TO cdp_reader;
-- Not the row itself: it holds every column of the company's table, whether it is mapped or not.
GRANT SELECT (profile_id, source, key) ON cdp.profile_records TO cdp_reader;
GRANT SELECT ON cdp.identifiers, cdp.identifier_types, cdp.clusters, cdp.set_nodes, cdp.set_traits,
    cdp.set_evidence, cdp.identifier_sets, cdp.set_members, cdp.set_links, cdp.links,
    cdp.inert_identifiers, cdp.switch_points, cdp.sliced_sets, cdp.asserted_links, cdp.cannot_links, cdp.assertions,
    cdp.identity_steps, cdp.identity_moves, cdp.profile_changes, cdp.matchers, cdp.matches,
    cdp.traits, cdp.sources, cdp.segments, cdp.memberships, cdp.events, cdp.profile_rows,
    cdp.installation TO cdp_reader;
GRANT EXECUTE ON FUNCTION cdp.resolve(text, text), cdp.resolve(text, text, timestamptz), cdp.profile_ids,
    cdp.profile, cdp.explain_identity(text, text, text, text),
    cdp.explain_identity(bigint, bigint), cdp.profile_graph, cdp.profile_graph_dot,
    cdp.profile_graph_svg, cdp.connected_components(text), cdp.connected_components(text, anyelement),
    cdp.connected_components_into,
    cdp.preview_segment, cdp.progress() TO cdp_reader;
GRANT EXECUTE ON FUNCTION cdp.jaro_winkler, cdp.levenshtein, cdp.damerau_levenshtein,
    cdp.jaccard(text, text, integer), cdp.jaccard(text[], text[]), cdp.double_metaphone, cdp.normalize_email,
    cdp.normalize_phone(text), cdp.normalize_phone(text, text), cdp.normalize_name, cdp.normalize_address
    TO cdp_reader;

-- And what stands in Segment's terms.
REVOKE ALL ON SCHEMA cdp_segment FROM PUBLIC;
GRANT USAGE ON SCHEMA cdp_segment TO cdp_reader;
GRANT SELECT ON cdp_segment.id_graph_updates, cdp_segment.profile_merges, cdp_segment.user_identifiers,
    cdp_segment.external_id_mapping, cdp_segment.profile_traits TO cdp_reader;

-- What cdp.status() reads: how much and how fast, not what. It runs with the rights of its caller.
GRANT SELECT ON cdp.batches, cdp.attempts TO cdp_reader;
GRANT SELECT (id, xact, received_at) ON cdp.inbox TO cdp_reader;
GRANT SELECT (dead_letter_id, recorded_at, received_at, source, reason, retried_at)
    ON cdp.dead_letter TO cdp_reader;
GRANT SELECT (source_id, kind, name, reason, count, first_seen, last_seen)
    ON cdp.value_issues TO cdp_reader;
GRANT SELECT (source_id, capture, fault, fault_since) ON cdp.mappings TO cdp_reader;
GRANT SELECT (job_id, name, schedule, time_zone, enabled, next_run_at) ON cdp.jobs TO cdp_reader;
GRANT SELECT (run_id, job, started_at, finished_at, status, rows) ON cdp.job_runs TO cdp_reader;
GRANT EXECUTE ON FUNCTION cdp.version(), cdp.status() TO cdp_reader;
GRANT EXECUTE ON FUNCTION cdp.version() TO cdp_ingest;
