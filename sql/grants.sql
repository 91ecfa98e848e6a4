-- What each role may do. Run by every cdp.init(), after the migrations. Idempotent.
REVOKE ALL ON SCHEMA cdp FROM PUBLIC;
GRANT USAGE ON SCHEMA cdp TO cdp_ingest, cdp_reader;

-- cdp_ingest appends messages. kind, xact and received_at keep their defaults.
GRANT INSERT (source, message) ON cdp.inbox TO cdp_ingest;
GRANT USAGE ON SEQUENCE cdp.inbox_id_seq TO cdp_ingest;

-- cdp_reader reads people, not the machinery.
GRANT SELECT ON cdp.profiles, cdp.profile_events, cdp.profile_identifiers, cdp.profile_sets,
    cdp.segment_members, cdp.segment_history, cdp.unmatched_records TO cdp_reader;
GRANT SELECT ON cdp.identifiers, cdp.identifier_types, cdp.clusters, cdp.set_nodes, cdp.set_traits,
    cdp.set_evidence, cdp.identifier_sets, cdp.set_members, cdp.links, cdp.inert_identifiers,
    cdp.traits, cdp.sources, cdp.segments, cdp.memberships, cdp.events, cdp.profile_rows,
    cdp.installation TO cdp_reader;
