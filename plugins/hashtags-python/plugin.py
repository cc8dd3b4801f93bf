"""A row for each hashtag of a text: a `#` and the letters, digits and underscores after it.

Works on the whole column: one search goes through the bytes of all rows, and the tags are parts of them, which the host
cuts out.
"""

import re
from dataclasses import dataclass

import weir

# Every byte of a character beyond ASCII has its highest bit set.
_TAG = re.compile(rb"#[A-Za-z0-9_\x80-\xff]+")


@dataclass
class Post:
    text: str | None


@dataclass
class Hashtag:
    tag: str


@weir.batch
def hashtags(posts: weir.Rows[Post]) -> weir.Answer[Hashtag]:
    """The hashtags of each post in order; one that is written twice comes twice."""
    text = posts.text
    ends, valid = text.offsets[1:], text.valid
    origin, starts, lengths = [], [], []
    row = 0
    for match in _TAG.finditer(text.data):
        start, end = match.span()
        while ends[row] <= start:
            row += 1
        # The search knows nothing of rows: a tag at the end of one can go on in the next.
        length = min(end, ends[row]) - start
        if length > 1 and (valid is None or valid[row]):
            origin.append(row)
            starts.append(start)
            lengths.append(length)
    return weir.Answer(origin, tag=text.slices(starts, lengths))
