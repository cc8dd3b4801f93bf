"""An aggregate, run on groups of rows."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .._wire import Batch
from ._answer import Answer, captured
from ._table import Schema, Table, dicts
from ._transform import expected


def aggregate(decorated: type, *, config: Mapping[str, Any] | None = None) -> "Aggregate":
    """An aggregate to be run, with a config as in a pipeline file."""
    return Aggregate(decorated, config)


class Aggregate:
    """An aggregate to be run. Start with `aggregate`."""

    def __init__(self, decorated: type, config: Mapping[str, Any] | None):
        self._decorated, self._config = decorated, json.dumps(config or {})

    def run(self, groups: Iterable[Iterable[Any]], *, schema: Schema | None = None) -> Answer:
        """Runs it on the rows of each group, in two parts that are merged. A row of the answer for each group of which
        not all rows were rejected. Rejects count rows over all groups.
        """
        operator = expected(self._decorated, "aggregate")
        rows = [list(group) for group in groups]
        table = Table.of([row for group in rows for row in group], schema, operator.row)
        answer = Answer()
        with captured(answer):
            shape = operator.configure(self._config, table.fields())
            starts, owners, at = [0], [], 0
            for owner, group in enumerate(rows):
                for size in filter(None, ((len(group) + 1) // 2, len(group) // 2)):
                    at += size
                    starts.append(at)
                    owners.append(owner)
            created, answer.rejects = operator.create(starts, table.batch(shape.reads))
            parts = Table.of(dicts(operator.accumulator, created), None, operator.accumulator)
            rejected = {row for row, _ in answer.rejects}
            taken = [p for p in range(len(owners)) if not rejected.issuperset(range(starts[p], starts[p + 1]))]
            parts.rows = [parts.rows[part] for part in taken]
            owners = [owners[part] for part in taken]
            cuts = [0, *(i for i in range(1, len(owners)) if owners[i] != owners[i - 1]), len(owners)]
            merged = operator.merge(cuts if owners else [0], parts.batch(range(len(parts.specs))))
            totals = Table.of(dicts(operator.accumulator, merged), None, operator.accumulator)
            finished: Batch = operator.finish(totals.batch(range(len(totals.specs))))
        answer.rows = dicts(operator.output, finished)
        answer.columns = [field.name for field in shape.output]
        return answer
