#!/usr/bin/env python3
"""Splink on a set: splink_peer.py SET FILE FOLDER [VARIANT]. Variants: `thorough` (100 million pairs for u, as it
advises), `fast` (a million, its default, and so for each rule of training where it can), `clean` (fast, and placeholder values nulled beforehand), `wide` (fast, with
more rules to block by)."""

import logging
import sys
import warnings

import duckdb
import splink
from splink import DuckDBAPI, Linker, SettingsCreator

from result import LEAST, Result
from splink_settings import SETTINGS

FIVE = splink.__version__.startswith("5.")
OWN = 0.95  # of its examples


def load(connection, path, settings, clean):
    connection.execute(f"CREATE TABLE raw AS SELECT * FROM read_csv('{path}', header = true, all_varchar = true)")
    columns = [row[0] for row in connection.execute("DESCRIBE raw").fetchall()]
    kept = {"unique_id", "cluster", "side"}
    values = [
        "CAST(unique_id AS BIGINT) AS unique_id" if c == "unique_id" else c if c in kept else f"nullif(lower(trim({c})), '') AS {c}"
        for c in columns
    ]
    connection.execute(f"CREATE TABLE prepared AS SELECT {', '.join(values)} FROM raw")
    connection.execute("DROP TABLE raw")
    derived = settings.get("derive", "*")
    connection.execute(f"CREATE TABLE records AS SELECT {derived} FROM prepared")
    connection.execute("DROP TABLE prepared")
    if clean:
        for column, most in settings.get("placeholders", {}).items():
            if most:
                many = f"SELECT {column} FROM records GROUP BY {column} HAVING count(*) > {most}"
                connection.execute(f"UPDATE records SET {column} = NULL WHERE {column} IN ({many})")
            else:
                connection.execute(f"UPDATE records SET {column} = NULL WHERE {column} IN ('1900-01-01', '1970-01-01')")
    return "side" in columns


def main():
    name, path, folder, variant = (sys.argv[1:] + ["fast"])[:4]
    warnings.filterwarnings("ignore")
    logging.getLogger("splink").setLevel(logging.ERROR)
    result = Result(folder)
    settings = SETTINGS["persons" if name.startswith("persons-") else name]()
    if variant == "wide":
        settings["rules"] += settings["more"]
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    with result.phase("read"):
        linked = load(connection, path, settings, variant == "clean")
        if linked:
            for side in "ab":
                connection.execute(f"CREATE TABLE side_{side} AS SELECT * FROM records WHERE side = '{side}'")
        tables = ["side_a", "side_b"] if linked else ["records"]
        creator = SettingsCreator(
            link_type="link_only" if linked else "dedupe_only",
            comparisons=settings["comparisons"],
            blocking_rules_to_generate_predictions=settings["rules"],
            retain_matching_columns=False,
            retain_intermediate_calculation_columns=False,
        )
        api = DuckDBAPI(connection)
        if FIVE:
            given = [api.register(table) for table in tables]
            linker = Linker(given if linked else given[0], creator, log_level=None)
        else:
            linker = Linker(tables if linked else tables[0], creator, db_api=api)
    with result.phase("prior"):
        linker.training.estimate_probability_two_random_records_match(settings["sure"][0], recall=settings["sure"][1])
    with result.phase("u"):
        linker.training.estimate_u_using_random_sampling(max_pairs=1e8 if variant == "thorough" else 1e6)
    with result.phase("m"):
        # The fifth version can draw a sample of a rule's pairs.
        sample = {"max_pairs": 1e6} if FIVE and variant != "thorough" else {}
        for rule in settings["train"]:
            linker.training.estimate_parameters_using_expectation_maximisation(rule, **sample)
    with result.phase("score"):
        predicted = linker.inference.predict(threshold_match_probability=LEAST)
    with result.phase("cluster"):
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, OWN)
    result.timed()

    pairs, records = predicted.physical_name, clusters.physical_name
    connection.execute(
        f"COPY (SELECT unique_id_l AS a, unique_id_r AS b, match_probability AS probability FROM {pairs})"
        f" TO '{folder}/pairs.csv' (HEADER)"
    )
    connection.execute(f"COPY (SELECT unique_id, cluster_id FROM {records}) TO '{folder}/clusters-{OWN}.csv' (HEADER)")
    result.close(version=splink.__version__, **blocked(connection, settings["rules"], linked))


def blocked(connection, rules, linked):
    """How many pairs its rules give, and how many of those are of one person."""
    conditions = [rule.get_blocking_rule("duckdb").blocking_rule_sql for rule in rules]
    order = "l.side = 'a' AND r.side = 'b'" if linked else "l.unique_id < r.unique_id"
    either = " OR ".join(f"coalesce({condition}, false)" for condition in conditions)
    own = connection.execute(
        f"SELECT count(*) FROM records l JOIN records r ON l.cluster = r.cluster WHERE {order} AND ({either})"
    ).fetchone()[0]
    pairs = 0
    for number, condition in enumerate(conditions):
        earlier = " AND ".join(f"NOT coalesce({c}, false)" for c in conditions[:number]) or "true"
        pairs += connection.execute(
            f"SELECT count(*) FROM records l JOIN records r ON {condition} WHERE {order} AND {earlier}"
        ).fetchone()[0]
    return {"candidate_pairs": pairs, "blocking_true_pairs": own}


if __name__ == "__main__":
    main()
