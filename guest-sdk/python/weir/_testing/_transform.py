"""A transform, run on rows."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from .._operators import operator_of
from .._time import to_milliseconds
from .._wire import Batch
from ._answer import Answer, captured
from ._table import Schema, Table, dicts


def transform(decorated: Any, *, config: Mapping[str, Any] | None = None) -> "Transform":
    """A transform to be run, with a config as in a pipeline file."""
    return Transform(decorated, config)


class Transform:
    """A transform to be run. Start with `transform`."""

    def __init__(self, decorated: Any, config: Mapping[str, Any] | None):
        self._decorated, self._config = decorated, json.dumps(config or {})

    def run(
        self, rows: Iterable[Any], *, schema: Schema | None = None, at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    ) -> Answer:
        """Runs it in a batch that ends at a time. Raises ValueError where it does not take the config or the rows."""
        operator = expected(self._decorated, "transform")
        table = Table.of(rows, schema, operator.row)
        fields = table.fields()
        answer = Answer()
        with captured(answer):
            shape = operator.configure(self._config, fields)
            input = table.batch(shape.reads)
            emitted = operator.apply(to_milliseconds(at), input)
        origin = list(range(len(table.rows))) if emitted.origin is None else emitted.origin
        if origin != sorted(origin) or not all(0 <= row < len(table.rows) for row in origin):
            raise AssertionError(f"output rows are to come in the order of the rows that they come from: {origin}")
        added = dicts(operator.added, Batch(len(origin), emitted.columns), input)
        names = [fields[index].name for index in shape.keeps]
        answer.rows = [{name: table.rows[row].get(name) for name in names} | own for row, own in zip(origin, added)]
        answer.columns = names + [field.name for field in shape.adds]
        answer.rejects = emitted.rejects
        return answer


def expected(decorated: Any, world: str) -> Any:
    """A new operator of what was decorated, of this world."""
    operator = operator_of(decorated)
    if operator is None or operator.world != world:
        raise TypeError(f"{decorated!r} is no operator of the world `{world}`")
    return operator
