#!/usr/bin/env python3
"""Makes readings.jsonl, the same each time: python3 make.py > readings.jsonl

Temperatures of four invented machines, five readings a second in turn. `press` runs hot for a moment, `oven` loses its
door, `mill` is moved to a warmer hall for good, and `pump` is as it always is.
"""

import json
import math
import random
from datetime import datetime, timedelta, timezone

random.seed(3)
at = datetime(2026, 3, 14, 9, 26, 53, tzinfo=timezone.utc)
for i in range(800):
    at += timedelta(milliseconds=25)
    sensor = ["mill", "oven", "press", "pump"][i % 4]
    value = {"mill": 35.0, "oven": 180.0, "press": 60.0, "pump": 42.0}[sensor]
    value += random.gauss(0, 1.5 if sensor == "oven" else 0.4) + 0.5 * math.sin(i / 60)
    if sensor == "press" and 300 <= i < 306:
        value += 15
    if sensor == "oven" and 500 <= i < 520:
        value -= 12 * (i - 498) / 4
    if sensor == "mill" and i >= 420:
        value += 6
    print(json.dumps({"sensor": sensor, "at": at.isoformat(timespec="milliseconds"), "value": round(value, 2)}))
