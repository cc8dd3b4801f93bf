"""What came of a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .. import log


@dataclass
class Answer:
    """Output rows, the rows that were rejected, and what was logged."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """A dict for each row, in order."""
    columns: list[str] = field(default_factory=list)
    """The names of the output's columns."""
    rejects: list[tuple[int, str]] = field(default_factory=list)
    """The index of each row that was rejected, and why."""
    log: list[tuple[str, str]] = field(default_factory=list)
    """The level and text of each line."""


@contextmanager
def captured(answer: Answer) -> Iterator[None]:
    """What is logged meanwhile goes to the answer."""
    sink: Callable[[str, str], None] = lambda level, line: answer.log.append((level, line))
    before = log.set_sink(sink)
    try:
        yield
    finally:
        log.set_sink(before)
