#!/usr/bin/env python3
"""Makes tweets.jsonl, the same each time: python3 make.py > tweets.jsonl

Users and texts are invented. Everybody has good and bad days; `otto` is always happy, `tess` falls silent half-way.
"""

import json
import random

USERS = "ann ben cleo dan eva finn gus otto tess".split()
HAPPY = ["what a great day :)", "I love this song", "so happy with the garden", "best coffee ever", "wonderful evening"]
SAD = ["awful weather", "I hate waiting", "so sad today :(", "the worst train ever", "terrible headache"]
NEITHER = ["going to the shop", "lunch", "on my way", "reading a book", "Monday again"]

random.seed(11)
for i in range(240):
    user = random.choice(USERS[:-1] if i >= 100 else USERS)
    good = 0.95 if user == "otto" else 0.3 + 0.4 * ((i // 60 + len(user)) % 2)
    kind = HAPPY if random.random() < good else SAD
    text = random.choice(NEITHER if random.random() < 0.2 and user != "otto" else kind)
    print(json.dumps({"user": user, "text": text}))
