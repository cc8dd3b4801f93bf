#!/usr/bin/env python3
"""Makes clicks.jsonl, the same each time: python3 make.py > clicks.jsonl

Clicks of invented visitors, as many a second as the pipeline replays. Each comes, clicks for a while and leaves; some come
back.
"""

import json
import random
from datetime import datetime, timedelta, timezone

random.seed(29)
start = datetime(2026, 3, 14, 9, 26, 53, tzinfo=timezone.utc)
clicks = []
for user in "ann ben cleo dan eva finn gus otto tess".split():
    time = random.uniform(0, 3)
    for _ in range(random.randint(1, 3)):
        for _ in range(random.randint(2, 14)):
            clicks.append((time, user))
            time += random.uniform(0.05, 0.9)
        time += random.uniform(2.2, 6)
clicks = sorted(click for click in clicks if click[0] < 14)
# So many a second, that the pipeline's rate is the pace of the clicks.
for i, (_, user) in enumerate(clicks):
    at = start + timedelta(seconds=clicks[i][0])
    print(json.dumps({"user": user, "at": at.isoformat(timespec="milliseconds")}))
