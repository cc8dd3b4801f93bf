"""A row for each `@mention` in a text, beside the user who wrote it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import weir


@dataclass
class Post:
    """What is read of a row. Other columns need not exist, and do not cross into the sandbox."""

    text: str


@dataclass
class Mention:
    """The columns that are added to those kept."""

    mention: str
    """The user who is mentioned, without the `@`."""


@dataclass
class Config:
    """The operator's `config` in the pipeline file."""

    shortest: int = 0
    """Shorter names are passed over."""

    def __post_init__(self) -> None:
        if self.shortest < 0:
            raise ValueError(f"`shortest` must not be negative, but is {self.shortest}")


_WORD = re.compile(r"[\w@]+")


@weir.flat_map(keep=["user"])
def mentions(post: Post, config: Config) -> Iterator[Mention]:
    """The mentions of a post, in order."""
    for word in _WORD.findall(post.text):
        name = word.removeprefix("@")
        if name != word and len(name) >= max(config.shortest, 1):
            yield Mention(name)
