"""Whole columns, as a `weir.batch` function takes them and answers with them."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from ._bits import unpack
from ._errors import Failure
from ._record import Record, Spec, column_of, values_of
from ._rejects import in_order
from ._wire import Batch, Column, Emitted, Slices, VarLen

Row = TypeVar("Row")


class View:
    """A column of the input."""

    def __init__(self, spec: Spec, index: int, column: Column, rows: int):
        self._spec, self._index, self._column, self._rows = spec, index, column, rows

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values())

    def values(self) -> list:
        """The values in Python's types, None where they are null."""
        return values_of(self._spec.kind, self._column, self._rows)

    @property
    def valid(self) -> list[bool] | None:
        """Whether each row has a value that is not null; None if all have."""
        validity = self._column.validity
        return None if validity is None else unpack(validity, self._rows)

    @property
    def offsets(self) -> list[int]:
        """Of text or bytes: value i is `data[offsets[i]:offsets[i + 1]]`; one entry more than there are rows."""
        return self._var_len().offsets

    @property
    def data(self) -> bytes:
        """The bytes of all values, one after the other: of text, in UTF-8."""
        return self._var_len().data

    def slices(self, starts: Sequence[int], lengths: Sequence[int]) -> Slices:
        """Output values that are parts of this column: where each starts in `data`, and how many bytes it has. The host
        cuts them out; nothing is copied here.
        """
        self._var_len()
        return Slices(self._index, _listed(starts), _listed(lengths))

    def _var_len(self) -> VarLen:
        if not isinstance(self._column.values, VarLen):
            raise TypeError(f"`{self._spec.column}` is {self._spec.kind}: only str and bytes have offsets and data")
        return self._column.values


class Rows(Generic[Row]):
    """The rows of a call, column by column: `rows.text` is the column of the row's field `text`, a `View`.

    Nulls are the function's own affair: nothing is rejected by itself.
    """

    def __init__(self, record: Record, batch: Batch):
        self._rows = batch.row_count
        columns = zip(record.specs, batch.columns)
        self._views = {s.attribute: View(s, index, c, self._rows) for index, (s, c) in enumerate(columns)}

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, field: str) -> View:
        return self._views[field]

    def __getattr__(self, field: str) -> View:
        try:
            return self._views[field]
        except KeyError:
            raise AttributeError(f"the row has no field `{field}`") from None


class Answer(Generic[Row]):
    """Output rows, column by column: `Answer(origin, tag=[…])` has a column for each field of the output row's class.

    `origin` names the input row that each output row comes from, never decreasing; None is a row for each that came. A
    column is a list, array or memoryview of values, with None where they are null, or `View.slices` of an input column.
    """

    def __init__(self, origin: Sequence[int] | None, /, **columns: Sequence[Any] | Slices):
        self._origin = None if origin is None else _listed(origin)
        self._columns = columns
        self._rejects: list[tuple[int, str]] = []

    def reject(self, row: int, reason: object) -> None:
        """Says that an input row cannot be taken. It should have no output."""
        self._rejects.append((row, str(reason)))

    def emitted(self, added: Record, rows: int) -> Emitted:
        """The answer, in the columns that were announced."""
        wanted, given = [spec.attribute for spec in added.specs], list(self._columns)
        if set(wanted) != set(given):
            raise Failure(f"the answer has the columns {given}, and is to have {wanted}")
        length = rows if self._origin is None else len(self._origin)
        columns = [_column(added, spec, self._columns[spec.attribute], length) for spec in added.specs]
        return Emitted(self._origin, columns, in_order(self._rejects))


def _column(added: Record, spec: Spec, values: Sequence[Any] | Slices, rows: int) -> Column:
    where = f"{added.row.__name__}.{spec.attribute}"
    found = len(values.starts) if isinstance(values, Slices) else len(values)
    if found != rows:
        # No fault of these rows: calls of fewer, in which the length may be right, would hide it.
        raise Failure(f"`{where}` has {found} values for {rows} rows")
    return Column("slices", values) if isinstance(values, Slices) else column_of(spec, _listed(values), where)


def _listed(values: Sequence[Any]) -> list:
    if isinstance(values, list):
        return values
    to_list = getattr(values, "tolist", None)
    return to_list() if to_list else list(values)
