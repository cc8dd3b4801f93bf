"""Runs operators as the host does, under any Python: with their config, nulls, rejects and log.

    answer = testing.transform(mentions, config={"shortest": 3}).run([{"user": "ada", "text": "@bela"}])
    assert answer.rows == [{"user": "ada", "mention": "bela"}]

Rows are dicts, or instances of a dataclass or NamedTuple. Types of columns are those that the operator reads; of
others, those of the values, or of a `schema` like `{"user": str | None}`.
"""

from ._testing import Answer, aggregate, state, transform

__all__ = ["Answer", "aggregate", "state", "transform"]
