"""State: what an operator remembers of each key from batch to batch.

The host keeps the states, and calls with some keys at a time. Nothing is remembered in the operator itself: the host
makes a new one for every task.
"""

from datetime import datetime
from enum import Enum
from types import NoneType
from typing import Any, Generic, TypeVar, get_args

from ._bits import unpack
from ._errors import Reject
from ._group import Group, cut
from ._instance import instance
from ._record import NOTHING, Missing, Record
from ._rejects import in_order
from ._signature import Signature
from ._time import set_batch_time, to_milliseconds
from ._wire import Batch, Field, StateShape, Touched, Updated

Row = TypeVar("Row")


class Cause(Enum):
    """Why a key is called."""

    ROWS = "rows"
    """It has rows in this batch."""
    IDLE = "idle"
    """It had none for the pipeline's `timeout`: its last call; whatever the answer, it is forgotten."""
    TIMER = "timer"
    """The time that it asked for has come. It may have rows, too."""
    ALL = "all"
    """Every key is called in every batch: the pipeline says so."""


class Fate(Enum):
    """What becomes of a key whose state is not replaced."""

    REMOVE = "remove"
    """It is forgotten, with its timer."""
    UNCHANGED = "unchanged"
    """State and timer stay as they are, which costs least. A timer that is due has had its call."""


class Turn(Generic[Row]):
    """A key's call: why it is called, its output rows, and when it wants to be called again."""

    def __init__(self) -> None:
        self.cause = Cause.ROWS
        """Why the key is called."""
        self._timer = 0
        self._rows: list[Any] = []

    def emit(self, row: Row) -> None:
        """Answers with a row of this key."""
        self._rows.append(row)

    def wake_at(self, time: datetime) -> None:
        """Asks for a call in the first batch at or after `time`, even without rows. Only where the state is replaced; a
        later call that replaces it asks anew, or there is no timer any more.
        """
        # 0 is no timer; what is past already is due in the next batch.
        self._timer = max(1, to_milliseconds(time))


class State:
    """An operator of the world `state`: a class, and what the annotations of its `update` say."""

    world = "state"

    def __init__(self, decorated: type, version: int):
        self.decorated, self.version = decorated, version
        function = getattr(decorated, "update", None)
        if function is None:
            raise TypeError(f"`{decorated.__qualname__}` is to have a method `update`: see `weir.state`")
        update = Signature(function, method=True)
        names = update.names
        self.keyed = names[:1] == ["key"]
        if len(names) != 3 + self.keyed:
            raise TypeError(f"{update.of} takes ({', '.join(names)}); it is to take ([key,] before, rows, turn)")
        before, rows, turn = names[-3:]
        self.key = Record(update.of_parameter("key", "the class of the key's columns")) if self.keyed else NOTHING
        self.remembered = Record(_one(update.of_parameter(before, "what is remembered, `| None`")))
        self.row = Record(_one(update.of_parameter(rows, "`weir.Group[…]` of the row's class")))
        self.output = Record(_one(update.of_parameter(turn, "`weir.Turn[…]` of the output row's class")))
        self._update: Any = None
        self._key: list[int] = []

    def configure(self, config: str, keys: list[Field], columns: list[Field]) -> StateShape:
        """Once, before any rows."""
        self._update = instance(self.decorated, config).update
        self._key = self.key.resolve("key", keys)
        reads = self.row.resolve("input", columns)
        return StateShape(reads, self.remembered.announced(), self.version, self.output.announced())

    def update(self, batch_time: int, touched: Touched) -> Updated:
        """Calls with each key."""
        set_batch_time(batch_time)
        rejects: list[tuple[int, str]] = []
        keys = self._keys(touched.keys)
        befores = self._befores(touched)
        groups = cut(self.row, touched.groups, touched.input, rejects)
        nexts, output = [], []
        answer = Updated(Batch(0, []), Batch(0, []))
        for index, (key, before, group, cause) in enumerate(zip(keys, befores, groups, touched.causes)):
            turn = Turn()
            turn.cause = Cause(cause)
            next = self._turn(key, before, group, turn)
            is_fate = isinstance(next, Fate)
            nexts.append(None if is_fate else next)
            answer.fates.append(next.value if is_fate else "keep")
            answer.timers.append(0 if is_fate else turn._timer)
            output += turn._rows
            answer.output_from += [index] * len(turn._rows)
        answer.next = Batch(len(nexts), self.remembered.write_some(nexts))
        answer.output = Batch(len(output), self.output.write(output))
        answer.rejects = in_order(rejects)
        return answer

    def _turn(self, key: Any, before: Any, group: Group, turn: Turn) -> Any:
        if type(key) is Missing:
            group.reject_all(f"of the key, {key.reason}")
            return Fate.UNCHANGED
        try:
            next = self._update(key, before, group, turn) if self.keyed else self._update(before, group, turn)
        except Reject as reject:
            # As if the rows had not come.
            group.reject_all(reject)
            turn._rows.clear()
            return Fate.UNCHANGED
        if next is None:
            raise TypeError(
                f"`{self.decorated.__qualname__}.update` returned None; it is to return what is remembered, "
                "or weir.Fate.REMOVE, or weir.Fate.UNCHANGED"
            )
        return next

    def _keys(self, keys: Batch) -> list:
        columns = [keys.columns[index] for index in self._key]
        batch = Batch(keys.row_count, columns)
        return [key for _, key in self.key.read(batch, self.key.columns(batch))]

    def _befores(self, touched: Touched) -> list:
        previous = touched.previous
        states = self.remembered.read(previous, self.remembered.columns(previous))
        present = unpack(touched.present, previous.row_count)
        return [state if there else None for (_, state), there in zip(states, present)]


def _one(annotation: Any) -> Any:
    """The class in `Group[…]`, `Turn[…]` or `… | None`."""
    arms = [arm for arm in get_args(annotation) if arm is not NoneType]
    return arms[0] if len(arms) == 1 else annotation
