"""Aggregates and states."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import weir
from weir import testing
from weir._operators import operator_of
from weir._wire import Batch, Column, Field

START = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass
class Purchase:
    price: int


@dataclass
class Total:
    count: int
    spent: int


@weir.aggregate
class Totals:
    def create(self, row: Purchase) -> Total:
        if row.price < 0:
            weir.reject("a price below nothing")
        return Total(1, row.price)

    def merge(self, total: Total, part: Total) -> Total:
        return Total(total.count + part.count, total.spent + part.spent)

    def retract(self, total: Total, part: Total) -> Total | None:
        left = Total(total.count - part.count, total.spent - part.spent)
        return left if left.count else None

    def finish(self, total: Total) -> Total:
        return total


def test_rows_are_folded_and_a_group_without_any_has_no_answer():
    groups = [[Purchase(5), Purchase(-1), Purchase(7)], [Purchase(-2)], [Purchase(1)]]
    answer = testing.aggregate(Totals).run(groups)
    assert answer.rows == [{"count": 2, "spent": 12}, {"count": 1, "spent": 1}]
    assert answer.rejects == [(1, "a price below nothing"), (3, "a price below nothing")]


def test_a_part_is_taken_out_of_a_total_again():
    operator = operator_of(Totals)
    assert operator.configure("{}", [Field("price", "int64", False)]).retracts
    batch = lambda *columns: Batch(2, [Column("int64", list(column)) for column in columns])
    left, nothing = operator.retract(batch((3, 1), (9, 4)), batch((1, 1), (2, 4)))
    assert [column.values for column in left.columns] == [[2, 0], [7, 0]]
    assert nothing == b"\x02"


@dataclass
class Visitor:
    name: str


@weir.state
class Visits:
    def update(
        self, key: Visitor, visit: Total | None, rows: weir.Group[Purchase], turn: weir.Turn[Total]
    ) -> Total | weir.Fate:
        visit = visit or Total(0, 0)
        if turn.cause is not weir.Cause.ROWS:
            turn.emit(visit)
            return weir.Fate.REMOVE
        if key.name == "nobody":
            weir.reject("nobody buys nothing")
        for row in rows:
            if row.price < 0:
                rows.reject("a price below nothing")
                continue
            visit = Total(visit.count + 1, visit.spent + row.price)
        turn.wake_at(weir.batch_time() + timedelta(seconds=10))
        return visit


def test_a_key_remembers_and_is_woken():
    run = testing.state(Visits, key="name")
    answer = run.batch(START, {"ann": [Purchase(5), Purchase(-1)], "nobody": [Purchase(1)], None: [Purchase(2)]})
    assert answer.rows == []
    assert answer.rejects == [
        (1, "a price below nothing"),
        (2, "nobody buys nothing"),
        (3, "of the key, `name` is null"),
    ]
    assert run.states == {"ann": {"count": 1, "spent": 5}}
    run.batch(START + timedelta(seconds=5), {"ann": [Purchase(2)]})
    assert run.batch(START + timedelta(seconds=14)).rows == []
    assert run.batch(START + timedelta(seconds=15)).rows == [{"name": "ann", "count": 2, "spent": 7}]
    assert run.states == {}


def test_an_update_that_says_nothing_is_told():
    @weir.state
    class Silent:
        def update(self, before: Total | None, rows: weir.Group[Purchase], turn: weir.Turn[Total]) -> Total:
            pass

    with pytest.raises(TypeError, match="returned None"):
        testing.state(Silent).batch(START, {"a": [Purchase(1)]})


def test_a_class_without_its_methods_is_told_where_it_stands():
    with pytest.raises(TypeError, match="is to have a method `create`"):

        @weir.aggregate
        class _:
            pass
