"""Columns by their names, and which of an input's go over to the output as they are."""

from collections.abc import Sequence
from typing import Literal

from ._wire import Field

Keep = Sequence[str] | Literal["all"]
"""The columns that an operator keeps, by name, or all but those that it adds anew."""


def find(name: str, columns: Sequence[Field]) -> int | None:
    """Where a column is."""
    return next((index for index, column in enumerate(columns) if column.name == name), None)


def listed(columns: Sequence[Field]) -> str:
    """Columns and their types, for a message."""
    return ", ".join(f"`{column.name}` ({column.type})" for column in columns) or "no columns"


def kept(keep: Keep, columns: Sequence[Field], adds: Sequence[Field]) -> list[int]:
    """Where the columns are that an operator keeps."""
    added = {field.name for field in adds}
    if keep == "all":
        return [index for index, column in enumerate(columns) if column.name not in added]
    return [_kept(name, columns, added) for name in keep]


def _kept(name: str, columns: Sequence[Field], added: set[str]) -> int:
    if name in added:
        raise ValueError(f"the operator keeps column `{name}` and adds another one of the same name")
    index = find(name, columns)
    if index is None:
        raise ValueError(f"the input has no column `{name}`, which the operator keeps; it has {listed(columns)}")
    return index
