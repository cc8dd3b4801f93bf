"""What an exception says goes to the task's log, since the trap that follows says nothing.

`traceback` of the standard library opens files, of which a component has none: the lines that it quotes are kept when
the component is made.
"""

import re
import traceback
from collections.abc import Iterable, Iterator
from types import TracebackType

from . import log

_SDK = __file__.rpartition("/")[0] + "/"
_IMPORT = ("<frozen importlib", "/python/importlib/")
_MOUNT = re.compile('(?:^|(?<="))/[0-9]+/')
# Frames that are shown of each end of a long trace, as that of a recursion.
_SHOWN = 10
_sources: dict[str, list[str]] = {}


def remember_sources(paths: Iterable[str | None]) -> None:
    """Keeps the lines of modules' files."""
    for path in paths:
        if path and path.endswith(".py"):
            with open(path, encoding="utf-8") as file:
                _sources[_place(path)] = file.read().splitlines()


def told(error: BaseException) -> str:
    """An exception's trace, while there are files."""
    remember_sources(path for path, _, _ in _all_frames(error) if path.startswith("/"))
    return "\n".join(_chain(error))


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
    frames = list(_frames(error))
    if frames:
        yield "Traceback (most recent call last):"
    left_out = len(frames) - 2 * _SHOWN
    if left_out > 0:
        yield from _lines(frames[:_SHOWN])
        yield f"  … {left_out} more"
        frames = frames[-_SHOWN:]
    yield from _lines(frames)
    yield _said(error)


def _lines(frames: Iterable[tuple[str, int, str]]) -> Iterator[str]:
    for path, line, name in frames:
        yield f'  File "{path}", line {line}, in {name}'
        source = _sources.get(path, [])
        if 0 < line <= len(source):
            yield f"    {source[line - 1].strip()}"


def _said(error: BaseException) -> str:
    return _place("".join(traceback.format_exception_only(error)).rstrip())


def _frames(error: BaseException) -> Iterator[tuple[str, int, str]]:
    """Where it went through the operator; the frames of the SDK and of an import tell nobody anything."""
    for path, line, name in _all_frames(error):
        if not path.startswith((_SDK, *_IMPORT)):
            yield _place(path), line, name


def _all_frames(error: BaseException) -> Iterator[tuple[str, int, str]]:
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        yield code.co_filename, trace.tb_lineno, code.co_name
        trace = trace.tb_next


def _place(path: str) -> str:
    """A path in the project: a component has each folder of modules at `/NUMBER`."""
    return _MOUNT.sub("", path)
