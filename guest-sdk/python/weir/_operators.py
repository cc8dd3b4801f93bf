"""The decorators that make a function or class the operator. What they decorate stays as it is, for tests to call."""

from collections.abc import Callable
from typing import Any, TypeVar, overload

from ._aggregate import Aggregate
from ._schema import Keep
from ._state import State
from ._transform import Filter, FlatMap, Map, Whole

F = TypeVar("F", bound=Callable)
C = TypeVar("C", bound=type)

OPERATOR = "__weir_operator__"


def operator_of(decorated: Any) -> Any:
    """A new operator of what was decorated; None if it was not."""
    make = vars(decorated).get(OPERATOR) if hasattr(decorated, "__dict__") else None
    return make() if make else None


def _mark(decorated: Any, make: Callable[[], Any]) -> Any:
    make()  # What is wrong with it is told where it stands.
    setattr(decorated, OPERATOR, make)
    return decorated


@overload
def map(function: F, /) -> F: ...
@overload
def map(*, keep: Keep = ()) -> Callable[[F], F]: ...
def map(function: F | None = None, /, *, keep: Keep = ()) -> Any:
    """Makes a function from a row to a row the operator: `def f(row: In) -> Out`, or `-> Out | None` to drop rows.

    With a second parameter it is given the config. `keep` names the input columns that stay before those of `Out`;
    "all" keeps all but those that `Out` has anew.
    """
    decorate = lambda function: _mark(function, lambda: Map(function, keep))
    return decorate if function is None else decorate(function)


def filter(function: F, /) -> F:
    """Makes a function that says whether a row stays the operator: `def f(row: In) -> bool`."""
    return _mark(function, lambda: Filter(function))


@overload
def flat_map(function: F, /) -> F: ...
@overload
def flat_map(*, keep: Keep = ()) -> Callable[[F], F]: ...
def flat_map(function: F | None = None, /, *, keep: Keep = ()) -> Any:
    """Makes a function from a row to any number of rows the operator: `def f(row: In) -> Iterator[Out]`.

    For the config and `keep` see `map`.
    """
    decorate = lambda function: _mark(function, lambda: FlatMap(function, keep))
    return decorate if function is None else decorate(function)


@overload
def batch(function: F, /) -> F: ...
@overload
def batch(*, keep: Keep = ()) -> Callable[[F], F]: ...
def batch(function: F | None = None, /, *, keep: Keep = ()) -> Any:
    """Makes a function over whole columns the operator: `def f(rows: Rows[In]) -> Answer[Out]`.

    How many rows come in a call is the host's choice, and nothing may depend on it. For config and `keep` see `map`.
    """
    decorate = lambda function: _mark(function, lambda: Whole(function, keep))
    return decorate if function is None else decorate(function)


def aggregate(decorated: C) -> C:
    """Makes a class that folds the rows of a key the operator. Its fields, if it is a dataclass, are the config.

    It has `create(self, row: In) -> Acc`, `merge(self, total: Acc, part: Acc) -> Acc`, which must be associative, and
    `finish(self, total: Acc) -> Out`. If there is an inverse of `merge`, `retract(self, total: Acc, part: Acc) -> Acc |
    None`, of which None says that nothing is left, makes sliding windows cost what changes.
    """
    return _mark(decorated, lambda: Aggregate(decorated))


@overload
def state(decorated: C, /) -> C: ...
@overload
def state(*, version: int = 1) -> Callable[[C], C]: ...
def state(decorated: C | None = None, /, *, version: int = 1) -> Any:
    """Makes a class that remembers something of each key the operator. A dataclass is its own config.

    It has `update(self, before: Remembered | None, rows: Group[In], turn: Turn[Out]) -> Remembered | Fate`. With a
    parameter `key: Key` after `self` it is given the key's columns. Raise `version` whenever the meaning or the fields
    of what is remembered change.
    """
    decorate = lambda decorated: _mark(decorated, lambda: State(decorated, version))
    return decorate if decorated is None else decorate(decorated)
