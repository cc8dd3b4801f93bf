"""Transforms: functions over rows, or over whole columns, as the interface wants them."""

from collections.abc import Callable
from types import NoneType
from typing import Any, get_args

from . import _config
from ._batch import Answer, Rows
from ._errors import Reject
from ._record import NOTHING, Missing, Record
from ._schema import Keep, kept
from ._signature import Signature
from ._time import set_batch_time
from ._wire import Batch, Emitted, Field, TransformShape


class Transform:
    """An operator of the world `transform`: a function, and what its annotations say."""

    world = "transform"
    added: Record = NOTHING

    def __init__(self, function: Callable, keep: Keep):
        if isinstance(keep, str) and keep != "all":
            raise TypeError(f'`keep` is a list of columns, or "all", not {keep!r}')
        self.function = function
        self.keep = keep
        self.signature = Signature(function)
        row, self.config = self.signature.row_and_config()
        self.row = Record(self.row_class(row))
        self._arguments: tuple = ()

    def row_class(self, annotation: Any) -> Any:
        """The row's class, by the annotation of the first parameter."""
        return annotation

    def configure(self, config: str, columns: list[Field]) -> TransformShape:
        """Once, before any rows."""
        value = _config.parse(config, self.config)
        self._arguments = () if self.config is None else (value,)
        adds = self.added.announced()
        return TransformShape(self.row.resolve("input", columns), kept(self.keep, columns, adds), adds)

    def apply(self, batch_time: int, batch: Batch) -> Emitted:
        """A chunk of rows."""
        set_batch_time(batch_time)
        return self.answer(batch, *self._arguments)

    def answer(self, batch: Batch, *config: Any) -> Emitted:
        """The answer to a chunk."""
        raise NotImplementedError


class RowByRow(Transform):
    """A function that is called with each row."""

    def answer(self, batch: Batch, *config: Any) -> Emitted:
        origin: list[int] = []
        out: list[Any] = []
        rejects: list[tuple[int, str]] = []
        function = self.function
        for row, record in self.row.read(batch, self.row.columns(batch)):
            if type(record) is Missing:
                rejects.append((row, record.reason))
                continue
            try:
                answers = self.settle(function(record, *config))
            except Reject as reject:
                rejects.append((row, str(reject)))
                continue
            if answers:
                out += answers
                origin += [row] * len(answers)
        everything = len(origin) == batch.row_count and origin == list(range(batch.row_count))
        return Emitted(None if everything else origin, self.added.write(out), rejects)

    def settle(self, returned: Any) -> list:
        """The output rows, of what the function returned."""
        raise NotImplementedError


class Map(RowByRow):
    """A row to at most one row."""

    def __init__(self, function: Callable, keep: Keep):
        super().__init__(function, keep)
        returned = self.signature.returned("the output row's class")
        arms = [arm for arm in get_args(returned) if arm is not NoneType]
        self.added = Record(arms[0] if len(arms) == 1 else returned)

    def settle(self, returned: Any) -> list:
        return [] if returned is None else [returned]


class Filter(RowByRow):
    """Rows that stay, with all their columns."""

    def __init__(self, function: Callable):
        super().__init__(function, "all")

    def settle(self, returned: Any) -> list:
        if type(returned) is not bool:
            raise TypeError(f"{self.signature.of} is to return a bool, not {returned!r}")
        return [True] if returned else []


class FlatMap(RowByRow):
    """A row to any number of rows."""

    def __init__(self, function: Callable, keep: Keep):
        super().__init__(function, keep)
        returned = self.signature.returned("`Iterator[…]` of the output row's class")
        arms = get_args(returned)
        if not arms:
            raise TypeError(
                f"{self.signature.of} returns {returned!r}: annotate it with `Iterator[…]` of the output row's class"
            )
        self.added = Record(arms[0])

    settle = staticmethod(list)


class Whole(Transform):
    """A function that is called with whole columns."""

    def __init__(self, function: Callable, keep: Keep):
        super().__init__(function, keep)
        returned = self.signature.returned("`weir.Answer[…]` of the output row's class")
        if not isinstance(returned, type) and get_args(returned):
            self.added = Record(get_args(returned)[0])
        elif returned is not Answer:
            raise TypeError(
                f"{self.signature.of} returns {returned!r}: annotate it with `weir.Answer[…]` of the output row's class"
            )

    def row_class(self, annotation: Any) -> Any:
        arms = get_args(annotation)
        if len(arms) != 1:
            raise TypeError(f"{self.signature.of} is to take `weir.Rows[…]` of the row's class, not {annotation!r}")
        return arms[0]

    def answer(self, batch: Batch, *config: Any) -> Emitted:
        returned = self.function(Rows(self.row, batch), *config)
        if not isinstance(returned, Answer):
            raise TypeError(f"{self.signature.of} is to return a `weir.Answer`, not {returned!r}")
        return returned.emitted(self.added, batch.row_count)
