"""Standard output and error of a component: what is printed goes to the log, line by line."""

import io
import os
import sys
from collections.abc import Callable

from .. import log


class Lines(io.TextIOBase):
    """A text stream whose lines are logged."""

    def __init__(self, tell: Callable[[str], None]):
        self._tell, self._begun = tell, ""

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._tell(line)
        return len(text)


def redirect() -> None:
    """From here on, what is printed is logged."""
    sys.stdout, sys.stderr = Lines(log.info), Lines(log.warn)


def silence() -> None:
    """What Python and its runtime print of an exception that ends the instance is told already."""
    sys.stderr = None
    os.close(2)
