#!/usr/bin/env python3
"""Synthetic persons, several records each: families at one address, with one telephone and one e-mail address,
nicknames, moves, names changed by marriage, typing errors, missing and placeholder values.

    generate.py RECORDS FILE [SEED]

The same arguments give the same file. Columns: unique_id, first_name, last_name, birth_date, email, phone, street,
city, postcode; and what nobody may look at but to score: cluster (the person) and household.
"""

import sys
from itertools import product

import numpy as np

from words import (
    CITY_ENDS, CITY_STARTS, ENDS_OF_MEN, ENDS_OF_WOMEN, FEMALE, FIRST_MIDDLES, FIRST_STARTS, HOSTS, KINDS, LAST,
    LAST_ENDS, LAST_MIDDLES, LAST_STARTS, MALE, NICKNAMES, NO_EMAIL, NO_NAME, NO_PHONE, STREETS,
)  # fmt: skip

COLUMNS = "unique_id first_name last_name birth_date email phone street city postcode cluster household".split()
HOUSEHOLDS = 20_000  # at a time
NOW = 2025
LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"), dtype=object)
# Who types hits the key beside.
BESIDE = {
    "a": "qsz", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk", "k": "jl",
    "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "wa", "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb",
    "w": "qe", "x": "zc", "y": "tu", "z": "xs", "0": "9", "1": "2", "2": "13", "3": "24", "4": "35", "5": "46", "6": "57",
    "7": "68", "8": "79", "9": "80",
}  # fmt: skip


def ranked(common, rare, share, rng):
    """Names and how likely each is: `share` of all have a rare one."""
    rng.shuffle(rare)
    first = 1 / (np.arange(len(common)) + 8) ** 0.9
    rest = 1 / (np.arange(len(rare)) + 200) ** 0.7
    weights = np.concatenate([first / first.sum() * (1 - share), rest / rest.sum() * share])
    return np.array(common + rare, dtype=object), np.cumsum(weights / weights.sum())


class World:
    """Names, streets and cities: the same for any size."""

    def __init__(self, seed):
        rng = np.random.default_rng([seed, 0])
        rare = ["".join(parts) for parts in product(LAST_STARTS, LAST_MIDDLES, LAST_ENDS)]
        rng.shuffle(rare)
        rare = [s + e for s, e in product(LAST_STARTS, LAST_ENDS)] + rare[:40_000]
        self.last = ranked(LAST, sorted(set(rare) - set(LAST)), 0.45, rng)
        self.female = ranked(FEMALE, self.rare_first(ENDS_OF_WOMEN), 0.12, rng)
        self.male = ranked(MALE, self.rare_first(ENDS_OF_MEN), 0.10, rng)
        names = [a + b for a, b in product(CITY_STARTS, CITY_ENDS)]
        rng.shuffle(names)
        size = 1 / (np.arange(len(names)) + 4) ** 0.9
        self.cities = np.array(names, dtype=object), np.cumsum(size / size.sum())
        self.codes = np.maximum(1, (size / size.sum() * 2_000).astype(int))
        self.first_code = 10_000 + np.cumsum(self.codes + 7)
        tails = [a + b for a, b in product(CITY_STARTS, ["wood", "brook", "crest", "field", "view", "dale", "side", "stone"])]
        streets = sorted(set(STREETS)) + sorted(tails)
        weight = np.concatenate([1 / (np.arange(len(set(STREETS))) + 5) ** 0.6, np.full(len(tails), 0.06)])
        self.streets = np.array(streets, dtype=object), np.cumsum(weight / weight.sum())
        share = np.array([share for _, share in HOSTS], dtype=float)
        self.hosts = np.array([host for host, _ in HOSTS], dtype=object), np.cumsum(share / share.sum())

    @staticmethod
    def rare_first(ends):
        return sorted({"".join(parts) for parts in product(FIRST_STARTS, FIRST_MIDDLES, ends)})


def draw(rng, choice, n):
    names, upto = choice
    return names[np.minimum(np.searchsorted(upto, rng.random(n)), len(names) - 1)]


