"""A row whenever a sensor has moved away from what it last told."""

from dataclasses import dataclass
from math import isfinite

import weir


@dataclass
class Reading:
    """What is read of a row. Other columns do not cross into the sandbox; those of the key can come as `key`."""

    value: float


@dataclass
class Told:
    """What is kept of a key from batch to batch. Raise the version below when it changes."""

    value: float


@dataclass
class Move:
    """The answer, before which the host puts the key."""

    before: float | None
    """The value that was told before; null for the first."""
    now: float
    """The value now."""


@weir.state(version=1)
@dataclass
class Moves:
    """The operator; its fields are its `config` in the pipeline file."""

    by: float = 0.0
    """Smaller moves are not told."""

    def update(self, told: Told | None, readings: weir.Group[Reading], turn: weir.Turn[Move]) -> Told | weir.Fate:
        if turn.cause is weir.Cause.IDLE:
            # No reading for the pipeline's `timeout`: the last call.
            return weir.Fate.REMOVE
        before = last = told.value if told else None
        for reading in readings:
            if not isfinite(reading.value):
                readings.reject(f"{reading.value} is no measurement")
            elif last is None or abs(reading.value - last) > self.by:
                turn.emit(Move(before=last, now=reading.value))
                last = reading.value
        # What does not change costs the host nothing.
        return weir.Fate.UNCHANGED if last is None or last == before else Told(last)
