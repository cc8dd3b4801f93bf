#!/usr/bin/env python3
"""Makes tweets.jsonl, the same each time: python3 make.py > tweets.jsonl

Users, texts and tags are invented. Tags are chosen by Zipf's law; #eclipse surges half-way through, and a few accounts
advertise #easymoney, which the example `spam` filters out.
"""

import json
import random
from datetime import datetime, timedelta, timezone

TWEETS = 4000
TAGS = """rust coffee music travel photography weekend football cooking books running space cats art news climbing
café 東京 garden chess cycling größe film history opensource sunrise λcalculus""".split()
WHAT = """morning walk|new recipe|late train|long read|first try|old song|night sky|small win|fresh bread|quiet street
slow computer|good friend|bad weather|second cup|last match|rainy window|lost key|big plan|empty beach|tiny robot""".replace("\n", "|").split("|")
TEXTS = ["Nothing beats a {} today", "Thinking about a {}", "My {} and I", "Ask me about my {}", "That {} again…",
         "A {} is all I need", "Who else has a {}?", "Finally: a {}! 🎉", "“{}”, she said", "Trop bien, ce {}"]
NAMES = "ada bela chen dora emil fatou goro hana ivo jun kofi lena mira noor olga pia quentin rosa sven tariq".split()
SPAMMERS = ["get_rich_4u", "best_dealz", "crypto_uncle", "totally_real_bot"]

random.seed(7)
at = datetime(2026, 3, 14, 9, 26, 53, tzinfo=timezone.utc)
for i in range(TWEETS):
    at += timedelta(milliseconds=random.randint(200, 1800))
    user = f"{random.choice(NAMES)}{random.randint(1, 40)}"
    text = random.choice(TEXTS).format(random.choice(WHAT))
    weights = [1 / rank for rank in range(1, len(TAGS) + 1)]
    tags = random.choices(TAGS, weights, k=random.choice([0, 1, 1, 1, 2, 2, 3]))
    if 1500 <= i < 3000 and random.random() < 0.25:
        tags.append("eclipse")
    if random.random() < 0.2:
        text = f"@{random.choice(NAMES)}{random.randint(1, 40)} {text}"
    if random.random() < 0.06:
        user, text, tags = random.choice(SPAMMERS), "You will not believe this", ["easymoney"] + tags[:1]
    text = " ".join([text, *(f"#{tag}" for tag in tags)])
    print(json.dumps({"user": user, "at": at.isoformat(timespec="milliseconds"), "text": text}, ensure_ascii=False))
