"""Functions over whole columns."""

from array import array
from dataclasses import dataclass

import pytest
import weir
from weir import testing


@dataclass
class Sample:
    value: float | None
    name: str


@dataclass
class Square:
    square: float | None


@weir.batch
def squares(samples: weir.Rows[Sample]) -> weir.Answer[Square]:
    answer = weir.Answer(None, square=[v and v * v for v in samples.value.values()])
    return answer


def test_columns_come_and_go_as_lists():
    answer = testing.transform(squares).run([{"value": 3.0, "name": "a"}, {"value": None, "name": "b"}])
    assert answer.rows == [{"square": 9.0}, {"square": None}]


@dataclass
class Initial:
    initial: str


@weir.batch(keep=["value"])
def initials(samples: weir.Rows[Sample]) -> weir.Answer[Initial]:
    name = samples.name
    lengths = [end - start for start, end in zip(name.offsets, name.offsets[1:])]
    named = [row for row, length in enumerate(lengths) if length]
    answer = weir.Answer(array("I", named), initial=name.slices([name.offsets[row] for row in named], [1] * len(named)))
    for row, length in enumerate(lengths):
        if not length:
            answer.reject(row, "no name")
    return answer


def test_text_is_cut_out_of_the_input():
    rows = [{"value": 1.0, "name": "ann"}, {"value": 2.0, "name": ""}, {"value": 3.0, "name": "bob"}]
    answer = testing.transform(initials).run(rows)
    assert answer.rows == [{"value": 1.0, "initial": "a"}, {"value": 3.0, "initial": "b"}]
    assert answer.rejects == [(1, "no name")]


def test_an_answer_has_the_columns_that_were_announced():
    @weir.batch
    def wrong(samples: weir.Rows[Sample]) -> weir.Answer[Square]:
        return weir.Answer(None, cube=[])

    with pytest.raises(weir.Failure, match=r"has the columns \['cube'\], and is to have \['square'\]"):
        testing.transform(wrong).run([Sample(1.0, "a")])

    @weir.batch
    def short(samples: weir.Rows[Sample]) -> weir.Answer[Square]:
        return weir.Answer(None, square=[])

    with pytest.raises(weir.Failure, match="`Square.square` has 0 values for 1 rows"):
        testing.transform(short).run([Sample(1.0, "a")])
