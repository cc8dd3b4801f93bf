"""The six types of a column, each with its Python type: between a column's values and a list of Python's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any

from ._bits import pack, unpack
from ._time import Timestamp
from ._wire import VarLen

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of columns in Python."""

    type: str
    """As the interface spells it."""
    python: str
    """As a person writes it."""
    exact: type
    """The type of a value as `encode` takes it."""
    accepts: tuple[type, ...]
    """Types of values that become one."""
    blank: Any
    """The value of a row that nobody reads."""
    decode: Callable[[Any, int], list]
    """The values of so many rows."""
    encode: Callable[[Sequence], Any]
    """A column's values; of type `exact` all of them."""

    def __str__(self) -> str:
        return self.python


def _as_they_are(values: Sequence, _rows: int) -> list:
    return values if isinstance(values, list) else list(values)


def _booleans(bits: bytes, rows: int) -> list[bool]:
    return unpack(bits, rows)


def _texts(values: VarLen, _rows: int) -> list[str]:
    data, offsets = values.data, values.offsets
    if data.isascii():
        # Bytes and characters have the same places: one decoding does for all values.
        text = data.decode("ascii")
        return [text[start:end] for start, end in pairwise(offsets)]
    return [data[start:end].decode() for start, end in pairwise(offsets)]


def _parts(values: VarLen, _rows: int) -> list[bytes]:
    data = values.data
    return [data[start:end] for start, end in pairwise(values.offsets)]


def _datetimes(values: Sequence[int], _rows: int) -> list[datetime | None]:
    return [_EPOCH + timedelta(microseconds=value) if _FIRST <= value <= _LAST else None for value in values]


def _encode_integers(values: Sequence[int]) -> list[int]:
    if values and not -(2**63) <= min(values) <= max(values) < 2**63:
        worst = max(values, key=abs)
        raise OverflowError(f"{worst} does not fit into 64 bits")
    return list(values)


def _encode_texts(values: Sequence[str]) -> VarLen:
    text = "".join(values)
    data = text.encode()
    if len(data) == len(text):
        return VarLen([0, *accumulate(map(len, values))], data)
    return _encode_parts([value.encode() for value in values])


def _encode_parts(values: Sequence[bytes]) -> VarLen:
    return VarLen([0, *accumulate(map(len, values))], b"".join(values))


def _encode_datetimes(values: Sequence[datetime]) -> list[int]:
    naive = next((value for value in values if value.tzinfo is None), None)
    if naive is not None:
        raise ValueError(f"{naive} is in no time zone; say which, as in `datetime.now(UTC)`")
    return [(value - _EPOCH) // _MICROSECOND for value in values]


KINDS: dict[Any, Kind] = {
    bool: Kind("boolean", "bool", bool, (bool,), False, _booleans, pack),
    int: Kind("int64", "int", int, (int,), 0, _as_they_are, _encode_integers),
    float: Kind("float64", "float", float, (int, float), 0.0, _as_they_are, list),
    datetime: Kind("timestamp", "datetime", datetime, (datetime,), _EPOCH, _datetimes, _encode_datetimes),
    Timestamp: Kind("timestamp", "Timestamp", int, (int,), 0, _as_they_are, _encode_integers),
    str: Kind("utf8", "str", str, (str,), "", _texts, _encode_texts),
    bytes: Kind("binary", "bytes", bytes, (bytes, bytearray, memoryview), b"", _parts, _encode_parts),
}
"""By Python's type."""
