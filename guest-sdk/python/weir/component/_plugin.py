"""The project's operator, found in its module `plugin`, and its calls, guarded."""

import functools
import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from componentize_py_types import Err
from wit_world.imports import log as host_log

from .. import _trace, log
from .._errors import Failure
from .._operators import operator_of
from . import _streams

MODULE = "plugin"


def load(world: str) -> Any:
    """The one operator of the project. What is wrong with it ends the build, told without a trace of the SDK's."""
    before = set(sys.modules)
    try:
        module = importlib.import_module(MODULE)
        operator = _one(module, world)
    except BaseException as error:
        raise SystemExit(_trace.told(error)) from None
    _trace.remember_sources(getattr(sys.modules[name], "__file__", None) for name in set(sys.modules) - before)
    log.set_sink(_log)
    _streams.redirect()
    return operator


def _one(module: ModuleType, world: str) -> Any:
    operators = {name: made for name, value in vars(module).items() if (made := operator_of(value))}
    if len(operators) != 1:
        found = ", ".join(operators) or "none"
        one = "one operator, a function or class with one of weir's decorators"
        raise TypeError(f"{MODULE}.py is to have {one}: it has {found}")
    [(name, operator)] = operators.items()
    if operator.world != world:
        raise TypeError(f"`{name}` is an operator of the world `{operator.world}`, and plugin.toml says `{world}`")
    return operator


def _log(level: str, message: str) -> None:
    host_log.log(host_log.Level[level.upper()], message)


def configured(call: Callable, *arguments: Any) -> Any:
    """`configure`, of which a ValueError says what is wrong with the config or the columns."""
    return _call(call, arguments, (Failure, ValueError))


def guarded(call: Callable, *arguments: Any) -> Any:
    """A call into the operator."""
    return _call(call, arguments, Failure)


@functools.cache
def _seed() -> None:
    """Before an instance's first call: `random` goes on from the task's seed, not from where the build left it."""
    if random := sys.modules.get("random"):
        random.seed()


def _call(call: Callable, arguments: tuple, failures: Any) -> Any:
    """What is raised beside failures is told, and traps."""
    _seed()
    try:
        return call(*arguments)
    except failures as failure:
        raise Err(str(failure)) from None
    except BaseException as error:
        _trace.tell(error)
        _streams.silence()
        raise
