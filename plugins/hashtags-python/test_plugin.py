"""`python -m pytest`"""

import pytest
from plugin import hashtags
from weir import testing


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#one, #two_2! (#three) x#four", ["#one", "#two_2", "#three", "#four"]),
        ("# ## #-a no tag at all", []),
        ("##a #a#b", ["#a", "#a", "#b"]),
        ("#größe #日本.", ["#größe", "#日本"]),
        ("", []),
    ],
)
def test_a_tag_ends_where_its_letters_end(text, tags):
    assert found([text]) == tags


def test_a_tag_ends_where_its_row_ends():
    assert found(["", "#a", "b #", "c", None, "#d"]) == ["#a", "#d"]


def found(texts):
    rows = [{"text": text} for text in texts]
    answer = testing.transform(hashtags).run(rows, schema={"text": str | None})
    return [row["tag"] for row in answer.rows]
