"""Bitmaps: one bit a row, least significant bit of each byte first. Whole numbers do the work, not loops."""

from collections.abc import Iterable


def unpack(bits: bytes, rows: int) -> list[bool]:
    """The bits of so many rows."""
    digits = format(int.from_bytes(bits, "little"), f"0{rows}b")[::-1]
    return list(map("1".__eq__, digits[:rows]))


def pack(values: Iterable[bool]) -> bytes:
    """A bit for each value."""
    digits = "".join(map("01".__getitem__, values))
    return int(digits[::-1] or "0", 2).to_bytes((len(digits) + 7) // 8, "little")
