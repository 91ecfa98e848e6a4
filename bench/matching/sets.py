#!/usr/bin/env python3
"""The sets of records, each as one CSV that every tool reads: unique_id, the columns of sets.json, side (a or b where
two files are linked), and cluster, the truth.

    sets.py FOLDER [NAME…]        writes FOLDER/NAME.csv; CDP_BENCH_DATA says where the files of persons are
    sets.py --list

Only what all need is put right here: dates are written in one way, an address has the same columns in every file, an
empty value is empty. What a tool wants besides, it does itself and in its own time.
"""

import csv
import gzip
import json
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("CDP_BENCH_DATA") or HERE.parents[1] / "data")
SETS = json.loads((HERE / "sets.json").read_text())
SIZES = {"100k": 100_000, "1m": 1_000_000, "10m": 10_000_000}
SEED = 1


def specification(name):
    """Kind and columns of a set; persons-1m and persons-1m-2 (with another seed) are of `persons`."""
    return SETS["persons" if name.startswith("persons-") else name]


def names():
    return [name for name in SETS if name != "persons"] + [f"persons-{size}" for size in SIZES]


def rows(*path):
    path = DATA.joinpath(*path)
    opened = gzip.open(path, "rt", newline="") if path.suffix == ".gz" else open(path, newline="")
    with opened as file:
        reader = csv.reader(file, skipinitialspace=True)
        header = [column.strip() for column in next(reader)]
        for row in reader:
            yield dict(zip(header, (value.strip() for value in row)))


def iso(date):
    """05/06/1994 and 19191204 as 1994-05-06 and 1919-12-04; what is no date stays."""
    if found := re.fullmatch(r"(\w\w)/(\w\w)/(\w{4})", date):
        return f"{found[3]}-{found[1]}-{found[2]}"
    if found := re.fullmatch(r"(\w{4})(\w\w)(\w\w)", date):
        return f"{found[1]}-{found[2]}-{found[3]}"
    return date


def people(file):
    """A row of one of the five files, in the columns of all."""
    for row in rows("people", f"{file}.csv.gz"):
        get = row.get
        mail = "mailing_address_" if "mailing_address_city" in row else ""
        box = get("mailing_address_po_box", "")
        yield {
            "first_name": row["first_name"],
            "middle_name": get("middle_initial") or get("middle_name", ""),
            "last_name": row["last_name"],
            "birth_date": iso(get("date_of_birth", "")),
            "ssn": get("ssn", ""),
            "street_number": get(mail + "street_number", "") or box,
            "street_name": get(mail + "street_name", "") or ("po box" if box else ""),
            "unit": get(mail + "unit_number", ""),
            "city": get(mail + "city", ""),
            "state": get(mail + "state", ""),
            "zip": get(mail + "zipcode", ""),
            "sex": get("sex", ""),
            "cluster": row["simulant_id"],
        }


def sided(a, b):
    yield from ({**row, "side": "a"} for row in a)
    yield from ({**row, "side": "b"} for row in b)


def febrl(file):
    for row in rows("febrl", f"{file}.csv"):
        yield {**row, "date_of_birth": iso(row["date_of_birth"]), "cluster": row["rec_id"].split("-")[1]}


def read(name):
    if name == "fake_1000":
        return rows("fake", "fake_1000.csv")
    if name == "febrl3":
        return febrl("dataset3")
    if name == "febrl4":
        return sided(febrl("dataset4a"), febrl("dataset4b"))
    if name == "historical_a":
        return rows("historical", "historical_a.csv.gz")
    if name == "people":
        files = ("census_2020", "census_2030", "ssa_2020", "tax1040_2020", "w2_2020")
        return (row for file in files for row in people(file))
    if name == "payroll_to_tax":
        return sided(people("w2_2020"), people("tax1040_2020"))
    if name == "census_to_census":
        return sided(people("census_2020"), people("census_2030"))
    if name == "census_to_ssa":
        return sided(people("census_2020"), people("ssa_2020"))
    raise SystemExit(f"there is no set {name}; there are {', '.join(names())}")


def prepare(name, folder):
    """Writes a set, if it is not there yet; its path."""
    path = Path(folder) / f"{name}.csv"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    if name.startswith("persons-"):
        from generate import generate

        size, _, seed = name.removeprefix("persons-").partition("-")
        generate(SIZES[size], partial, int(seed or SEED))
    else:
        write(name, partial)
    partial.rename(path)
    return path


def write(name, path):
    spec = specification(name)
    columns = ["unique_id", *spec["columns"], *(["side"] if spec["kind"] == "link" else []), "cluster"]
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for number, row in enumerate(read(name)):
            writer.writerow({**row, "unique_id": number})


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(names()))
    elif len(sys.argv) > 1:
        for name in sys.argv[2:] or [name for name in names() if not name.startswith("persons-10m")]:
            print(prepare(name, sys.argv[1]))
    else:
        sys.exit(__doc__.strip())
