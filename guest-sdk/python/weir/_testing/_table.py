"""Rows of a test as columns, and back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._kinds import KINDS, Kind
from .._record import Record, Spec, column_of, spec_of, values_of
from .._wire import Batch, Column, Field, Slices, VarLen

Schema = Mapping[str, Any]
"""A type for each column, like `str` or `int | None`."""


class Table:
    """Rows with their columns' types."""

    def __init__(self, specs: Sequence[Spec], rows: Sequence[Mapping[str, Any]]):
        self.specs, self.rows = list(specs), rows

    @classmethod
    def of(cls, rows: Iterable[Any], schema: Schema | None, *read: Record) -> "Table":
        """Of rows as a person writes them; of what the operator reads the types are known."""
        dicts = [_dict(row) for row in rows]
        known = {spec.column: spec for record in read for spec in record.specs}
        names = dict.fromkeys(name for row in dicts for name in row) or dict.fromkeys(known)
        if schema is not None:
            return cls([spec_of("schema", name, hint) for name, hint in schema.items()], dicts)
        return cls([_spec(name, known.get(name), [row.get(name) for row in dicts]) for name in names], dicts)

    def fields(self) -> list[Field]:
        return [spec.announced() for spec in self.specs]

    def column(self, index: int) -> Column:
        spec = self.specs[index]
        return column_of(spec, [row.get(spec.column) for row in self.rows], spec.column)

    def batch(self, indices: Iterable[int], start: int = 0, end: int | None = None) -> Batch:
        part = Table(self.specs, self.rows[start:end])
        return Batch(len(part.rows), [part.column(index) for index in indices])


def dicts(record: Record, batch: Batch, input: Batch | None = None) -> list[dict[str, Any]]:
    """The rows of an answer, which are to be those of a record, checked as the host checks them."""
    if len(record.specs) != len(batch.columns):
        raise AssertionError(f"the answer has {len(batch.columns)} columns, and {len(record.specs)} were announced")
    columns = [_values(spec, column, batch.row_count, input) for spec, column in zip(record.specs, batch.columns)]
    names = [spec.column for spec in record.specs]
    rows = zip(*columns) if columns else ((),) * batch.row_count
    return [dict(zip(names, row)) for row in rows]


def _values(spec: Spec, column: Column, rows: int, input: Batch | None) -> list:
    if isinstance(column.values, Slices):
        column = _gathered(column.values, spec, input)
    if column.type != spec.kind.type:
        raise AssertionError(f"`{spec.column}` is {column.type}, and {spec.kind.type} was announced")
    values = values_of(spec.kind, column, rows)
    if len(values) != rows:
        raise AssertionError(f"`{spec.column}` has {len(values)} values for {rows} rows")
    return values


def _gathered(slices: Slices, spec: Spec, input: Batch | None) -> Column:
    if input is None:
        raise AssertionError(f"`{spec.column}` is slices, which only a transform can answer with")
    data = input.columns[slices.column].values.data
    offsets, parts = [0], []
    for start, length in zip(slices.starts, slices.lengths, strict=True):
        if not 0 <= start <= start + length <= len(data):
            raise AssertionError(f"`{spec.column}` has a slice of {length} bytes at {start} of {len(data)}")
        parts.append(data[start : start + length])
        offsets.append(offsets[-1] + length)
    return Column(spec.kind.type, VarLen(offsets, b"".join(parts)))


def _dict(row: Any) -> Mapping[str, Any]:
    if isinstance(row, Mapping):
        return row
    record = Record(type(row))
    return {spec.column: getattr(row, spec.attribute) for spec in record.specs}


def _spec(name: str, known: Spec | None, values: list) -> Spec:
    nullable = None in values
    if known is not None:
        return Spec(name, name, known.kind, nullable or known.nullable)
    return Spec(name, name, _kind(values), nullable)


def _kind(values: list) -> Kind:
    types = {type(value) for value in values if value is not None}
    if types == {int, float}:
        types = {float}
    [found] = types if len(types) == 1 else [str]
    if found not in KINDS:
        raise TypeError(f"a column cannot have values of {found!r}")
    return KINDS[found]
