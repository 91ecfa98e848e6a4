#!/usr/bin/env python3
"""One peer on a file of links: `peers.py scipy|igraph|splink FILE`. Prints seconds, links, components, the
most memory in kB and seconds of the processor. Reading the file is not timed: the peers have the links in memory at the start."""

import resource
import sys
import time
from pathlib import Path

import numpy

HEAD = 19  # of COPY (FORMAT binary), as engine/examples/components.rs writes it
ROW = numpy.dtype([("columns", ">i2"), ("size_a", ">i4"), ("a", ">i8"), ("size_b", ">i4"), ("b", ">i8")])


def links(path: str):
    size = Path(path).stat().st_size
    rows = numpy.fromfile(path, dtype=ROW, offset=HEAD, count=(size - HEAD) // ROW.itemsize)
    return rows["a"].astype(numpy.int64), rows["b"].astype(numpy.int64)


def by_scipy(a, b) -> int:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    nodes, dense = numpy.unique(numpy.concatenate([a, b]), return_inverse=True)
    ones = numpy.ones(len(a), dtype=numpy.int8)
    graph = coo_matrix((ones, (dense[: len(a)], dense[len(a) :])), shape=(len(nodes), len(nodes)))
    return connected_components(graph, directed=False)[0]


def by_igraph(a, b) -> int:
    import igraph

    nodes, dense = numpy.unique(numpy.concatenate([a, b]), return_inverse=True)
    graph = igraph.Graph(n=len(nodes), edges=numpy.column_stack([dense[: len(a)], dense[len(a) :]]))
    return len(graph.connected_components())


def by_splink(a, b) -> int:
    import duckdb
    import pyarrow
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    connection = duckdb.connect()
    given = pyarrow.table({"a": a, "b": b})
    connection.register("given", given)
    # As Splink's caller would have them: tables in DuckDB.
    connection.execute("CREATE TABLE edges AS SELECT a AS id_l, b AS id_r FROM given")
    connection.execute("CREATE TABLE nodes AS SELECT id_l AS id FROM edges UNION SELECT id_r FROM edges")
    found = cluster_pairwise_predictions_at_threshold(
        "nodes", "edges", DuckDBAPI(connection), "id", "id_l", "id_r"
    )
    return connection.execute(f"SELECT count(DISTINCT cluster_id) FROM {found.physical_name}").fetchone()[0]


def main() -> None:
    way, path = sys.argv[1:]
    a, b = links(path)
    started, worked = time.perf_counter(), time.process_time()
    components = {"scipy": by_scipy, "igraph": by_igraph, "splink": by_splink}[way](a, b)
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    print(f"{seconds:.3f}", len(a), components, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, f"{cpu:.3f}")


if __name__ == "__main__":
    main()