class Chunk:
    """Some households, their members, and what their records say."""

    def __init__(self, world, rng):
        self.world, self.rng = world, rng
        self.people()
        self.addresses()
        self.contacts()

    def chance(self, n, p):
        return self.rng.random(n) < p

    def people(self):
        rng, world = self.rng, self.world
        size = rng.choice([1, 2, 3, 4, 5, 6], HOUSEHOLDS, p=[0.28, 0.34, 0.16, 0.13, 0.06, 0.03])
        self.household = np.repeat(np.arange(HOUSEHOLDS), size)
        self.n = n = len(self.household)
        head = np.cumsum(size) - size
        place = np.arange(n) - head[self.household]
        self.child = place >= 2
        partner = place == 1
        flatmate = partner & self.chance(n, 0.15)

        born = rng.integers(1935, 2000, n)
        of_head = born[head][self.household]
        born = np.where(partner & ~flatmate, of_head + rng.integers(-5, 6, n), born)
        born = np.where(self.child, of_head + rng.integers(20, 40, n), born)
        self.born = np.minimum(born, 2018)
        day = (rng.integers(0, 365, n)).astype("timedelta64[D]")
        self.birth = (self.born - 1970).astype("datetime64[Y]").astype("datetime64[D]") + day
        twin = np.flatnonzero(self.child & (place >= 3) & self.chance(n, 0.02))
        self.birth[twin] = self.birth[twin - 1]
        self.birth_text = np.datetime_as_string(self.birth).astype(object)

        woman = self.chance(n, 0.5)
        woman = np.where(partner & ~flatmate, ~woman[head][self.household], woman)
        self.first = np.where(woman, draw(rng, world.female, n), draw(rng, world.male, n))
        junior = np.flatnonzero(self.child & ~woman & ~woman[head][self.household] & self.chance(n, 0.05))
        self.first[junior] = self.first[head[self.household[junior]]]

        family = draw(rng, world.last, HOUSEHOLDS)[self.household]
        own = draw(rng, world.last, n)
        keeps = self.chance(n, 0.12)
        self.last = np.where(flatmate | (partner & keeps), own, family)
        # A wife's name before she married.
        self.maiden = own
        marries = partner & ~flatmate & ~keeps & woman
        grown = self.child & woman & (self.born < 1998) & self.chance(n, 0.45)
        self.married_in = np.where(marries | grown, self.born + rng.integers(20, 38, n), 0)
        # A daughter takes another name, where a wife had another.
        self.maiden = np.where(grown, self.last, self.maiden)
        self.last = np.where(grown, own, self.last)

    def addresses(self):
        """Three each: of the family, of the family after it moved, of those who left."""
        rng, n = self.rng, self.n
        of_family = [self.address(HOUSEHOLDS) for _ in range(2)]
        first, second = ([part[self.household] for part in address] for address in of_family)
        self.where = list(zip(first, second, self.address(n)))
        moved = np.where(self.chance(HOUSEHOLDS, 0.45), rng.integers(2006, NOW + 4, HOUSEHOLDS), 9_999)
        self.moved_in = moved[self.household]
        leaves = self.child & (self.born < 2003) & self.chance(n, 0.7)
        alone = self.chance(n, 0.08)
        year = np.where(leaves, self.born + rng.integers(18, 30, n), rng.integers(2006, NOW + 4, n))
        self.left_in = np.where(leaves | alone, year, 9_999)

    def address(self, n):
        rng, world = self.rng, self.world
        number = (rng.pareto(0.7, n) * 60).astype(int) % 9_900 + 1
        kind = np.minimum(rng.geometric(0.25, n) - 1, len(KINDS) - 1)
        flat = np.where(self.chance(n, 0.22), rng.integers(1, 60, n), 0)
        names, upto = world.cities
        city = np.minimum(np.searchsorted(upto, rng.random(n)), len(names) - 1)
        code = world.first_code[city] + (rng.random(n) ** 2 * world.codes[city]).astype(int)
        return number, draw(rng, world.streets, n), kind, flat, names[city], code

    def contacts(self):
        rng, world, n = self.rng, self.world, self.n
        of_family = self.numbers(HOUSEHOLDS)[self.household]
        self.home = np.where(self.chance(HOUSEHOLDS, 0.55)[self.household], of_family, "")
        self.mobile = [self.numbers(n), self.numbers(n)]
        self.number_changed = np.where(self.chance(n, 0.3), rng.integers(2006, NOW + 4, n), 9_999)
        self.email = [self.mailboxes(self.first, self.last), self.mailboxes(self.first, self.last)]
        head = np.searchsorted(self.household, np.arange(HOUSEHOLDS))
        family = self.mailboxes(self.first[head], self.last[head], of_family=True)
        self.shared_email = np.where(self.chance(HOUSEHOLDS, 0.3), family, "")[self.household]

    def numbers(self, n):
        area = 201 + (self.rng.random(n) ** 1.6 * 700).astype(int)
        rest = self.rng.integers(2_000_000, 9_999_999, n)
        return np.array([f"{a}{r}" for a, r in zip(area.tolist(), rest.tolist())], dtype=object)

    def mailboxes(self, first, last, of_family=False):
        rng, n = self.rng, len(first)
        hosts = draw(rng, self.world.hosts, n)
        style = rng.integers(0, 7, n)
        digits = rng.integers(1, 100, n)
        boxes = []
        for f, l, host, s, d in zip(first, last, hosts, style.tolist(), digits.tolist()):
            if of_family:
                box = (f"the{l}s{d}", f"{l}family{d}", f"{l}.home{d}")[s % 3]
            else:
                box = (f"{f}.{l}", f"{f[0]}{l}{d}", f"{f}{d}", f"{f}_{l}{d}", f"{f}{l}", f"{l}.{f}{d}", f"{f}.{l}{d}")[s]
            boxes.append(f"{box}@{host}")
        return np.array(boxes, dtype=object)

    def records(self):
        """The columns but unique_id, cluster and household in numbers of this chunk, in a random order."""
        rng = self.rng
        many = rng.choice([1, 2, 3, 4, 5, 6, 7], self.n, p=[0.42, 0.28, 0.15, 0.08, 0.04, 0.02, 0.01])
        person = rng.permutation(np.repeat(np.arange(self.n), many))
        n = len(person)
        year = np.maximum(NOW - (rng.random(n) * 20).astype(int), np.minimum(self.born[person] + 1, NOW))
        first, last = self.names(person, year)
        street, city, code = self.places(person, year)
        columns = [
            first,
            last,
            self.births(person),
            self.emails(person, year),
            self.phones(person, year),
            street,
            city,
            code,
        ]
        return columns, person, self.household[person]

    def at(self, n, p):
        return np.flatnonzero(self.chance(n, p)).tolist()

    def names(self, person, year):
        n = len(person)
        first = self.first[person]
        married = self.married_in[person]
        last = np.where((married > year) & (married > 0), self.maiden[person], self.last[person])
        for i in self.at(n, 0.16):
            short = NICKNAMES.get(first[i])
            if short:
                first[i] = short[int(self.rng.integers(len(short)))]
        for i in self.at(n, 0.02):
            first[i] = first[i][0]
        for i in self.at(n, 0.02):
            first[i] = first[i] + " " + LETTERS[int(self.rng.integers(26))]
        for i in self.at(n, 0.008):
            first[i], last[i] = last[i], first[i]
        for i in np.flatnonzero((married > 0) & (married <= year) & self.chance(n, 0.06)).tolist():
            last[i] = f"{self.maiden[person[i]]}-{last[i]}"
        self.mistype(first, 0.035)
        self.mistype(last, 0.04)
        for i in self.at(n, 0.002):
            first[i] = NO_NAME[int(self.rng.integers(len(NO_NAME)))]
        self.leave_out(first, 0.02)
        self.leave_out(last, 0.015)
        way = self.rng.random(n)
        for column in (first, last):
            for i in np.flatnonzero(way < 0.45).tolist():
                column[i] = column[i].title()
            for i in np.flatnonzero(way > 0.85).tolist():
                column[i] = column[i].upper()
        return first, last

    def births(self, person):
        n = len(person)
        birth = self.birth_text[person]
        for i in self.at(n, 0.025):
            at = (3, 5, 6, 8, 9)[int(self.rng.integers(5))]
            birth[i] = birth[i][:at] + str(int(self.rng.integers(10))) + birth[i][at + 1 :]
        for i in self.at(n, 0.012):
            year, month, day = birth[i].split("-")
            if int(day) <= 12:
                birth[i] = f"{year}-{day}-{month}"
        for i in self.at(n, 0.01):
            birth[i] = birth[i][:4] + "-01-01"
        for i in self.at(n, 0.012):
            birth[i] = ("1900-01-01", "1970-01-01")[int(self.rng.integers(2))]
        self.leave_out(birth, 0.25)
        return birth

    def emails(self, person, year):
        n = len(person)
        second = self.chance(n, 0.3)
        email = np.where(second, self.email[1][person], self.email[0][person])
        shared = self.shared_email[person]
        email = np.where((shared != "") & self.chance(n, 0.3), shared, email)
        self.mistype(email, 0.02)
        for i in self.at(n, 0.008):
            email[i] = NO_EMAIL[min(int(self.rng.exponential(1.3)), len(NO_EMAIL) - 1)]
        self.leave_out(email, 0.35)
        return email

    def phones(self, person, year):
        n = len(person)
        phone = np.where(self.number_changed[person] <= year, self.mobile[1][person], self.mobile[0][person])
        home = self.home[person]
        phone = np.where((home != "") & self.chance(n, 0.35), home, phone)
        self.mistype(phone, 0.02)
        for i in self.at(n, 0.006):
            phone[i] = NO_PHONE[min(int(self.rng.exponential(1)), len(NO_PHONE) - 1)]
        self.leave_out(phone, 0.3)
        way = self.rng.random(n)
        for i in np.flatnonzero(way < 0.6).tolist():
            p = phone[i]
            if len(p) == 10:
                w = way[i]
                phone[i] = f"({p[:3]}) {p[3:6]}-{p[6:]}" if w < 0.25 else f"{p[:3]}-{p[3:6]}-{p[6:]}" if w < 0.45 else f"+1{p}"
        return phone

    def places(self, person, year):
        n = len(person)
        which = (self.moved_in[person] <= year).astype(int)
        which[self.left_in[person] <= year] = 2
        number, name, kind, flat, city, code = (np.choose(which, [a[person] for a in part]) for part in self.where)
        short = self.chance(n, 0.6).tolist()
        no_flat = self.chance(n, 0.3).tolist()
        street = []
        for i, (a, b, k, f) in enumerate(zip(number.tolist(), name, kind.tolist(), flat.tolist())):
            text = f"{a} {b} {KINDS[k][short[i]]}"
            if f and not no_flat[i]:
                text += f" apt {f}" if short[i] else f" #{f}"
            street.append(text)
        street = np.array(street, dtype=object)
        code = code.astype(str).astype(object)
        self.mistype(street, 0.035)
        self.mistype(city, 0.015)
        self.mistype(code, 0.015)
        for column, p in ((street, 0.15), (city, 0.08), (code, 0.12)):
            self.leave_out(column, p)
        return street, city, code

    def leave_out(self, column, p):
        column[self.chance(len(column), p)] = ""

    def mistype(self, column, p):
        """One slip in a text: a letter left out, doubled, swapped with the next, or the key beside it."""
        where = self.at(len(column), p)
        draws = self.rng.random((len(where), 3)).tolist()
        for i, (at, how, which) in zip(where, draws):
            text = column[i]
            if len(text) < 3:
                continue
            k = 1 + int(at * (len(text) - 1))
            if text[k] in "@.":
                k -= 1
            if how < 0.25:
                text = text[:k] + text[k + 1 :]
            elif how < 0.4:
                text = text[:k] + text[k] + text[k:]
            elif how < 0.65:
                text = text[: k - 1] + text[k] + text[k - 1] + text[k + 1 :]
            else:
                keys = BESIDE.get(text[k], "e")
                text = text[:k] + keys[int(which * len(keys))] + text[k + 1 :]
            column[i] = text


def generate(records, path, seed):
    world = World(seed)
    written = persons = households = 0
    with open(path, "w", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        chunk = 0
        while written < records:
            chunk += 1
            made = Chunk(world, np.random.default_rng([seed, chunk]))
            columns, person, household = made.records()
            n = min(len(person), records - written)
            lists = [column[:n].tolist() for column in columns]
            ids = range(written, written + n)
            rows = zip(
                map(str, ids),
                *lists,
                map(str, (person[:n] + persons).tolist()),
                map(str, (household[:n] + households).tolist()),
            )
            file.writelines(",".join(row) + "\n" for row in rows)
            written += n
            persons += made.n
            households += HOUSEHOLDS


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__.strip())
    generate(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1)
