"""The lowest and the highest value of a key."""

from dataclasses import dataclass

import weir


@dataclass
class Reading:
    """What is read of a row. Other columns, the key's too, do not cross into the sandbox."""

    value: float


@dataclass
class Range:
    """What rows are folded into; here also the answer, before which the host puts the key."""

    lowest: float
    highest: float


@weir.aggregate
@dataclass
class Extremes:
    """The operator; its fields are its `config` in the pipeline file."""

    limit: float | None = None
    """Values above it are rejected."""

    def create(self, row: Reading) -> Range:
        if self.limit is not None and row.value > self.limit:
            weir.reject(f"{row.value} is above {self.limit}")
        return Range(row.value, row.value)

    def merge(self, total: Range, part: Range) -> Range:
        return Range(min(total.lowest, part.lowest), max(total.highest, part.highest))

    def finish(self, total: Range) -> Range:
        return total
