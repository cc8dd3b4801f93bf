"""The rows of a call that are rejected, each with its reason."""

from operator import itemgetter


def in_order(rejects: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Each row at most once, in order: its first reason counts."""
    first = dict(reversed(rejects))
    return sorted(first.items(), key=itemgetter(0))
