"""An operator's config: the JSON of the pipeline file, into a dataclass or NamedTuple, by its annotations."""

import dataclasses
import json
import typing
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ._record import field_names


def parse(text: str, config: Any) -> Any:
    """A config of a type. Without a type there must be none: a key without effect must not go unnoticed."""
    value = json.loads(text) if text.strip() else {}
    value = {} if value is None else value
    if config is None:
        if value != {}:
            raise ValueError(f"the operator takes no config, but is given {text}")
        return None
    try:
        return _convert(value, config, "")
    except (TypeError, ValueError) as error:
        raise ValueError(f"the operator's config is not valid: {error}") from error


def _convert(value: Any, wanted: Any, path: str) -> Any:
    origin, arms = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return value
    if origin in (UnionType, typing.Union):
        return _any_of(value, arms, path)
    if origin is Literal:
        if value not in arms:
            raise ValueError(f"{_named(path)} is to be one of {', '.join(map(json.dumps, arms))}, not {_shown(value)}")
        return value
    if wanted is list or origin is list:
        item = arms[0] if arms else Any
        items = enumerate(_of(value, list, "a list", path))
        return [_convert(value, item, f"{path}[{index}]") for index, value in items]
    if wanted is dict or origin is dict:
        item = arms[1] if arms else Any
        pairs = _of(value, dict, "a table", path).items()
        return {key: _convert(value, item, _joined(path, key)) for key, value in pairs}
    if dataclasses.is_dataclass(wanted) or hasattr(wanted, "_fields"):
        return _table(_of(value, dict, "a table", path), wanted, path)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise TypeError(f"{_named(path)} is to be {_spelled(wanted)}, not {_shown(value)}")
    return value


def _any_of(value: Any, arms: tuple, path: str) -> Any:
    errors = []
    for arm in arms:
        try:
            return _convert(value, arm, path)
        except (TypeError, ValueError) as error:
            if arm is not NoneType:
                errors.append(error)
    raise errors[0]


def _table(value: dict, wanted: type, path: str) -> Any:
    names, hints = field_names(wanted), get_type_hints(wanted)
    for key in value:
        if key not in names:
            expected = ", ".join(f"`{name}`" for name in names) or "none"
            raise ValueError(f"unknown field `{_joined(path, key)}`, expected {expected}")
    for name in names:
        if name not in value and not _has_default(wanted, name):
            raise ValueError(f"missing field `{_joined(path, name)}`")
    return wanted(**{key: _convert(item, hints[key], _joined(path, key)) for key, item in value.items()})


def _has_default(table: type, name: str) -> bool:
    if not dataclasses.is_dataclass(table):
        return name in table._field_defaults
    field = table.__dataclass_fields__[name]
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _of(value: Any, kind: type, spelled: str, path: str) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{_named(path)} is to be {spelled}, not {_shown(value)}")
    return value


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _named(path: str) -> str:
    return f"`{path}`" if path else "it"


def _spelled(wanted: Any) -> str:
    return getattr(wanted, "__name__", str(wanted))


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
