"""The operator, run as the host runs it, under plain Python: `python -m pytest`."""

from plugin import Extremes, Reading
from weir import testing


def test_a_key_has_its_extremes_and_what_is_above_the_limit_is_rejected():
    readings = [Reading(20.5), Reading(19.0), Reading(900.0)]
    answer = testing.aggregate(Extremes, config={"limit": 100}).run([readings])
    assert answer.rows == [{"lowest": 19.0, "highest": 20.5}]
    assert answer.rejects == [(2, "900.0 is above 100.0")]
