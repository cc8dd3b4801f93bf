"""Time as an operator knows it: timestamps in rows, and the batch time. There is no clock."""

from datetime import UTC, datetime, timedelta
from typing import NewType

Timestamp = NewType("Timestamp", int)
"""Microseconds since the Unix epoch, UTC: a timestamp column as plain integers, which costs less than `datetime`."""

_now = 0


def batch_time() -> datetime:
    """The end of the interval of the batch that is being worked on: the only "now" that an operator has, and the same
    whenever the batch is computed again.

    Known to transforms and operators with state while they take rows; elsewhere it is the Unix epoch.
    """
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=_now)


def set_batch_time(milliseconds: int) -> None:
    global _now
    _now = milliseconds


def to_milliseconds(time: datetime | timedelta) -> int:
    """Since the Unix epoch, or of a span; a part of a millisecond counts as one."""
    span = time - datetime(1970, 1, 1, tzinfo=UTC) if isinstance(time, datetime) else time
    return -(-span // timedelta(milliseconds=1))
