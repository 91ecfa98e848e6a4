#!/usr/bin/env python3
"""The Python Record Linkage Toolkit on the sets that it ships, as in its own examples: recordlinkage_peer.py SET FILE
FOLDER. Blocks by given name, surname, birth date or number; Fellegi and Sunter's model by its ECM classifier."""

import sys
import warnings

from result import LEAST, Result

warnings.filterwarnings("ignore")
NAMES = ("given_name", "surname", "address_1", "suburb")
EXACT = ("date_of_birth", "soc_sec_id", "postcode", "state", "street_number")
BLOCKS = ("given_name", "surname", "date_of_birth", "soc_sec_id")


def main():
    name, path, folder = sys.argv[1:4]
    result = Result(folder)
    with result.phase("import"):
        import pandas
        import recordlinkage
    with result.phase("read"):
        table = pandas.read_csv(path, dtype=str).set_index("unique_id", drop=False)
        table.index = table.index.astype(int)
        linked = "side" in table.columns
        frames = [table[table["side"] == side] for side in "ab"] if linked else [table]
    with result.phase("block"):
        indexer = recordlinkage.Index()
        for column in BLOCKS:
            indexer.block(column)
        candidates = indexer.index(*frames)
    with result.phase("compare"):
        compare = recordlinkage.Compare()
        for column in NAMES:
            compare.string(column, column, method="jarowinkler", threshold=0.85, label=column)
        for column in EXACT:
            compare.exact(column, column, label=column)
        features = compare.compute(candidates, *frames)
    with result.phase("model"):
        classifier = recordlinkage.ECMClassifier()
        matches = classifier.fit_predict(features)
        probability = classifier.prob(features)
    with result.phase("cluster"):
        cluster = components(table.index, matches)
    result.timed()
    kept = probability[probability >= LEAST]
    result.write("pairs.csv", ("a", "b", "probability"), ((a, b, p) for (a, b), p in kept.items()))
    result.write("clusters.csv", ("unique_id", "cluster_id"), cluster.items())
    person = table["cluster"].to_dict()
    own = sum(person[a] == person[b] for a, b in candidates)
    result.close(version=recordlinkage.__version__, candidate_pairs=len(candidates), blocking_true_pairs=own)


def components(records, pairs):
    """It has no clustering of its own: what is linked is one."""
    parent = {record: record for record in records}

    def root(x):
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for a, b in pairs:
        parent[root(a)] = root(b)
    return {record: root(record) for record in records}


if __name__ == "__main__":
    main()
