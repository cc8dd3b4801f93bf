"""The life of an operator with state: batch after batch, and what is kept between them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .._bits import pack
from .._time import to_milliseconds
from .._wire import StateShape, Touched, Updated
from ._answer import Answer, captured
from ._table import Schema, Table, dicts
from ._transform import expected

Key = Any
"""A value of the key's column, or a tuple where it has several."""


def state(
    decorated: type,
    *,
    key: str | Sequence[str] = "key",
    config: Mapping[str, Any] | None = None,
    timeout: timedelta | None = None,
) -> "State":
    """An operator with state to be run: with the names of the key's columns, a config as in a pipeline file, and the
    time after which a key without rows has its last call.
    """
    return State(decorated, [key] if isinstance(key, str) else list(key), config, timeout)


@dataclass
class _Entry:
    state: dict[str, Any]
    last: int
    timer: int = 0


class State:
    """An operator with state, and what is kept of each key. Start with `state`."""

    def __init__(self, decorated: type, key: list[str], config: Mapping[str, Any] | None, timeout: timedelta | None):
        self._decorated, self._key, self._config = decorated, key, json.dumps(config or {})
        self._timeout = None if timeout is None else to_milliseconds(timeout)
        self._known: dict[Key, _Entry] = {}

    @property
    def states(self) -> dict[Key, dict[str, Any]]:
        """What is kept of each key."""
        return {key: entry.state for key, entry in self._known.items()}

    def batch(
        self, at: datetime, groups: Mapping[Key, Iterable[Any]] | None = None, *, schema: Schema | None = None
    ) -> Answer:
        """Runs a batch that ends at a time: the rows of each key. Keys with rows are called in the order given, then
        those that are due. Rejects count rows over all keys.
        """
        operator, now = expected(self._decorated, "state"), to_milliseconds(at)
        calls = {key: list(rows) for key, rows in (groups or {}).items()}
        causes = {key: self._cause(key, now) or "rows" for key in calls}
        causes = {key: "rows" if cause == "idle" else cause for key, cause in causes.items()}
        for key in self._known:
            if key not in calls and (cause := self._cause(key, now)):
                calls[key], causes[key] = [], cause
        keys = Table.of([self._columns(key) for key in calls], None, operator.key)
        rows = Table.of([row for group in calls.values() for row in group], schema, operator.row)
        answer = Answer()
        with captured(answer):
            shape = operator.configure(self._config, keys.fields(), rows.fields())
            updated = operator.update(now, self._touched(operator, calls, causes, keys, rows, shape))
        next = dicts(operator.remembered, updated.next)
        self._take_up(list(calls), calls, causes, now, updated, next)
        own = dicts(operator.output, updated.output)
        owners = [keys.rows[index] for index in updated.output_from]
        answer.rows = [{**owner, **row} for owner, row in zip(owners, own, strict=True)]
        answer.columns = self._key + [field.name for field in shape.output]
        answer.rejects = updated.rejects
        return answer

    def _cause(self, key: Key, now: int) -> str | None:
        entry = self._known.get(key)
        if entry is None:
            return None
        if 0 < entry.timer <= now:
            return "timer"
        return "idle" if self._timeout is not None and entry.last + self._timeout <= now else None

    def _columns(self, key: Key) -> dict[str, Any]:
        values = key if isinstance(key, tuple) else (key,)
        return dict(zip(self._key, values, strict=True))

    def _touched(
        self, operator: Any, calls: dict, causes: dict, keys: Table, rows: Table, shape: StateShape
    ) -> Touched:
        known = [self._known.get(key) for key in calls]
        blank = {spec.column: spec.kind.blank for spec in operator.remembered.specs}
        previous = Table(operator.remembered.specs, [entry.state if entry else blank for entry in known])
        ends = [0]
        for group in calls.values():
            ends.append(ends[-1] + len(group))
        return Touched(
            keys.batch(range(len(keys.specs))),
            ends,
            rows.batch(shape.reads),
            previous.batch(range(len(previous.specs))),
            pack(entry is not None for entry in known),
            [causes[key] for key in calls],
        )

    def _take_up(
        self, keys: list[Key], calls: dict, causes: dict, now: int, updated: Updated, next: list[dict]
    ) -> None:
        for key, fate, timer, state in zip(keys, updated.fates, updated.timers, next, strict=True):
            entry = self._known.get(key)
            if fate == "remove" or causes[key] == "idle":
                self._known.pop(key, None)
                continue
            if fate == "keep":
                entry = self._known[key] = _Entry(state, entry.last if entry else now, timer)
            elif entry and causes[key] == "timer":
                entry.timer = 0
            if entry and calls[key]:
                entry.last = now
