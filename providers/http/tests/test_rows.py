"""Arrays of objects: one that cannot be read is left out and said, and the others are there."""

import logging

import msgspec
import pytest

from candle_hookspecs import MalformedAnswerError
from candle_http import Rows, sound


class Pair(msgspec.Struct):
    name: str
    number: int


PAIRS = Rows(Pair, "pairs")
MIXED = b'[{"name":"a","number":1},{"name":"b","number":"two"},{"name":"c","number":3,"more":[]}]'


def test_all_are_read_or_none() -> None:
    assert PAIRS.all_of(b'[{"name":"a","number":1}]') == [Pair("a", 1)]
    with pytest.raises(MalformedAnswerError, match="not pairs: Expected `int`, got `str`"):
        PAIRS.all_of(MIXED)


def test_what_is_not_of_the_shape_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "candle.http"):
        assert PAIRS.sound_of(MIXED) == [Pair("a", 1), Pair("c", 3)]
    (said,) = caplog.messages
    assert '"name":"b"' in said


@pytest.mark.parametrize("body", [b"", b"[", b"{}", b"<html>", b"[1]", b'[{"name":"a"}]', MIXED[:-2]])
def test_where_nothing_is_of_the_shape_the_answer_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError, match=r"not pairs: .* begins"):
        PAIRS.sound_of(body)


def test_nothing_in_an_answer_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    assert PAIRS.sound_of(b"[]") == []
    assert sound([], str) == []
    assert not caplog.messages
