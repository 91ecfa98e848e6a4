-- Why source $1 cannot be dropped; no row if it can.
SELECT CASE
         WHEN EXISTS (SELECT 1 FROM cdp.mappings m WHERE m.source_id = s.source_id)
           THEN 'a table is mapped as it'
         WHEN EXISTS (SELECT 1 FROM cdp.traits t WHERE s.name = ANY (t.source_priority))
           THEN 'a trait ranks it'
         WHEN EXISTS (SELECT 1 FROM cdp.message_keys k WHERE k.source_id = s.source_id)
           OR EXISTS (SELECT 1 FROM cdp.row_versions v WHERE v.source_id = s.source_id)
           OR EXISTS (SELECT 1 FROM cdp.records r WHERE r.source_id = s.source_id)
           OR EXISTS (SELECT 1 FROM cdp.set_evidence e WHERE e.source_id = s.source_id)
           OR EXISTS (SELECT 1 FROM cdp.set_traits e WHERE e.source_id = s.source_id)
           OR EXISTS (SELECT 1 FROM cdp.messages e WHERE e.source_id = s.source_id)
           OR EXISTS (SELECT 1 FROM cdp.events e WHERE e.source_id = s.source_id)
           THEN 'messages were accepted from it'
         WHEN EXISTS (SELECT 1 FROM cdp.assertions a WHERE a.source_id = s.source_id)
           OR EXISTS (SELECT 1 FROM cdp.assertions a
                        JOIN cdp.identifier_types t ON t.type_id IN (a.type_a, a.type_b)
                       WHERE t.record_source_id = s.source_id)
           THEN 'a correction by hand names it'
       END
  FROM cdp.sources s
 WHERE s.name = $1
