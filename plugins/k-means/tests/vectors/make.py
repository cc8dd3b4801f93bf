#!/usr/bin/env python3
"""Makes vectors.json, the same each time: python3 make.py > vectors.json

A second implementation of streaming k-means, after the formulas and not after the plugin's code:
centers as weighted means, (n a c + sum of the new points) / (n a + m), with sums rounded once (math.fsum). The plugin goes
the way that Spark does, by shares. Both must come to the same within 1e-9.
"""

import json
import math
import random


def nearest(centers, point):
    distances = [math.dist(center, point) for center in centers]
    return distances.index(min(distances)), min(distances)


def learn(centers, weights, points, decay, unit):
    fade = decay if unit == "batches" else math.prod([decay] * len(points))
    mine = [[p for p in points if nearest(centers, p)[0] == c] for c in range(len(centers))]
    for c, points_of_c in enumerate(mine):
        before = weights[c] * fade
        weights[c] = before + len(points_of_c)
        if points_of_c:
            centers[c] = [math.fsum([before * old, *new]) / weights[c]
                          for old, *new in zip(centers[c], *points_of_c)]
    most, least = max(weights), min(weights)
    if least < 1e-8 * most:
        rich, poor = weights.index(most), weights.index(least)
        weights[rich] = weights[poor] = (most + least) / 2
        whole = centers[rich]
        centers[rich] = [x + 1e-14 * max(abs(x), 1) for x in whole]
        centers[poor] = [x - 1e-14 * max(abs(x), 1) for x in whole]


def around(center, spread, rng):
    return [rng.gauss(x, spread) for x in center]


def make_case(name, centers, weight, decay, unit, batches):
    """`batches` gives the points to train on; each batch is also asked about its first points and what lies between."""
    rng = random.Random(name)
    config = {"centers": [list(c) for c in centers], "weight": weight, "decay": decay, "time_unit": unit}
    centers, weights, out = [list(c) for c in centers], [weight] * len(centers), []
    for points in batches:
        learn(centers, weights, points, decay, unit)
        asked = points[:3] + [around(center, 2.0, rng) for center in centers]
        answers = [nearest(centers, point) for point in asked]
        out.append({"train": points, "centers": [list(c) for c in centers], "weights": list(weights), "ask": asked,
                    "clusters": [c for c, _ in answers], "distances": [d for _, d in answers]})
    return {"name": name, "config": config, "batches": out}


def drifting(dimensions, clusters, batches, seed):
    rng = random.Random(seed)
    places = [[rng.uniform(-10, 10) for _ in range(dimensions)] for _ in range(clusters)]
    for _ in range(batches):
        yield [around(rng.choice(places), 0.7, rng) for _ in range(rng.randint(1, 12))]
        places = [around(place, 0.3, rng) for place in places]


def starts(dimensions, clusters, seed):
    rng = random.Random(seed)
    return [[rng.uniform(-10, 10) for _ in range(dimensions)] for _ in range(clusters)]


CASES = [
    make_case("nothing is forgotten", starts(2, 3, 1), 0.0, 1.0, "batches", list(drifting(2, 3, 12, 2))),
    make_case("half is forgotten with a batch", starts(2, 3, 3), 1.0, 0.5, "batches", list(drifting(2, 3, 12, 4))),
    make_case("all is forgotten with a batch", starts(3, 2, 5), 10.0, 0.0, "batches", list(drifting(3, 2, 8, 6))),
    make_case("a hundredth is forgotten with a point", starts(3, 4, 7), 2.0, 0.99, "points", list(drifting(3, 4, 12, 8))),
    make_case("one cluster", starts(5, 1, 9), 0.0, 0.9, "batches", list(drifting(5, 1, 6, 10))),
    # The second center is far from everything, and dies in the last batch.
    make_case("a cluster dies", [[0.0, 0.0], [1000.0, 1000.0]], 1.0, 0.001, "batches",
         [[[1.0, 2.0], [2.0, 1.0]], [[3.0, 1.0], [1.0, 1.5]], [[2.0, 2.5], [0.5, 2.0], [1.0, 1.0]]]),
]

# A line a batch, so that a difference can be seen.
for i, case in enumerate(CASES):
    print("[" if i == 0 else ",", json.dumps({"name": case["name"], "config": case["config"]})[:-1] + ', "batches": [')
    print(",\n".join(json.dumps(batch) for batch in case["batches"]) + "]}")
print("]")
