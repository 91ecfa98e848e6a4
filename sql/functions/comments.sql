-- The end of the extension's script: rights and comments of its functions.
-- A function whose name is unique is commented on without its arguments.

REVOKE ALL ON ALL ROUTINES IN SCHEMA cdp FROM PUBLIC;

-- Installation -------------------------------------------------------------------------------------

COMMENT ON FUNCTION cdp.init IS 'makes or upgrades the tables, roles and rights of pg_cdp; safe to run again';
COMMENT ON FUNCTION cdp.start IS 'lets this server process messages for this database: after a restore, a clone or a move';

-- Configuration ------------------------------------------------------------------------------------

COMMENT ON FUNCTION cdp.create_source IS 'declares a source of messages';
COMMENT ON FUNCTION cdp.alter_source IS 'changes a source; NULL leaves as it is, reset names what to set back';
COMMENT ON FUNCTION cdp.drop_source IS 'drops a source from which nothing was accepted';
COMMENT ON FUNCTION cdp.create_identifier_type(text, integer, integer, boolean, text, text, text, text[], text[], boolean, jsonb, text[], boolean, text) IS 'declares an identifier type and the rules by which it joins profiles';
COMMENT ON FUNCTION cdp.create_identifier_type(text, integer, integer, boolean, text, text, text, text[], text[], boolean, jsonb, text[]) IS 'the same, as it was called once: dumps name it';
COMMENT ON FUNCTION cdp.alter_identifier_type(text, integer, integer, boolean, text, text, text, text[], text[], boolean, jsonb, text[], text[]) IS 'the same, as it was called once: dumps name it';
COMMENT ON FUNCTION cdp.alter_identifier_type(text, integer, integer, boolean, text, text, text, text[], text[], boolean, jsonb, text[], boolean, text, text[]) IS 'changes the rules of an identifier type, also for the past; NULL leaves as it is, reset names what to set back';
COMMENT ON FUNCTION cdp.drop_identifier_type IS 'drops an identifier type of which no identifier was accepted';
COMMENT ON FUNCTION cdp.create_trait IS 'declares a trait: a typed column of cdp.profiles, filled from what was accepted';
COMMENT ON FUNCTION cdp.alter_trait IS 'changes which value of a trait wins, or its description; NULL leaves as it is, reset names what to set back';
COMMENT ON FUNCTION cdp.drop_trait IS 'drops a trait that no segment tests; its values are then in extra';
COMMENT ON FUNCTION cdp.create_segment IS 'declares a segment by a rule, and finds its members';
COMMENT ON FUNCTION cdp.alter_segment IS 'changes the rule or description of a segment; NULL leaves as it is, reset names what to set back';
COMMENT ON FUNCTION cdp.drop_segment IS 'drops a segment that no other refers to, with its history';
COMMENT ON FUNCTION cdp.config IS 'all that is declared, as one JSON document; see cdp.apply()';
COMMENT ON FUNCTION cdp.apply IS 'makes the database match a document such as cdp.config() gives; one row a change';
COMMENT ON FUNCTION cdp.plan IS 'what cdp.apply() would do, without doing it';
COMMENT ON FUNCTION cdp.plan_effects IS 'what cdp.apply() would do to profiles and segments, with samples and why; computed as by cdp.apply(), and undone';

-- Operation ----------------------------------------------------------------------------------------

COMMENT ON FUNCTION cdp.version IS 'the version of the library';
COMMENT ON FUNCTION cdp.status IS 'how pg_cdp stands in this database, and what to do';
COMMENT ON FUNCTION cdp.pause IS 'stops processing until cdp.resume(); messages are still taken in';
COMMENT ON FUNCTION cdp.resume IS 'goes on after cdp.pause()';
COMMENT ON FUNCTION cdp.retry_dead_letters IS 'puts dead letters back into the inbox: by reason, by time, by source';

-- Ingest -------------------------------------------------------------------------------------------

