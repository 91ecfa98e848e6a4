-- Mapping: what capture from existing tables has to remember.

-- The tables that a mapping's rows are in: a plain table itself, of a partitioned one every leaf.
-- part is the name under which its rows are captured. It never changes, so that a TRUNCATE of a table
-- that was renamed withdraws the rows that were captured before.
CREATE TABLE cdp.mapping_parts (
    leaf       regclass NOT NULL,
    source_id  integer  NOT NULL,
    part       text     NOT NULL,
    PRIMARY KEY (leaf, source_id),
    UNIQUE (source_id, part)
);
COMMENT ON TABLE cdp.mapping_parts IS 'the tables that the rows of each mapping are in, and the fixed names of these parts';

-- What polling saw last. key is the record literal of the key columns.
CREATE TABLE cdp.polled_keys (
    source_id  integer NOT NULL,
    key        text    NOT NULL COLLATE "C",
    row_hash   bigint  NOT NULL,
    PRIMARY KEY (source_id, key)
);
COMMENT ON TABLE cdp.polled_keys IS 'the rows of polled relations as last seen, by key and hash';
