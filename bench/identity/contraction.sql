-- Connected components by contraction, the best that plain SQL does: each node goes over to its smallest
-- neighbour, links between the same are dropped, until none is left; then the way back. Called with
-- the tables links (a, b) and gives the table by_contraction (node, component).
CREATE PROCEDURE contraction() LANGUAGE plpgsql AS $$
DECLARE
    v_round integer := 0;
    v_rows bigint;
BEGIN
    CREATE UNLOGGED TABLE edges_0 AS SELECT a, b FROM links WHERE a <> b;
    LOOP
        EXECUTE format('CREATE UNLOGGED TABLE went_%1$s AS
            SELECT node, least(node, min(other)) AS went_to
              FROM (SELECT a AS node, b AS other FROM edges_%1$s UNION ALL SELECT b, a FROM edges_%1$s) e
             GROUP BY node', v_round);
        EXECUTE format('ANALYZE went_%s', v_round);
        EXECUTE format('CREATE UNLOGGED TABLE edges_%2$s AS
            SELECT DISTINCT least(x.went_to, y.went_to) AS a, greatest(x.went_to, y.went_to) AS b
              FROM edges_%1$s e JOIN went_%1$s x ON x.node = e.a JOIN went_%1$s y ON y.node = e.b
             WHERE x.went_to <> y.went_to', v_round, v_round + 1);
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        EXECUTE format('DROP TABLE edges_%s', v_round);
        EXIT WHEN v_rows = 0;
        v_round := v_round + 1;
        EXECUTE format('ANALYZE edges_%s', v_round);
        COMMIT;
    END LOOP;
    EXECUTE format('ALTER TABLE went_%s RENAME TO reached', v_round);
    WHILE v_round > 0 LOOP
        v_round := v_round - 1;
        EXECUTE format('CREATE UNLOGGED TABLE reached_now AS
            SELECT w.node, coalesce(r.went_to, w.went_to) AS went_to
              FROM went_%s w LEFT JOIN reached r ON r.node = w.went_to', v_round);
        EXECUTE format('DROP TABLE reached, went_%s', v_round);
        ALTER TABLE reached_now RENAME TO reached;
        COMMIT;
    END LOOP;
    CREATE TABLE by_contraction AS
    SELECT node, went_to AS component FROM reached
    UNION SELECT a, a FROM links WHERE a = b AND a NOT IN (SELECT node FROM reached);
    DROP TABLE reached;
END $$;
