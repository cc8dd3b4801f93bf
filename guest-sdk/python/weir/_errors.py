"""What an operator says when it cannot go on: with a row, or at all."""

from typing import NoReturn


class Reject(Exception):
    """A row that the operator cannot take, and why. The pipeline's `on_reject` says what becomes of it."""


class Failure(Exception):
    """The operator cannot go on with this config or these rows: the job stops and shows the text."""


def reject(reason: object) -> NoReturn:
    """Rejects the row at hand: raises `Reject`."""
    raise Reject(str(reason))
