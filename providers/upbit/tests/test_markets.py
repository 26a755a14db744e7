"""The listing becomes markets; by other means than the provider's own: the body's JSON, and ccxt."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from candle_hookspecs import MalformedAnswerError, Market, MarketQuery, MarketStatus
from candle_testkit.context import make_context
from candle_testkit.sandbox import Sandbox, SandboxConfig
from candle_upbit.markets import parse_all
from candle_upbit.provider import UpbitProvider

CAUTION = {"PRICE_FLUCTUATIONS": False, "TRADING_VOLUME_SOARING": True, "DEPOSIT_AMOUNT_SOARING": True}
RAW: list[dict[str, Any]] = [
    {"market": "KRW-BTC", "korean_name": "비트코인", "english_name": "Bitcoin",
     "market_event": {"warning": False, "caution": CAUTION}},
    {"market": "BTC-ETH", "korean_name": "이더리움", "english_name": "Ethereum"},
    {"market": "USDT-TON", "korean_name": "토카막네트워크", "english_name": "Tokamak Network",
     "market_event": {"warning": True, "caution": {}}},
]  # fmt: skip


def parsed(*raw: Any) -> list[Market]:
    return parse_all(json.dumps(raw or RAW).encode(), "UPBIT")


def test_what_a_market_says() -> None:
    bitcoin, ether, tokamak = parsed()
    assert (bitcoin.native_id, bitcoin.ccxt_symbol, bitcoin.base, bitcoin.quote) == ("KRW-BTC", "BTC/KRW", "BTC", "KRW")
    assert (bitcoin.archetype, bitcoin.exchange, bitcoin.tradetype) == ("CRYPTO", "UPBIT", "SPOT")
    assert (bitcoin.status, bitcoin.title, bitcoin.listed) == (MarketStatus.TRADING, "비트코인", None)
    assert bitcoin.price_tick is None, "it is a table of the price"
    assert bitcoin.extra["price_ticks"].startswith("@2025-07-30T15:00:00Z 1000000:1000 500000:500 ")
    assert (str(bitcoin.tick_table), str(ether.tick_table)) == (bitcoin.extra["price_ticks"], "0:0.00000001")
    assert (bitcoin.extra["warning"], bitcoin.extra["caution"]) == (
        "false", "DEPOSIT_AMOUNT_SOARING TRADING_VOLUME_SOARING",
    )  # fmt: skip
    assert (tokamak.extra["warning"], tokamak.native_id, tokamak.ccxt_symbol) == (
        "true", "USDT-TON", "Tokamak Network/USDT",
    )  # fmt: skip
    assert [market.min_notional for market in (bitcoin, ether, tokamak)] == [
        Decimal(5000), Decimal("0.00005"), Decimal("0.5"),
    ]  # fmt: skip


def test_a_quote_without_a_table() -> None:
    (market,) = parsed({"market": "EUR-BTC"})
    assert (market.extra["price_ticks"], market.tick_table) == ("", None)


def test_names_are_those_of_ccxt() -> None:
    codes = [*ccxt.upbit().commonCurrencies, "BTC", "ETH", "USDT", "BTT", "STRAX", "1INCH"]
    raw = [{"market": f"KRW-{code}"} for code in codes]
    reader = ccxt.upbit()
    theirs = [reader.parse_market(one) for one in raw]
    assert [(one.native_id, one.ccxt_symbol, one.base) for one in parsed(*raw)] == [
        (one["id"], one["symbol"], one["base"]) for one in theirs
    ]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<html>", b"[1]", b'[{"market":1}]', b'[{"korean_name":"x"}]', b'[{"market":"KRWBTC"}]',
             b'[{"market":"-BTC"}]', b'[{"market":"KRW-"}]'],
)  # fmt: skip
def test_what_is_no_listing_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        parse_all(body, "UPBIT")


async def test_a_delisted_market_is_not_listed(tmp_path: Path) -> None:
    with Sandbox(SandboxConfig(markets=1, clock="2022-05-20T02:59:59", speed=0)) as sandbox:
        settings = UpbitProvider.Settings.model_validate({"rest_url": sandbox.url})
        provider = UpbitProvider(settings, make_context(tmp_path, "upbit"))
        assert [one.base for one in await provider.candle_markets(MarketQuery(name="luna/krw"))] == ["LUNA"]
        sandbox.clock.advance(1_000)
        for name in ("KRW-LUNA", "LUNA/KRW"):
            assert await provider.candle_markets(MarketQuery(name=name)) == []
        await provider.candle_close()
