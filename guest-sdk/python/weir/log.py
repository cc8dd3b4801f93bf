"""The task's log, which the host keeps, bounded; it is the only thing that an operator can call.

Outside a host, lines go to standard error, or to `weir.testing` while it runs the operator.
"""

import sys
from collections.abc import Callable

Sink = Callable[[str, str], None]
"""Takes a level and a line."""


def _to_stderr(level: str, message: str) -> None:
    print(f"{level}: {message}", file=sys.stderr)


_sink: Sink = _to_stderr


def set_sink(sink: Sink) -> Sink:
    """Sends lines elsewhere, and answers with where they went before."""
    global _sink
    before, _sink = _sink, sink
    return before


def debug(message: object) -> None:
    """Says something to the operator's author."""
    _sink("debug", str(message))


def info(message: object) -> None:
    """Says something worth knowing."""
    _sink("info", str(message))


def warn(message: object) -> None:
    """Says something worth a look."""
    _sink("warn", str(message))


def error(message: object) -> None:
    """Says that something is wrong."""
    _sink("error", str(message))
