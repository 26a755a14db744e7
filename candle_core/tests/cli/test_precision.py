"""`candle precision`, against the sandbox: what it lists, rounded by hand."""

from decimal import Decimal
from pathlib import Path

import pytest

from candle_testkit.sandbox import Sandbox

from .conftest import Candle

BITCOIN = ("BINANCE", "SPOT", "BTC/USDT")
WON = ("UPBIT", "SPOT", "BTC/KRW")


@pytest.fixture(autouse=True)
def _in_the_folder(config: Path, sandbox: Sandbox) -> None:
    """Every test here has a candle.toml, with both exchanges."""
    with config.open("a") as file:
        file.write(f'[providers.upbit]\nrest_url = "{sandbox.url}"\n')


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_what_a_market_takes(candle: Candle, sandbox: Sandbox) -> None:
    outcome = candle("precision", *BITCOIN)
    assert (outcome.code, outcome.err) == (0, "")
    market = sandbox.markets["BTCUSDT"].config
    caption, header, price, amount, worth = rows(outcome.out)
    assert caption == ["BINANCE", "SPOT", "BTC/USDT"]
    assert header == ["unit", "steps", "of", "least", "most"]
    assert price[:3] == ["price", "USDT", market.tick]
    assert amount[:3] == ["amount", "BTC", market.step]
    assert worth == ["price", "×", "amount", "USDT", "-", "5", "-"]


def test_an_order_that_is_taken(candle: Candle) -> None:
    outcome = candle("precision", *BITCOIN, "--price", "97123.4567", "--amount", "0.0123456")
    assert (outcome.code, outcome.err) == (0, "")
    assert rows(outcome.out)[-4:] == [
        ["given", "as", "the", "market", "takes", "it"],
        ["price", "97123.4567", "97123.46"],
        ["amount", "0.0123456", "0.01234"],
        ["price", "×", "amount", "-", str(Decimal("97123.46") * Decimal("0.01234"))],
    ]


def test_an_order_that_is_too_small(candle: Candle) -> None:
    outcome = candle("precision", *BITCOIN, "--price", "100000", "--amount", "0.0000499")
    assert outcome.code == 1
    assert outcome.err == "candle: refused: the order is worth 4 USDT, less than 5 USDT\n"
    outcome = candle("precision", *BITCOIN, "--amount", "0.000001", "--json")
    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.document["order"] == {
        "price": None, "amount": "0.000001", "rounded_price": None, "rounded_amount": "0", "worth": None,
        "problems": ["the amount 0 BTC is below the least, 0.00001 BTC"],
    }  # fmt: skip


def test_one_of_the_two_alone(candle: Candle) -> None:
    outcome = candle("precision", *BITCOIN, "--price", "1e-9")
    assert outcome.code == 1
    assert rows(outcome.out)[-1] == ["price", "0.000000001", "0"]


def test_a_table_of_steps(candle: Candle) -> None:
    outcome = candle("precision", *WON, "--price", "999750", "--amount", "0.01")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    start = lines.index("steps of a price since 2025-07-30T15:00:00Z:")
    assert rows("\n".join(lines[start + 2 : start + 5])) == [
        ["1000000", "-", "1000"], ["500000", "1000000", "500"], ["100000", "500000", "100"],
    ]  # fmt: skip
    assert rows(outcome.out)[-3] == ["price", "999750", "1000000"]
    assert "2024-01-28T15:00:00Z" in outcome.err


def test_the_steps_of_a_day(candle: Candle) -> None:
    outcome = candle("precision", *WON, "--price", "1000400", "--at", "2024-06-01")
    assert (outcome.code, outcome.err) == (0, "")
    assert "steps of a price since 2024-01-28T15:00:00Z:" in outcome.out
    assert rows(outcome.out)[-1] == ["price", "1000400", "1000500"]
    outcome = candle("precision", *WON, "--at", "2023-06-01")
    assert "steps of a price:" in outcome.out.splitlines()


def test_the_document(candle: Candle) -> None:
    document = candle("precision", "upbit", "KRW-BTC", "--price", "1000400", "--at", "2024-06-01", "--json").document
    assert (document["exchange"], document["tradetype"], document["ccxt_symbol"]) == WON
    assert (document["at"], document["min_notional"], document["min_price"]) == ("2024-06-01T00:00:00Z", "5000", None)
    assert document["price_ticks"]["since"] == "2024-01-28T15:00:00Z"
    assert document["price_ticks"]["bands"][:2] == [["2000000", "1000"], ["1000000", "500"]]
    assert document["changes"] == ["2025-07-30T15:00:00Z", "2024-01-28T15:00:00Z"]
    assert document["order"]["rounded_price"] == "1000500"


def test_a_market_that_is_stored_is_not_asked_for(candle: Candle, sandbox: Sandbox) -> None:
    assert candle("collect", *BITCOIN, "1d", "--count", "1").code == 0
    sandbox.ledger.clear()
    assert candle("precision", *BITCOIN, "--price", "1").code == 0
    assert list(sandbox.ledger.requests()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*BITCOIN, "--price", "dear"), ("'dear'", "price")),
        ((*BITCOIN, "--amount=-1"), ("'-1'", "negative")),
        ((*BITCOIN, "--at", "soon"), ("'soon'",)),
        (("BINANCE", "SPOT", "NO/SUCH"), ("'NO/SUCH'", "candle markets BINANCE SPOT")),
        (("BINANCE",), ("'BINANCE'", "BINANCE SPOT BTC/USDT")),
        ((*BITCOIN, "1m"), ("'BINANCE SPOT BTC/USDT 1m'",)),
    ],
)
def test_what_cannot_be(candle: Candle, words: tuple[str, ...], said: tuple[str, ...]) -> None:
    candle("precision", *words).failed_with(2, *said)
