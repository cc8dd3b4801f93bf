"""A row's class, a dataclass or a NamedTuple, as columns: which it names, and how its rows are read and written."""

import dataclasses
import typing
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from ._bits import pack, unpack
from ._kinds import KINDS, Kind
from ._schema import find, listed
from ._wire import Batch, Column, Field


@dataclasses.dataclass(frozen=True)
class Name:
    """A column whose name is no name in Python: `size: Annotated[int, weir.Name("response-bytes")]`."""

    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Spec:
    """A field of a row's class, and its column."""

    attribute: str
    column: str
    kind: Kind
    nullable: bool

    def announced(self) -> Field:
        return Field(self.column, self.kind.type, self.nullable)


class Record:
    """A row's class."""

    def __init__(self, row: type):
        if not (dataclasses.is_dataclass(row) or hasattr(row, "_fields")):
            raise TypeError(f"a row is a dataclass or a NamedTuple, and {row!r} is neither")
        self.row = row
        hints = get_type_hints(row, include_extras=True)
        self.specs = [spec_of(row.__name__, name, hints[name]) for name in field_names(row)]
        self._getters = [attrgetter(spec.attribute) for spec in self.specs]

    def announced(self) -> list[Field]:
        """As the host wants to hear of them."""
        return [spec.announced() for spec in self.specs]

    def resolve(self, place: str, columns: Sequence[Field]) -> list[int]:
        """Where each field's column is in `place`, of which these are the columns."""
        return [_resolve(spec, place, columns) for spec in self.specs]

    def columns(self, batch: Batch) -> list[list]:
        """The values of each field, None where they are null."""
        return [values_of(spec.kind, column, batch.row_count) for spec, column in zip(self.specs, batch.columns)]

    def read(self, batch: Batch, columns: list[list]) -> Iterator[tuple[int, Any]]:
        """The rows, each with its index; in place of one that has a null where none may be, a `Missing`."""
        rows = batch.row_count
        if not columns:
            return ((row, self.row()) for row in range(rows))
        needed = [
            (spec, values)
            for spec, values, column in zip(self.specs, columns, batch.columns)
            # A datetime can be missing though its column has no nulls: it does not reach as far as 64 bits do.
            if not spec.nullable and (column.validity is not None or spec.kind.exact is datetime) and None in values
        ]
        if not needed:
            return enumerate(map(self.row, *columns))
        return (
            (row, next((Missing(spec) for spec, of in needed if of[row] is None), None) or self.row(*values))
            for row, values in enumerate(zip(*columns))
        )

    def whole(self, batch: Batch, whose: str) -> list:
        """The rows of the operator's own, which have no nulls where none may be."""
        rows = [row for _, row in self.read(batch, self.columns(batch))]
        missing = next((row for row in rows if type(row) is Missing), None)
        if missing is not None:
            raise ValueError(f"{whose} {missing.reason}")
        return rows

    def write_some(self, rows: Sequence[Any]) -> list[Column]:
        """The columns of rows, where None is a row that nobody reads."""
        if any(row is None for row in rows):
            return [
                self._column(spec, [spec.kind.blank if row is None else get(row) for row in rows])
                for spec, get in zip(self.specs, self._getters)
            ]
        return self.write(rows)

    def write(self, rows: Sequence[Any]) -> list[Column]:
        """The columns of rows."""
        try:
            return [self._column(spec, list(map(get, rows))) for spec, get in zip(self.specs, self._getters)]
        except AttributeError:
            stranger = next((row for row in rows if not isinstance(row, self.row)), None)
            if stranger is None:
                raise
            raise TypeError(f"{stranger!r} is no {self.row.__name__}") from None

    def _column(self, spec: Spec, values: list) -> Column:
        return column_of(spec, values, f"{self.row.__name__}.{spec.attribute}")


class Missing:
    """Why a row is none: a column's value is missing."""

    def __init__(self, spec: Spec):
        self.reason = f"`{spec.column}` is null"
        if spec.kind.python == "datetime":
            self.reason += ", or no time that a datetime can be"


def field_names(row: type) -> list[str]:
    """The fields of a dataclass or NamedTuple, in the order of its arguments."""
    if dataclasses.is_dataclass(row):
        return [field.name for field in dataclasses.fields(row) if field.init]
    return list(row._fields)


def values_of(kind: Kind, column: Column, rows: int) -> list:
    """A column's values, None where they are null."""
    values = kind.decode(column.values, rows)
    if column.validity is None:
        return values
    return [value if valid else None for value, valid in zip(values, unpack(column.validity, rows))]


def column_of(spec: Spec, values: list, where: str) -> Column:
    """The column of values; `where` they came from is for a message."""
    kind, validity = spec.kind, None
    types = set(map(type, values))
    if NoneType in types:
        if not spec.nullable:
            raise TypeError(f"`{where}` is None: say `{kind} | None` if it may be")
        validity = pack([value is not None for value in values])
        values = [kind.blank if value is None else value for value in values]
        types.discard(NoneType)
    if not types <= {kind.exact}:
        values = list(_exact(kind, values, where))
    try:
        return Column(kind.type, kind.encode(values), validity)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"`{where}`: {error}") from error


def _exact(kind: Kind, values: Iterable[Any], where: str) -> Iterator[Any]:
    for value in values:
        if not isinstance(value, kind.accepts):
            raise TypeError(f"`{where}` is to be {kind}, not {value!r}")
        yield value if isinstance(value, kind.exact) else kind.exact(value)


def spec_of(where: str, attribute: str, hint: Any) -> Spec:
    """The column of a field, by its annotation."""
    column = attribute
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        column = next((note.name for note in notes if isinstance(note, Name)), attribute)
    nullable = False
    if get_origin(hint) in (UnionType, typing.Union) and NoneType in get_args(hint):
        nullable = True
        hint, *others = [arm for arm in get_args(hint) if arm is not NoneType]
        hint = hint if not others else typing.Union[(hint, *others)]
    if hint not in KINDS:
        kinds = ", ".join(map(str, KINDS.values()))
        raise TypeError(f"`{where}.{attribute}` cannot be {hint!r}: a column is {kinds}, or `| None` of one")
    return Spec(attribute, column, KINDS[hint], nullable)


def _resolve(spec: Spec, place: str, columns: Sequence[Field]) -> int:
    name, wanted = spec.column, spec.kind.type
    index = find(name, columns)
    if index is None:
        raise ValueError(
            f"the {place} has no column `{name}` ({wanted}), which the operator reads; it has {listed(columns)}"
        )
    found = columns[index].type
    if found != wanted:
        raise ValueError(
            f"the operator reads column `{name}` as {wanted}, but in the {place} it is {found}; "
            f"the {place} has {listed(columns)}"
        )
    return index


class _Nothing:
    """The row of an operator that reads nothing of it."""

    _fields = ()


NOTHING = Record(_Nothing)
