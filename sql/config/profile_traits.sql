(SELECT c.node_id AS segment_id, nullif(c.profile_id, c.node_id) AS merged_to
          FROM cdp.clusters c
         WHERE c.node_id = c.profile_id
            OR EXISTS (SELECT 1 FROM cdp.profile_changes p WHERE p.from_profile = c.node_id)) m
  LEFT JOIN cdp.profile_rows r ON r.profile_id = m.segment_id
