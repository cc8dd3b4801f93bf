#!/usr/bin/env python3
"""Makes pickups.jsonl and cars.jsonl, the same each time: python3 make.py

Where people get into taxis, around three places of an invented town, one of which moves away in the course of the night;
and where free cars are.
"""

import json
import math
import random

PLACES = {"station": (1.0, 1.0), "stadium": (7.0, 2.0), "harbour": (4.0, 8.0)}

random.seed(5)
with open("pickups.jsonl", "w") as out:
    for i in range(600):
        place = random.choice(list(PLACES))
        x, y = PLACES[place]
        if place == "stadium":
            # After the match everybody walks to the bars.
            way = min(i / 400, 1.0)
            x, y = x + 2 * math.sin(way * math.pi / 2), y + 4 * way
        print(json.dumps({"x": round(random.gauss(x, 0.5), 2), "y": round(random.gauss(y, 0.5), 2)}), file=out)
with open("cars.jsonl", "w") as out:
    for i in range(24):
        car, x, y = f"car-{i % 4 + 1}", random.uniform(0, 9), random.uniform(0, 9)
        print(json.dumps({"car": car, "x": round(x, 2), "y": round(y, 2)}), file=out)
