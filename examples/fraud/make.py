#!/usr/bin/env python3
"""Makes payments.jsonl, the same each time: python3 make.py > payments.jsonl

Payments with invented cards. Most people pay for small things in the country where they live; a few cards are in the
wrong hands.
"""

import json
import random
from datetime import datetime, timedelta, timezone

random.seed(23)
at = datetime(2026, 3, 14, 9, 0, 0, tzinfo=timezone.utc)
cards = {f"{1000 + 37 * i}": random.choice(["NO", "SE", "PT", "IT"]) for i in range(20)}
for i in range(400):
    at += timedelta(seconds=random.randint(10, 90))
    card = random.choice(list(cards))
    country, amount = cards[card], round(random.lognormvariate(3.2, 0.5), 2)
    # A holiday: half a day is enough for the way.
    if card == "1111" and i > 150:
        country = "IT" if cards[card] != "IT" else "PT"
    rows = [(card, country, amount)]
    if i in (120, 310):
        # Tried out with small amounts, one after the other.
        rows += [(card, country, round(random.uniform(1, 5), 2)) for _ in range(5)]
    if i == 200:
        rows = [(card, country, 1900.0)]
    if i == 260:
        rows += [(card, "US", 80.0)]
    for n, (card, country, amount) in enumerate(rows):
        when = at + timedelta(seconds=n)
        print(json.dumps({"id": f"p{i}" + (f".{n}" if n else ""), "card": card,
                          "at": when.isoformat(timespec="seconds"), "amount": amount, "country": country}))
