#!/usr/bin/env python3
"""Makes rides.jsonl and questions.jsonl, the same each time: python3 make.py

Rides with what they cost, by an invented tariff of a basic fare, a price a kilometre and one a minute, which goes up
half-way; and other rides, with what they will turn out to cost, which nobody tells the model.
"""

import json
import random


def ride(number, tariff):
    km, minutes = round(random.uniform(0.5, 3), 1), round(random.uniform(0.5, 3), 1)
    basic, per_km, per_minute = tariff
    fare = basic + per_km * km + per_minute * minutes + random.gauss(0, 0.1)
    return {"id": f"r{number}", "km": km, "minutes": minutes, "fare": round(fare, 2)}


random.seed(17)
OLD, NEW = (2.0, 1.2, 0.4), (3.0, 1.8, 0.5)
with open("rides.jsonl", "w") as out:
    for i in range(400):
        print(json.dumps(ride(i, OLD if i < 200 else NEW)), file=out)
with open("questions.jsonl", "w") as out:
    for i in range(24):
        print(json.dumps(ride(1000 + i, OLD if i < 12 else NEW)), file=out)