COMMENT ON FUNCTION cdp.identify IS 'takes in an identify message: who somebody is, and their traits';
COMMENT ON FUNCTION cdp.track IS 'takes in a track message: what somebody did';
COMMENT ON FUNCTION cdp.page IS 'takes in a page message: a page that somebody saw';
COMMENT ON FUNCTION cdp.screen IS 'takes in a screen message: a screen of an app that somebody saw';
COMMENT ON FUNCTION cdp."group" IS 'takes in a group message: the company or team that somebody belongs to';
COMMENT ON FUNCTION cdp.alias IS 'takes in an alias message: two ids of one person';
COMMENT ON FUNCTION cdp.ingest IS 'takes in a message of the Segment spec, or an array of them';
COMMENT ON FUNCTION cdp.optional_objects IS 'internal: members of a message that were given';
COMMENT ON FUNCTION cdp.inbox_wake IS 'internal: wakes the worker when the inbox was written, and watches cdp.inbox_limit';

-- Mapping ------------------------------------------------------------------------------------------

COMMENT ON FUNCTION cdp.map_table IS 'maps an existing table as a source of records or events, and captures its changes';
COMMENT ON FUNCTION cdp.unmap_table IS 'ends the capture of a mapped table; what was captured stays unless it is withdrawn';
COMMENT ON FUNCTION cdp.poll IS 'polls one source, or all that are polled, now';
COMMENT ON FUNCTION cdp.refresh_mappings IS 'takes up at once what changed about mapped tables: partitions, renamed columns, lost triggers';

-- Processing and jobs ------------------------------------------------------------------------------

COMMENT ON FUNCTION cdp.await_turn IS 'internal: what cdp.process_all() waits for before each batch';
COMMENT ON FUNCTION cdp.begin_batch IS 'internal: first half of cdp.process_all()';
COMMENT ON FUNCTION cdp.run_begun_batch IS 'internal: second half of cdp.process_all()';
COMMENT ON FUNCTION cdp.require_own_transaction IS 'internal: refuses a transaction block, for procedures that commit';
COMMENT ON FUNCTION cdp.keep_house IS 'internal: what cdp.process_all() does before and after its batches';
COMMENT ON FUNCTION cdp.progress IS 'what the worker is doing at this moment';
COMMENT ON FUNCTION cdp.wake_worker IS 'wakes the worker of this database at commit';
COMMENT ON FUNCTION cdp.schedule IS 'schedules SQL with the rights of the caller: by a cron expression or at an interval';
COMMENT ON FUNCTION cdp.unschedule IS 'removes a scheduled job; its runs stay in cdp.job_runs';
COMMENT ON FUNCTION cdp.run_job IS 'runs a scheduled job now, in this session';
COMMENT ON FUNCTION cdp.claim_due_job IS 'internal: first half of cdp.run_due_jobs()';
COMMENT ON FUNCTION cdp.run_claimed_job IS 'internal: second half of cdp.run_due_jobs()';

COMMENT ON FUNCTION cdp.process IS 'processes one batch from the inbox in this session';
COMMENT ON FUNCTION cdp.rebuild IS 'derives everything anew from what was accepted, and writes what differs';

-- Identity -----------------------------------------------------------------------------------------

COMMENT ON FUNCTION cdp.resolve(text, text) IS 'the profile that an identifier belongs to';
COMMENT ON FUNCTION cdp.resolve(text, text, timestamptz) IS 'the profile that an identifier belonged to at an instant';
COMMENT ON FUNCTION cdp.profile_ids IS 'the present profiles of all that an old profile id ever held';
COMMENT ON FUNCTION cdp.link IS 'says by hand that two identifiers are of one person';
COMMENT ON FUNCTION cdp.unlink IS 'says by hand that two identifiers are of two persons';
COMMENT ON FUNCTION cdp.revoke_source IS 'revokes all that a source said as evidence; it counts as never accepted';
COMMENT ON FUNCTION cdp.revoke_message IS 'revokes one message, or one mapped row, as evidence; it counts as never accepted';
COMMENT ON FUNCTION cdp.revoke_event IS 'revokes one message, found by its event_id, as evidence; it counts as never accepted';
COMMENT ON FUNCTION cdp.undo IS 'undoes what was said by hand, as if it had never been said';
COMMENT ON FUNCTION cdp.explain_identity(text, text, text, text) IS 'the chain of evidence between two identifiers, or what keeps them apart';
COMMENT ON FUNCTION cdp.explain_identity(bigint, bigint) IS 'the chain of evidence between two profiles, or what keeps them apart';
COMMENT ON FUNCTION cdp.connected_components(text) IS 'the connected components of the pairs that a query gives: each node with the smallest of its component';
COMMENT ON FUNCTION cdp.connected_components(text, anyelement) IS 'the same, with nodes of the type of node_type: NULL::bigint';
COMMENT ON FUNCTION cdp.connected_components_into IS 'the connected components of the pairs that a query gives, into a new table: the fastest way to keep them';
COMMENT ON FUNCTION cdp.profile_graph IS 'the identifiers and links of a profile, and the links that were refused, as JSON';
COMMENT ON FUNCTION cdp.profile_graph_dot IS 'the identifiers and links of a profile, as a graph for Graphviz';
COMMENT ON FUNCTION cdp.profile_graph_svg IS 'the identifiers and links of a profile, as a picture in SVG';

