"""How the words behind a command are read, and how values are shown."""

from decimal import Decimal

import pytest

from candle_core.cli.common import Target
from candle_core.cli.render import Column, cell_text, duration, plain_table
from candle_hookspecs import BadInputError, UnknownTimeframeError


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("BINANCE SPOT BTC/USDT 1m", Target("BINANCE", "SPOT", ("BTC/USDT",), "1m")),
        ("binance spot BTC/USDT ETH/USDT 1M", Target("BINANCE", "SPOT", ("BTC/USDT", "ETH/USDT"), "1M")),
        ("NASDAQ AAPL MSFT 1d", Target("NASDAQ", None, ("AAPL", "MSFT"), "1d")),
        ("NYSE SPOT 1d", Target("NYSE", None, ("SPOT",), "1d")),
        ("NYSE STOCK SPOT 1d", Target("NYSE", "STOCK", ("SPOT",), "1d")),
    ],
    ids=str,
)
def test_words(words: str, target: Target) -> None:
    assert Target.of(words.split()) == target


@pytest.mark.parametrize("words", ["BINANCE", "BINANCE 1m"])
def test_too_few(words: str) -> None:
    with pytest.raises(BadInputError, match="is not enough"):
        Target.of(words.split())


def test_the_last_word_is_a_timeframe() -> None:
    with pytest.raises(UnknownTimeframeError, match="'1x'"):
        Target.of(["BINANCE", "SPOT", "BTC/USDT", "1x"])


def test_a_plain_table() -> None:
    columns = [Column("name"), Column("count", right=True), Column("note")]
    rows = [["a", "1,000", ""], ["long name", "7", "x"]]
    assert plain_table(columns, rows) == "name       count  note\na          1,000\nlong name      7  x\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (float("nan"), "-"),
        (1_234_567, "1,234,567"),
        (Decimal("0.00000001"), "0.00000001"),
        (Decimal("1E+2"), "100"),
        (Decimal("0.00"), "0"),
        ("text", "text"),
    ],
)
def test_cells(value: str | int | float | Decimal | None, text: str) -> None:
    assert cell_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (125, "2 min 05 s"), (12_000, "3 h 20 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
