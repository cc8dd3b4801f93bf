"""The rows of one group of a call: a key's, or a part of them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Generic, TypeVar

from ._record import Missing, Record
from ._wire import Batch

Row = TypeVar("Row")


class Group(Generic[Row]):
    """The rows of a group in order, to be iterated. One with a null where none may be is rejected and left out."""

    def __init__(self, rows: Sequence[tuple[int, Any]], rejects: list[tuple[int, str]]):
        self._rows, self._rejects, self._at = rows, rejects, None

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        for row, record in self._rows:
            if type(record) is Missing:
                self._rejects.append((row, record.reason))
                continue
            self._at = row
            yield record

    def reject(self, reason: object) -> None:
        """Rejects the row that was iterated last. It must not be in what comes of the group."""
        if self._at is None:
            raise RuntimeError("no row of the group has been iterated that could be rejected")
        self._rejects.append((self._at, str(reason)))

    def reject_all(self, reason: object) -> None:
        """Rejects every row of the group."""
        self._rejects += [(row, str(reason)) for row, _ in self._rows]


def cut(record: Record, groups: list[int], batch: Batch, rejects: list[tuple[int, str]]) -> Iterator[Group]:
    """The groups of a call: group g is the rows from `groups[g]` up to `groups[g + 1]`."""
    rows = list(record.read(batch, record.columns(batch)))
    return (Group(rows[start:end], rejects) for start, end in pairwise(groups))
