"""What crosses between host and operator: the records of the interface `weir:operator/rows`, as plain Python objects.

The generated bindings exist only within a component. Everything else of the SDK works on these, so that it runs, and is
tested, under any Python.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Field:
    """A column's name and type, which is spelled as in the interface: `boolean`, `int64`, `utf8` …"""

    name: str
    type: str
    nullable: bool


@dataclass(slots=True)
class VarLen:
    """Values of varying length: value i is `data[offsets[i]:offsets[i + 1]]`."""

    offsets: list[int]
    data: bytes


@dataclass(slots=True)
class Slices:
    """Values that are parts of an input column, which the host gathers."""

    column: int
    starts: list[int]
    lengths: list[int]


@dataclass(slots=True)
class Column:
    """A column's values, in the shape of its type, or `slices`; and a bit for each that is not null."""

    type: str
    values: Any
    validity: bytes | None = None


@dataclass(slots=True)
class Batch:
    """Rows, column by column."""

    row_count: int
    columns: list[Column]


@dataclass(slots=True)
class TransformShape:
    """What a transform reads, keeps and adds."""

    reads: list[int]
    keeps: list[int]
    adds: list[Field]


@dataclass(slots=True)
class Emitted:
    """A transform's answer; without `origin`, one row for each that came."""

    origin: list[int] | None
    columns: list[Column]
    rejects: list[tuple[int, str]]


@dataclass(slots=True)
class AggregateShape:
    """What an aggregate reads, folds into and answers with."""

    reads: list[int]
    accumulator: list[Field]
    output: list[Field]
    retracts: bool


@dataclass(slots=True)
class StateShape:
    """What an operator with state reads, remembers and answers with."""

    reads: list[int]
    state: list[Field]
    version: int
    output: list[Field]


@dataclass(slots=True)
class Touched:
    """The keys of a call, with their rows and states."""

    keys: Batch
    groups: list[int]
    input: Batch
    previous: Batch
    present: bytes
    causes: list[str]


@dataclass(slots=True)
class Updated:
    """What becomes of the keys of a call."""

    next: Batch
    output: Batch
    fates: list[str] = field(default_factory=list)
    timers: list[int] = field(default_factory=list)
    output_from: list[int] = field(default_factory=list)
    rejects: list[tuple[int, str]] = field(default_factory=list)
