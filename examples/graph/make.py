#!/usr/bin/env python3
"""Makes answers.jsonl, the same each time: python3 make.py > answers.jsonl

Who answers whom in an invented forum. Most talk to a few whom all know; after a while `mira` says something that those few
want to talk about.
"""

import json
import random

USERS = """ada bela chen dora emil fatou goro hana ivo jun kofi lena mira noor olga pia quentin rosa sven tariq""".split()
KNOWN = ["ada", "goro", "noor", "tariq"]

random.seed(41)
for i in range(600):
    user = random.choice(USERS)
    to = random.choice(KNOWN) if random.random() < 0.5 else random.choice(USERS)
    if i >= 300 and user in KNOWN:
        to = "mira"
    if user != to:
        print(json.dumps({"user": user, "to": to}))
