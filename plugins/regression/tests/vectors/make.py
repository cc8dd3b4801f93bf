#!/usr/bin/env python3
"""Makes vectors.json, the same each time: python3 make.py > vectors.json

A second implementation of the streaming regressions, after the formulas and not after the plugin's code: the gradient of
the mean loss over the batch, coordinate by coordinate, with sums rounded once (math.fsum). The plugin adds up row by row,
as Spark does. Both must come to the same within 1e-9.
"""

import json
import math
import random


def answer(kind, weights, features):
    margin = math.fsum(w * x for w, x in zip(weights, features))
    if kind == "linear":
        return margin
    # Either side of 0 by the form that cannot overflow.
    return 1 / (1 + math.exp(-margin)) if margin >= 0 else math.exp(margin) / (1 + math.exp(margin))


def descend(kind, weights, rows, step, iterations, tolerance):
    for i in range(1, iterations + 1):
        errors = [answer(kind, weights, features) - label for label, features in rows]
        slope = [math.fsum(e * features[j] for e, (_, features) in zip(errors, rows)) / len(rows)
                 for j in range(len(weights))]
        moved = [w - step / math.sqrt(i) * s for w, s in zip(weights, slope)]
        change, size = math.dist(weights, moved), math.hypot(*moved)
        weights = moved
        # The first step is never the last: Spark compares what two steps have given.
        if i > 1 and change < tolerance * max(size, 1):
            break
    return weights


def make_case(name, dimensions, batches, seed, **config):
    rng = random.Random(seed)
    kind = config["model"]
    truth = [rng.uniform(-2, 2) for _ in range(dimensions)]
    weights, points, out = list(config["weights"]), 0.0, []
    for _ in range(batches):
        rows = []
        for _ in range(rng.randint(1, 12)):
            features = [1.0] + [rng.uniform(-1.5, 1.5) for _ in range(dimensions - 1)]
            margin = sum(t * x for t, x in zip(truth, features)) + rng.gauss(0, 0.2)
            rows.append((margin if kind == "linear" else float(margin > 0), features))
        found = descend(kind, weights, rows, config.get("step_size", 0.1), config.get("iterations", 50),
                        config.get("tolerance", 0.001))
        decay = config.get("decay", 0.0)
        fade = decay if config.get("time_unit", "batches") == "batches" else math.prod([decay] * len(rows))
        points = points * fade + len(rows)
        weights = [old + (new - old) * len(rows) / points for old, new in zip(weights, found)]
        ask = [[1.0] + [rng.uniform(-3, 3) for _ in range(dimensions - 1)] for _ in range(4)]
        out.append({"train": rows, "weights": weights, "points": points, "ask": ask,
                    "answers": [answer(kind, weights, features) for features in ask]})
        truth = [t + rng.gauss(0, 0.05) for t in truth]
    return {"name": name, "config": config, "batches": out}


CASES = [
    make_case("a line, as Spark's defaults are", 2, 10, 1, model="linear", weights=[0.0, 0.0]),
    make_case("a plane in few large steps", 4, 10, 2, model="linear", weights=[0.5, -0.5, 0.0, 1.0], step_size=0.5,
         iterations=7, tolerance=0.0),
    make_case("a line that fades by batches", 3, 10, 3, model="linear", weights=[0.0] * 3, decay=0.7),
    make_case("a line that fades by points", 3, 10, 4, model="linear", weights=[0.0] * 3, decay=0.98, time_unit="points"),
    make_case("a line that stops early", 2, 6, 5, model="linear", weights=[0.0, 0.0], tolerance=0.05),
    make_case("a class, as Spark's defaults are", 2, 10, 6, model="logistic", weights=[0.0, 0.0]),
    make_case("a class in many steps that fades", 5, 10, 7, model="logistic", weights=[0.1] * 5, step_size=2.0,
         iterations=100, tolerance=1e-6, decay=0.5),
]

# A line a batch, so that a difference can be seen.
for i, case in enumerate(CASES):
    print("[" if i == 0 else ",", json.dumps({"name": case["name"], "config": case["config"]})[:-1] + ', "batches": [')
    print(",\n".join(json.dumps(batch) for batch in case["batches"]) + "]}")
print("]")
