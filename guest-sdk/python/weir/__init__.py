"""Write operators for the stream processor Weir as plain Python functions.

    @dataclass
    class Post:
        text: str

    @dataclass
    class Hashtag:
        tag: str

    @weir.flat_map(keep=["user"])
    def hashtags(post: Post) -> Iterator[Hashtag]:
        for word in post.text.split():
            if word.startswith("#"):
                yield Hashtag(word)

`weir plugin build` makes a component of it, which runs sandboxed on any host. The function stays an ordinary one;
`weir.testing` runs it as the host does, under any Python.
"""

from . import log
from ._batch import Answer, Rows, View
from ._errors import Failure, Reject, reject
from ._group import Group
from ._operators import aggregate, batch, filter, flat_map, map, state
from ._record import Name
from ._state import Cause, Fate, Turn
from ._time import Timestamp, batch_time

__all__ = [
    "Answer",
    "Cause",
    "Failure",
    "Fate",
    "Group",
    "Name",
    "Reject",
    "Rows",
    "Timestamp",
    "Turn",
    "View",
    "aggregate",
    "batch",
    "batch_time",
    "filter",
    "flat_map",
    "log",
    "map",
    "reject",
    "state",
]