-- Profiles -----------------------------------------------------------------------------------------

COMMENT ON FUNCTION cdp.profile IS 'one profile, whole, as one JSON document';

-- Similarity and normal forms -------------------------------------------------------------------------

COMMENT ON FUNCTION cdp.jaro_winkler IS 'the Jaro-Winkler similarity of two texts, from 0 to 1';
COMMENT ON FUNCTION cdp.levenshtein IS 'how many characters to insert, delete or replace make one text of the other';
COMMENT ON FUNCTION cdp.damerau_levenshtein IS 'as cdp.levenshtein(), where swapping two neighbours is one step';
COMMENT ON FUNCTION cdp.jaccard(text, text, integer) IS 'the share of runs of n characters that two texts have in common';
COMMENT ON FUNCTION cdp.jaccard(text[], text[]) IS 'the share of elements that two arrays have in common';
COMMENT ON FUNCTION cdp.double_metaphone IS 'how a name sounds: its primary code, and the alternate one where it differs';
COMMENT ON FUNCTION cdp.normalize_email IS 'an e-mail address in its one form; NULL if it is none';
COMMENT ON FUNCTION cdp.normalize_phone(text) IS 'a telephone number in its one form; NULL if it is none';
COMMENT ON FUNCTION cdp.normalize_phone(text, text) IS 'the same, where numbers without a country code are of a country';
COMMENT ON FUNCTION cdp.normalize_name IS 'the name of a person in its one form; NULL if nothing is left';
COMMENT ON FUNCTION cdp.normalize_address IS 'an address in its one form; NULL if nothing is left';

-- Matching -----------------------------------------------------------------------------------------

COMMENT ON FUNCTION cdp.create_matcher IS 'declares a matcher of the records of mapped tables; cdp.run_matcher() runs it';
COMMENT ON FUNCTION cdp.alter_matcher IS 'changes a matcher; NULL leaves as it is, reset names what to set back';
COMMENT ON FUNCTION cdp.drop_matcher IS 'drops a matcher, with its models and all that it found';
COMMENT ON FUNCTION cdp.train_matcher IS 'trains a matcher on the records that there are and on what was decided; the version of the model';
COMMENT ON FUNCTION cdp.run_matcher IS 'matches all records; from then on new ones are matched as they come';
COMMENT ON FUNCTION cdp.match_candidates IS 'the records that may be of the same person as a record given as JSON';
COMMENT ON FUNCTION cdp.explain_match IS 'what each comparison of two records adds to the weight of their match';
COMMENT ON FUNCTION cdp.explain_match_svg IS 'the same, as a picture in SVG';
COMMENT ON FUNCTION cdp.matcher_report IS 'what a matcher knows and found, as one HTML page';
COMMENT ON FUNCTION cdp.accept_match IS 'says that two records are of one person; cdp.undo() undoes it';
COMMENT ON FUNCTION cdp.reject_match IS 'says that two records are of two persons; cdp.undo() undoes it';
COMMENT ON FUNCTION cdp.dedupe IS 'finds which rows of a query are of one person';
COMMENT ON FUNCTION cdp.link_records IS 'finds which rows of one query are of the same persons as rows of another';

-- Segments -----------------------------------------------------------------------------------------

COMMENT ON FUNCTION cdp.preview_segment IS 'who a rule would take in, without declaring it';
COMMENT ON FUNCTION cdp.refresh_segment IS 'evaluates a segment for everybody';
