#!/usr/bin/env python3
"""GoldenMatch on a set, as it configures itself: goldenmatch_peer.py SET FILE FOLDER. Its model calls no service."""

import os
import sys
import tempfile
from importlib.metadata import version

# It keeps what it learnt and what it thought of us in the folder that it runs in, and may ask language models.
os.chdir(tempfile.mkdtemp())
for name in list(os.environ):
    if name.endswith("_API_KEY"):
        del os.environ[name]

import pyarrow.csv  # noqa: E402

from result import Result  # noqa: E402


def main():
    name, path, folder = sys.argv[1:4]
    result = Result(folder)
    with result.phase("import"):
        import goldenmatch
    with result.phase("read"):
        strings = pyarrow.csv.ConvertOptions(strings_can_be_null=True, null_values=[""])
        table = pyarrow.csv.read_csv(path, convert_options=strings)
        hidden = [c for c in ("unique_id", "cluster", "household", "side") if c in table.column_names]
        linked = "side" in table.column_names
        given = table.drop_columns(hidden)
    # Zero configuration, and no refusal where it is not sure of itself.
    options = {"allow_red_config": True, "confidence_required": False}
    if linked:
        import pyarrow.compute as pc

        sides = [table.filter(pc.equal(table["side"], side)) for side in "ab"]
        with result.phase("match"):
            found = goldenmatch.match_df(*(side.drop_columns(hidden) for side in sides), **options)
        result.timed()
        result.write("clusters.csv", ("unique_id", "cluster_id"), matched(found, *sides))
    else:
        with result.phase("match"):
            clusters = goldenmatch.dedupe_df(given, **options).clusters
        result.timed()
        rows = ((member, cluster) for cluster, content in clusters.items() for member in content["members"])
        result.write("clusters.csv", ("unique_id", "cluster_id"), rows)
    result.close(version=version("goldenmatch"))


def matched(found, target, reference):
    """A row of the target with the row of the reference that it is matched to; several can share one."""
    first = target.num_rows
    a = target["unique_id"].to_pylist()
    b = reference["unique_id"].to_pylist()
    rows = found.matched.to_pylist()
    for row in rows:
        target_row, reference_row = row["__target_row_id__"], row["__ref_row_id__"]
        cluster = b[reference_row - first]
        yield a[target_row], cluster
        yield cluster, cluster


if __name__ == "__main__":
    main()
