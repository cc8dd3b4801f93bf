"""What an exception says goes to the task's log, since the trap that follows says nothing.

`traceback` of the standard library opens files, of which a component has none: the lines that it quotes are kept when the
component is made.
"""

import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from types import TracebackType

from . import log

_SDK = __file__.rpartition("/")[0] + "/"
_MOUNT = re.compile("^/[0-9]+/")
_sources: dict[str, list[str]] = {}


def remember_sources(modules: Iterable[str]) -> None:
    """Keeps the source of modules."""
    for name in modules:
        path = getattr(sys.modules.get(name), "__file__", None)
        if path and path.endswith(".py"):
            with open(path, encoding="utf-8") as file:
                _sources[_place(path)] = file.read().splitlines()


def tell(error: BaseException) -> None:
    """Logs the trace, then in a line what went wrong and where: a host shows the last line."""
    log.error("\n".join(_chain(error)))
    frames = list(_frames(error))
    place = " ({}:{}, in {})".format(*frames[-1]) if frames else ""
    log.error(_said(error) + place)


def _chain(error: BaseException) -> Iterator[str]:
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _chain(before)
        yield "\nFrom which came:\n"
    yield "Traceback (most recent call last):"
    for path, line, name in _frames(error):
        yield f'  File "{path}", line {line}, in {name}'
        source = _sources.get(path, [])
        if 0 < line <= len(source):
            yield f"    {source[line - 1].strip()}"
    yield _said(error)


def _said(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()


def _frames(error: BaseException) -> Iterator[tuple[str, int, str]]:
    """Where it went through the operator; the SDK's own frames tell nobody anything."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(_SDK):
            yield _place(code.co_filename), trace.tb_lineno, code.co_name
        trace = trace.tb_next


def _place(path: str) -> str:
    """A path in the project: a component has each folder of modules at `/NUMBER`."""
    return _MOUNT.sub("", path)
