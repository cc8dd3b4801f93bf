"""The operator, run as the host runs it, under plain Python: `python -m pytest`."""

from plugin import Config, Mention, Post, mentions
from weir import testing


def test_every_mention_is_a_row_with_its_user():
    rows = [{"user": "ada", "text": "@bela, have you met @chen_2 or @jo?"}]
    answer = testing.transform(mentions, config={"shortest": 3}).run(rows)
    assert answer.rows == [{"user": "ada", "mention": "bela"}, {"user": "ada", "mention": "chen_2"}]


def test_the_function_is_an_ordinary_one():
    assert list(mentions(Post("@ada"), Config())) == [Mention("ada")]
