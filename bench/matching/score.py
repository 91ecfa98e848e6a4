#!/usr/bin/env python3
"""Scores what a tool found against the truth.

    score.py SET.csv FOLDER [LABEL=CLUSTERS.csv…]

FOLDER holds pairs.csv (a,b,probability; unique_ids) and is given threshold by threshold: connected components of the
pairs at least so probable. A file of clusters (unique_id,cluster_id) is scored as it is. Prints JSON lines. Precision
and recall count pairs: those that the tool puts together, and those of one person; between linked files, pairs across.
Intervals are of 95 %, by drawing persons anew (bootstrap).
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np

FIXED = (0.5, 0.9, 0.95, 0.99)
DRAWS = 200


class Truth:
    """Who each record is of, by unique_id: these count from 0 in the order of the file."""

    def __init__(self, path):
        persons, sides, known = [], [], {}
        with open(path, newline="") as file:
            reader = csv.reader(file)
            header = next(reader)
            cluster = header.index("cluster")
            side = header.index("side") if "side" in header else None
            for row in reader:
                persons.append(known.setdefault(row[cluster], len(known)))
                if side is not None:
                    sides.append(row[side] == "b")
        self.person = np.array(persons, dtype=np.int64)
        self.side = np.array(sides, dtype=bool) if side is not None else None
        self.n = len(persons)
        self.pairs = self.within(self.person)

    def within(self, group):
        """How many pairs stand in one group."""
        if self.side is None:
            n = np.unique(group, return_counts=True)[1]
            return int((n * (n - 1) // 2).sum())
        a, b = self.by_side(np.unique(group, return_inverse=True)[1])
        return int((a * b).sum())

    def by_side(self, dense):
        size = int(dense.max()) + 1 if len(dense) else 0
        return np.bincount(dense[~self.side], minlength=size), np.bincount(dense[self.side], minlength=size)


def rates(right, said, true, prefix):
    precision = right / said if said else 1.0
    recall = right / true if true else 1.0
    f1 = 2 * right / (said + true) if said + true else 1.0
    return {f"{prefix}_precision": precision, f"{prefix}_recall": recall, f"{prefix}_f1": f1}


def of_clusters(truth, cluster):
    """Figures of a clustering, an array by unique_id, with an interval of F1."""
    cluster = np.unique(cluster, return_inverse=True)[1]
    persons = int(truth.person.max()) + 1
    both, dense = np.unique(truth.person * (int(cluster.max()) + 1) + cluster, return_inverse=True)
    owner = both // (int(cluster.max()) + 1)
    if truth.side is None:
        n = np.bincount(dense)
        right = np.bincount(owner, n * (n - 1) / 2, persons)
        of_person = np.bincount(truth.person)
        true = of_person * (of_person - 1) / 2
        said = np.bincount(truth.person, (np.bincount(cluster)[cluster] - 1) / 2, persons)
    else:
        a, b = truth.by_side(dense)
        right = np.bincount(owner, a * b, persons)
        a, b = truth.by_side(truth.person)
        true = (a * b).astype(float)
        a, b = truth.by_side(cluster)
        said = np.bincount(truth.person, np.where(truth.side, a[cluster], b[cluster]) / 2, persons)
    figures = rates(right.sum(), said.sum(), true.sum(), "cluster")
    used = (said > 0) | (true > 0)
    right, said, true = right[used], said[used], true[used]
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(DRAWS):
        times = rng.poisson(1.0, len(right))
        whole = times @ said + times @ true
        drawn.append(2 * (times @ right) / whole if whole else 1.0)
    figures["cluster_f1_interval"] = [round(float(x), 4) for x in np.quantile(drawn, [0.025, 0.975])]
    return figures


class Pairs:
    """The pairs that a tool gives, the most probable first."""

    def __init__(self, truth, path):
        data = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2) if path.stat().st_size else np.empty((0, 3))
        data = data[np.argsort(-data[:, 2], kind="stable")] if len(data) else np.empty((0, 3))
        self.a, self.b = data[:, 0].astype(np.int64), data[:, 1].astype(np.int64)
        self.probability = data[:, 2]
        across = np.ones(len(data), dtype=bool) if truth.side is None else truth.side[self.a] != truth.side[self.b]
        same = (truth.person[self.a] == truth.person[self.b]) & across
        self.right, self.said = np.cumsum(same), np.cumsum(across)
        self.truth = truth

    def at(self, threshold):
        """How many pairs are at least so probable."""
        return int(np.searchsorted(-self.probability, -threshold, side="right"))

    def rates(self, count):
        right, said = (int(self.right[count - 1]), int(self.said[count - 1])) if count else (0, 0)
        return rates(right, said, self.truth.pairs, "pair")

    def best(self):
        """The best F1 of pairs, and at which threshold."""
        if not len(self.a):
            return 0.0, 1.0
        f1 = 2 * self.right / (self.said + self.truth.pairs)
        # Between equal probabilities there is no threshold.
        last = np.append(self.probability[1:] != self.probability[:-1], True)
        at = int(np.argmax(np.where(last, f1, -1)))
        return float(f1[at]), float(self.probability[at])


class Components:
    """Connected components, pair by pair, with what is right in them."""

    def __init__(self, truth):
        self.parent = list(range(truth.n))
        self.person = truth.person.tolist()
        self.side = truth.side.tolist() if truth.side is not None else None
        self.members = {}  # of a root: how many of each person, and on which side
        self.size = {}
        self.right = self.said = 0

    def root(self, x):
        parent = self.parent
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    def content(self, root):
        if root in self.members:
            return self.members.pop(root), self.size.pop(root)
        one = (0, 1) if self.side and self.side[root] else (1, 0)
        return {self.person[root]: one}, one

    def join(self, a, b):
        a, b = self.root(a), self.root(b)
        if a == b:
            return
        (ma, sa), (mb, sb) = self.content(a), self.content(b)
        if len(ma) < len(mb):
            a, b, ma, mb = b, a, mb, ma
            sa, sb = sb, sa
        self.said += self.across(sa, sb)
        for person, of_b in mb.items():
            of_a = ma.get(person)
            if of_a:
                self.right += self.across(of_a, of_b)
                ma[person] = (of_a[0] + of_b[0], of_a[1] + of_b[1])
            else:
                ma[person] = of_b
        self.parent[b] = a
        self.members[a] = ma
        self.size[a] = (sa[0] + sb[0], sa[1] + sb[1])

    def across(self, x, y):
        return x[0] * y[0] if self.side is None else x[0] * y[1] + x[1] * y[0]

    def clusters(self):
        return np.array([self.root(x) for x in range(len(self.parent))])


def by_threshold(truth, pairs):
    """The threshold with the best F1 of clusters, and the clusters there and at the fixed ones."""
    components = Components(truth)
    a, b, probability = pairs.a.tolist(), pairs.b.tolist(), pairs.probability.tolist()
    best, threshold = 0.0, 1.0
    for k in range(len(a)):
        components.join(a[k], b[k])
        if k + 1 == len(a) or probability[k + 1] != probability[k]:
            whole = components.said + truth.pairs
            f1 = 2 * components.right / whole if whole else 1.0
            if f1 > best:
                best, threshold = f1, probability[k]
    return threshold


def components_at(truth, pairs, threshold):
    components = Components(truth)
    for a, b in zip(pairs.a[: (count := pairs.at(threshold))].tolist(), pairs.b[:count].tolist()):
        components.join(a, b)
    return components.clusters()


def read_clusters(truth, path):
    """By unique_id; a record that is not named is alone."""
    cluster = -1 - np.arange(truth.n)
    names = {}
    with open(path, newline="") as file:
        reader = csv.reader(file)
        next(reader)
        for record, name in reader:
            cluster[int(record)] = names.setdefault(name, len(names))
    return cluster


def lines(truth, folder, given):
    """`given`: (threshold, chosen_by, file of clusters)."""
    folder = Path(folder)
    pairs = Pairs(truth, folder / "pairs.csv") if (folder / "pairs.csv").exists() else None
    for threshold, chosen_by, path in given:
        line = {"threshold": threshold, "chosen_by": chosen_by}
        if pairs is not None and threshold is not None:
            line |= pairs.rates(pairs.at(threshold))
        yield line | of_clusters(truth, read_clusters(truth, path))
    if pairs is None:
        return
    for threshold in FIXED:
        figures = pairs.rates(pairs.at(threshold)) | of_clusters(truth, components_at(truth, pairs, threshold))
        yield {"threshold": threshold, "chosen_by": "fixed"} | figures
    threshold = by_threshold(truth, pairs)
    figures = pairs.rates(pairs.at(threshold)) | of_clusters(truth, components_at(truth, pairs, threshold))
    best_f1, best_at = pairs.best()
    yield {"threshold": threshold, "chosen_by": "truth"} | figures | {"best_pair_f1": best_f1, "best_pair_threshold": best_at}


def rounded(line):
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in line.items()}


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip())
    truth = Truth(sys.argv[1])
    given = []
    for argument in sys.argv[3:]:
        label, _, path = argument.partition("=")
        chosen_by, _, threshold = label.partition(":")
        given.append((float(threshold) if threshold else None, chosen_by, path))
    print(json.dumps({"records": truth.n, "true_pairs": truth.pairs}))
    for line in lines(truth, sys.argv[2], given):
        print(json.dumps(rounded(line)))


if __name__ == "__main__":
    main()
