"""Aggregates: the rows of a key to one row, in several steps.

rows --create--> accumulators --merge--> one accumulator --finish--> output
                                retract: takes a part out of a total again
"""

from functools import reduce
from itertools import pairwise
from typing import Any

from ._bits import pack
from ._errors import Reject
from ._group import Group, cut
from ._instance import instance
from ._record import Record
from ._rejects import in_order
from ._signature import Signature
from ._wire import AggregateShape, Batch, Field


class Aggregate:
    """An operator of the world `aggregate`: a class, and what the annotations of its methods say."""

    world = "aggregate"

    def __init__(self, decorated: type):
        self.decorated = decorated
        create, finish = _method(decorated, "create"), _method(decorated, "finish")
        _method(decorated, "merge")
        self.row = Record(create.of_parameter(create.names[0], "the row's class"))
        self.accumulator = Record(create.returned("the accumulator's class"))
        self.output = Record(finish.returned("the output row's class"))
        self._aggregate: Any = None

    def configure(self, config: str, columns: list[Field]) -> AggregateShape:
        """Once, before any rows."""
        self._aggregate = instance(self.decorated, config)
        retracts = hasattr(self.decorated, "retract")
        reads = self.row.resolve("input", columns)
        return AggregateShape(reads, self.accumulator.announced(), self.output.announced(), retracts)

    def create(self, groups: list[int], batch: Batch) -> tuple[Batch, list[tuple[int, str]]]:
        """Rows to an accumulator for each group, and the rows that are rejected."""
        rejects: list[tuple[int, str]] = []
        fold = getattr(self._aggregate, "create_group", self._create_group)
        totals = [fold(group) for group in cut(self.row, groups, batch, rejects)]
        return Batch(len(totals), self.accumulator.write_some(totals)), in_order(rejects)

    def _create_group(self, group: Group) -> Any:
        create, merge, total = self._aggregate.create, self._aggregate.merge, None
        for row in group:
            try:
                part = create(row)
            except Reject as reject:
                group.reject(reject)
                continue
            total = part if total is None else merge(total, part)
        return total

    def merge(self, groups: list[int], accumulators: Batch) -> Batch:
        """Accumulators of a key to one, for each group."""
        parts = self._totals(accumulators)
        merged = [reduce(self._aggregate.merge, parts[start:end]) for start, end in pairwise(groups)]
        return Batch(len(merged), self.accumulator.write(merged))

    def retract(self, total: Batch, part: Batch) -> tuple[Batch, bytes]:
        """Totals without their parts, and a bit for each of which nothing is left."""
        left = list(map(self._aggregate.retract, self._totals(total), self._totals(part)))
        nothing = pack(total is None for total in left)
        return Batch(len(left), self.accumulator.write_some(left)), nothing

    def finish(self, accumulators: Batch) -> Batch:
        """Accumulators to output rows."""
        rows = list(map(self._aggregate.finish, self._totals(accumulators)))
        return Batch(len(rows), self.output.write(rows))

    def _totals(self, batch: Batch) -> list:
        return self.accumulator.whole(batch, "an accumulator's")


def _method(decorated: type, name: str) -> Signature:
    function = getattr(decorated, name, None)
    if function is None:
        raise TypeError(f"`{decorated.__qualname__}` is to have a method `{name}`: see `weir.aggregate`")
    return Signature(function, method=True)
