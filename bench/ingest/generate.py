#!/usr/bin/env python3
"""Messages of invented people, one JSON object a line: ready for COPY cdp.inbox (message).

    generate.py MESSAGES [--persons N] [--seed N] [--end YYYY-MM-DD] > messages

85 % are track, 15 % identify, 350 to 450 bytes each. A person has one user id, one e-mail and one
browser, every third a second; some are far busier than others. A quarter of the tracks know only the browser. Times
run through the 60 days before `--end` (today), nearly in order. The same arguments give the same bytes.
"""

import argparse
import datetime
import itertools
import random
import sys

DAYS = 60
EVENTS = ["Product Viewed", "Product List Viewed", "Product Added", "Checkout Started", "Order Completed"]
WEIGHTS = [50, 20, 12, 8, 10]
CATEGORIES = ["shoes", "coats", "books", "garden", "kitchen", "toys", "music", "bicycles"]
COUNTRIES = ["PT", "BR", "DE", "FR", "ES", "US", "GB", "NL", "PL", "IT"]
PLANS = ["free", "free", "free", "basic", "basic", "pro"]
NAMES = ["Ana", "Bruno", "Carla", "Diego", "Elena", "Felix", "Greta", "Hugo", "Ines", "Jonas"]
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"


def email(person: int) -> str:
    """The e-mail of a person, of whom some message may never tell it."""
    return f"person{person}@example.com"


def browser(person: int, number: int) -> str:
    """The anonymous id of one of a person's browsers."""
    mixed = ((person * 4 + number) * 0x9E3779B97F4A7C15) % (1 << 64)
    return f"{mixed >> 32:08x}-{mixed >> 16 & 0xFFFF:04x}-4{mixed & 0xFFF:03x}-8a{person % 100:02d}-{person:012x}"


def messages(count: int, persons: int, seed: int, end: datetime.date):
    """All messages, as text."""
    rng = random.Random(seed)
    chance = rng.random
    midnight = datetime.datetime.combine(end, datetime.time())
    start = midnight - datetime.timedelta(days=DAYS)
    step = DAYS * 86_400 / count
    events = list(itertools.accumulate(WEIGHTS))
    for n in range(count):
        # The busiest tenth of the people sends a quarter of the messages.
        person = int(persons * chance() ** 1.6)
        seconds = max(0.0, n * step - 3600 * chance())
        time = (start + datetime.timedelta(seconds=seconds)).isoformat(timespec="milliseconds") + "Z"
        anonymous = browser(person, int((1 + (person % 3 == 0)) * chance()))
        sku = int(5_000 * chance())
        context = (
            f'"context":{{"ip":"10.{person & 255}.{sku & 255}.7","userAgent":"{AGENT}",'
            f'"library":{{"name":"analytics.js","version":"2.1.0"}},"page":{{"path":"/p/sku-{sku}"}}}}'
        )
        head = f'"messageId":"ajs-{seed:x}-{n:012x}","timestamp":"{time}"'
        if chance() < 0.15:
            yield (
                f'{{"type":"identify",{head},"userId":"u{person}","anonymousId":"{anonymous}",'
                f'"traits":{{"email":"{email(person)}","firstName":"{NAMES[person % 10]}",'
                f'"country":"{COUNTRIES[person // 10 % 10]}","plan":"{PLANS[int(6 * chance())]}",'
                f'"age":{18 + person % 60}}},{context}}}'
            )
            continue
        known = chance()
        who = ""
        if known >= 0.25:
            who += f',"userId":"u{person}"'
        if known < 0.85:
            who += f',"anonymousId":"{anonymous}"'
        event = rng.choices(EVENTS, cum_weights=events)[0]
        category = CATEGORIES[sku % 8]
        if event == "Order Completed":
            properties = f'"order_id":"o-{n}","total":{sku / 10},"currency":"EUR","items":{1 + sku % 4}'
        else:
            properties = f'"product_id":"sku-{sku}","price":{sku / 100},"currency":"EUR","category":"{category}"'
        yield f'{{"type":"track","event":"{event}",{head}{who},"properties":{{{properties}}},{context}}}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("messages", type=int)
    parser.add_argument("--persons", type=int, help="default: a tenth of the messages")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--end", type=datetime.date.fromisoformat, help="default: today (UTC)")
    given = parser.parse_args()
    end = given.end or datetime.datetime.now(datetime.timezone.utc).date()
    persons = given.persons or max(1, given.messages // 10)
    out = messages(given.messages, persons, given.seed, end)
    while chunk := list(itertools.islice(out, 10_000)):
        sys.stdout.write("\n".join(chunk) + "\n")


if __name__ == "__main__":
    main()
