"""The operator, run as the host runs it, under plain Python: `python -m pytest`."""

from datetime import UTC, datetime, timedelta
from math import nan

from plugin import Moves, Reading
from weir import testing

START = datetime(2024, 1, 1, tzinfo=UTC)


def test_a_move_is_told_across_batches_until_the_sensor_is_forgotten():
    run = testing.state(Moves, key="sensor", config={"by": 1}, timeout=timedelta(minutes=1))

    answer = run.batch(START, {"roof": [Reading(20.0), Reading(20.5), Reading(nan)]})
    assert answer.rows == [{"sensor": "roof", "before": None, "now": 20.0}]
    assert answer.rejects == [(2, "nan is no measurement")]

    answer = run.batch(START + timedelta(seconds=1), {"roof": [Reading(21.5)]})
    assert answer.rows == [{"sensor": "roof", "before": 20.0, "now": 21.5}]
    assert run.states == {"roof": {"value": 21.5}}

    run.batch(START + timedelta(seconds=61))
    assert run.states == {}
