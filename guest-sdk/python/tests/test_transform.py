"""Functions over rows: what they read, keep, add and reject."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import pytest
import weir
from weir import testing


@dataclass
class Reading:
    celsius: float


@dataclass
class Alarm:
    fahrenheit: float


@dataclass
class Limits:
    above: float = 0.0


@weir.map(keep="all")
def alarm(reading: Reading, limits: Limits) -> Alarm | None:
    if reading.celsius < -273.15:
        weir.reject(f"{reading.celsius} °C is colder than anything")
    return Alarm(reading.celsius * 1.8 + 32) if reading.celsius > limits.above else None


def test_a_map_changes_rows_drops_some_and_rejects_some():
    rows = [{"celsius": 20, "at": "roof"}, {"celsius": 100, "at": "oven"}, {"celsius": -300, "at": "space"}]
    answer = testing.transform(alarm, config={"above": 50}).run(rows)
    assert answer.columns == ["celsius", "at", "fahrenheit"]
    assert answer.rows == [{"celsius": 100.0, "at": "oven", "fahrenheit": 212.0}]
    assert answer.rejects == [(2, "-300.0 °C is colder than anything")]


def test_the_function_stays_an_ordinary_one():
    assert alarm(Reading(100.0), Limits()) == Alarm(212.0)


class Request(NamedTuple):
    status: int


@weir.filter
def failed(request: Request) -> bool:
    return request.status >= 500


def test_a_filter_keeps_all_columns():
    answer = testing.transform(failed).run([{"status": 200, "path": "/a"}, {"status": 503, "path": "/b"}])
    assert answer.rows == [{"status": 503, "path": "/b"}]


class Word(NamedTuple):
    word: str


class Text(NamedTuple):
    text: str


@weir.flat_map
def words(row: Text) -> Iterator[Word]:
    for word in row.text.split():
        if word == "stop":
            raise weir.Reject("stop")
        yield Word(word)


def test_a_row_that_is_rejected_half_way_gives_nothing():
    answer = testing.transform(words).run([Text("a bé"), Text("c stop"), Text(""), Text("d")])
    assert [row["word"] for row in answer.rows] == ["a", "bé", "d"]
    assert answer.rejects == [(1, "stop")]


@dataclass
class Everything:
    at: datetime
    micros: weir.Timestamp
    text: str | None
    data: bytes | None
    yes: bool | None
    count: int | None
    share: Annotated[float | None, weir.Name("the share")]


@weir.map
def same(row: Everything) -> Everything:
    return row


NOON = datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=UTC)


def test_every_type_goes_in_and_out_with_its_nulls():
    rows = [
        Everything(NOON, weir.Timestamp(-1), "ä", b"\xff", True, 2**63 - 1, 0.5),
        Everything(NOON, weir.Timestamp(0), None, None, None, None, None),
        Everything(NOON, weir.Timestamp(1), "", b"", False, -(2**63), -0.0),
    ]
    answer = testing.transform(same).run(rows)
    assert [tuple(row.values()) for row in answer.rows] == [tuple(vars(row).values()) for row in rows]
    assert answer.columns[-1] == "the share"


def test_a_null_where_none_may_be_rejects_the_row():
    answer = testing.transform(words).run([{"text": "a"}, {"text": None}, {"text": "b"}])
    assert [row["word"] for row in answer.rows] == ["a", "b"]
    assert answer.rejects == [(1, "`text` is null")]


def check_refused(operator, rows, message, **config):
    with pytest.raises(ValueError) as error:
        testing.transform(operator, config=config).run(rows)
    assert str(error.value) == message


def test_what_does_not_fit_the_input_is_told():
    check_refused(
        words,
        [{"line": "a"}],
        "the input has no column `text` (utf8), which the operator reads; it has `line` (utf8)",
    )
    with pytest.raises(ValueError) as error:
        testing.transform(words).run([{"text": 3}], schema={"text": int})
    assert str(error.value) == (
        "the operator reads column `text` as utf8, but in the input it is int64; the input has `text` (int64)"
    )


def test_what_is_no_config_is_told():
    rows = [Reading(1.0)]
    of = "the operator's config is not valid: "
    check_refused(alarm, rows, of + "unknown field `abov`, expected `above`", abov=3)
    check_refused(alarm, rows, of + '`above` is to be float, not "3"', above="3")
    check_refused(words, [Text("")], 'the operator takes no config, but is given {"a": 3}', a=3)


def test_an_answer_of_another_type_is_told():
    @weir.map
    def wrong(row: Text) -> Word:
        return Word(len(row.text))

    with pytest.raises(TypeError, match="`Word.word` is to be str, not 1"):
        testing.transform(wrong).run([Text("a")])

    @weir.map
    def none(row: Text) -> Word:
        return Word(None)

    with pytest.raises(TypeError, match=r"`Word.word` is None: say `str \| None` if it may be"):
        testing.transform(none).run([Text("a")])

    @weir.map
    def stranger(row: Text) -> Word:
        return row.text

    with pytest.raises(TypeError, match="'a' is no Word"):
        testing.transform(stranger).run([Text("a")])


class Odd(NamedTuple):
    values: list[int]


def test_what_is_no_operator_is_told_where_it_stands():
    with pytest.raises(TypeError, match="does not say what it returns"):

        @weir.map
        def _(row: Text):
            return row

    with pytest.raises(TypeError, match="`Odd.values` cannot be .*: a column is bool, int"):

        @weir.filter
        def _(row: Odd) -> bool:
            return True


def test_an_operator_logs_and_knows_the_batch_time():
    @weir.filter
    def late(row: Text) -> bool:
        weir.log.warn(f"{row.text} at {weir.batch_time():%H:%M}")
        return True

    answer = testing.transform(late).run([Text("a")], at=NOON)
    assert answer.log == [("warn", "a at 12:00")]
