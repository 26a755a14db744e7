"""A listing asks for what it needs, once, in nobody's name."""

import functools
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from pydantic import SecretStr

from candle_ccxt.describe import MADE_OF_CURRENCIES
from candle_ccxt.loading import known
from candle_ccxt.provider import CcxtProvider
from candle_hookspecs import (
    Account,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    MarketQuery,
    ProviderError,
    RateLimitedError,
    TransientError,
    WarmupScope,
)
from candle_testkit.context import make_context
from candle_testkit.sandbox import MarketConfig, Sandbox, SandboxConfig
from providers.ccxt.tests.ccxt_source import read_and_written
from providers.ccxt.tests.servers import served

KEY, SECRET, PHRASE = "planted-key", "cGxhbnRlZC1zZWNyZXQ=", "planted-phrase"
NOW: Final = "2024-03-10"


def build(tmp_path: Path, name: str, url: str, *, keys: bool = False, **table: Any) -> CcxtProvider:
    account = Account(
        name="main", exchange=name, api_key=SecretStr(KEY), api_secret=SecretStr(SECRET), passphrase=SecretStr(PHRASE)
    )
    context = replace(make_context(tmp_path, name), account=account if keys else None)
    return CcxtProvider(CcxtProvider.Settings.model_validate({"rest_url": url, "timeout": 5, **table}), context)


# ── on the sandbox's wires ──────────────────────────────────────────────────────────────────────────────────────────

ON_WIRES: Final = {
    "binance": (MarketConfig("BTCUSDT", "BTC", "USDT", "0.01", "0.00001", "42000"), ["/api/v3/exchangeInfo"]),
    "upbit": (MarketConfig("KRW-BTC", "BTC", "KRW", price="60000000", exchange="UPBIT"), ["/v1/market/all"]),
    "kraken": (
        # Its steps are those of the currencies where these are coarser.
        MarketConfig("XXBTZUSD", "BTC", "USD", "0.1", "0.00001", price="42000", exchange="KRAKEN"),
        ["/0/public/AssetPairs", "/0/public/Assets"],
    ),
    "okx": (
        MarketConfig("BTC-USDT", "BTC", "USDT", "0.1", "0.00001", price="42000", exchange="OKX"),
        ["/api/v5/public/instruments"],
    ),
}


@pytest.mark.parametrize("name", ON_WIRES)
async def test_keys_change_nothing(tmp_path: Path, name: str) -> None:
    market, paths = ON_WIRES[name]
    with Sandbox(SandboxConfig(markets=[market], clock=NOW, speed=0)) as sandbox:
        found = []
        for keys in (False, True):
            sandbox.ledger.clear()
            provider = build(tmp_path, name, sandbox.url, keys=keys, tradetypes=["SPOT"])
            # What the first has taught ccxt changes nothing in the second.
            found += [await provider.candle_markets(MarketQuery()) for _ in range(2)]
            await provider.candle_warmup(WarmupScope(markets=True))
            await provider.candle_close()
            assert sorted(one.path for one in sandbox.ledger.requests()) == sorted(paths * 3)
    assert [(one.symbol("1m").base, one.native_id) for one in found[0]] == [("BTC", market.symbol)]
    assert all(one == found[0] for one in found)


# ── as ccxt asks, whatever is answered ──────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def serving(answer: Callable[[web.Request], web.Response]) -> AsyncIterator[tuple[str, list[str]]]:
    """A server of one function, and what it was sent."""
    sent: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.text()
        sent.append(f"{request.method} {request.path_qs} {sorted(request.headers.items())} {body}")
        return answer(request)

    async with served(handle) as url:
        yield url, sent


LISTED_FOR_NOBODY_ELSE: Final = {"alpaca", "mudrex"}
"""Who tells their markets to those alone who have a key."""


@pytest.mark.slow
async def test_no_listing_of_any_exchange_is_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a server that has nothing, as far as ccxt gets with that: to the end, mostly."""
    # Each reads the certificates of all authorities, which takes longer than the rest, and asks by plain HTTP then.
    monkeypatch.setattr("ssl.create_default_context", functools.cache(ssl.create_default_context))
    private, failed = set[str](), 0
    async with serving(lambda _: web.json_response({})) as (url, sent):
        for name in known():
            asked = []
            for keys in (False, True):
                sent.clear()
                try:
                    provider = build(tmp_path, name, url, keys=keys)
                except ConfigError:  # it has no candles
                    break
                try:
                    await provider.candle_markets(MarketQuery())
                except AuthenticationError:
                    private.add(name)
                except ProviderError:
                    failed += 1
                await provider.candle_close()
                asked.append(sorted(one.split(" ")[1].partition("?")[0] for one in sent))
                if name not in private:
                    assert not [one for one in sent if KEY in one or PHRASE in one or SECRET in one], name
            if asked and name not in private:
                assert asked[0] == asked[1], name
                assert asked[0], f"{name} was asked for nothing"
    assert private == LISTED_FOR_NOBODY_ELSE
    assert failed < 80, "of two for each of a hundred"


@pytest.mark.slow
def test_currencies_are_asked_for_where_ccxt_makes_markets_of_them() -> None:
    """By its source: what its reading of currencies leaves behind is read again by its reading of markets."""
    found = set()
    for name in known():
        read, set_again = read_and_written(name, "fetch_markets")
        _, left = read_and_written(name, "fetch_currencies")
        # `load_markets` hands them over by this option.
        if (left | {"cachedCurrencies"}) & read - set_again:
            found.add(name)
    assert found == MADE_OF_CURRENCIES


async def test_geminis_steps_are_read_from_its_page(tmp_path: Path) -> None:
    """ccxt knows no other place. Without the page the markets are had all the same, and it is not asked for again."""
    # The order of the fields as the source of `fetch_currencies_from_web` shows it.
    data = {
        "tradingPairs": [["BTCUSD", 2, 8, "0.00001", 10, True]],
        "currencies": [["BTC", "Bitcoin", 8, 8, 0, 8, 8, False, None, "bitcoin"]],
    }
    pages = [f'<html><script id="currencyData">{json.dumps(data)}</script></html>', "<html>Who are you?</html>"]
    told = []
    for page in pages:

        def answer(request: web.Request, page: str = page) -> web.Response:
            if request.path == "/":
                return web.Response(text=page, content_type="text/html")
            return web.json_response(["btcusd"])

        async with serving(answer) as (url, sent):
            provider = build(tmp_path, "gemini", url, tradetypes=["SPOT"])
            (market,) = await provider.candle_markets(MarketQuery())
            await provider.candle_close()
            assert [one.split(" ")[1] for one in sent] == ["/", "/v1/symbols"]
        told.append((market.ccxt_symbol, market.price_tick, market.amount_step, market.min_amount))
    assert told[0] == ("BTC/USD", Decimal("0.01"), Decimal("0.00000001"), Decimal("0.00001"))
    assert told[1] == ("BTC/USD", None, None, None)


@pytest.mark.parametrize(
    ("name", "tradetypes", "paths"),
    [
        ("htx", ["SPOT"], ["/v1/common/symbols"]),
        ("htx", ["SWAP"], [
            "/api/v1/contract_contract_info", "/linear-swap-api/v1/swap_contract_info",
            "/swap-api/v1/swap_contract_info",
        ]),
        ("kucoin", ["SPOT"], ["/api/v2/symbols"]),
    ],
)  # fmt: skip
async def test_only_the_parts_that_are_wanted_are_asked_for(
    tmp_path: Path, name: str, tradetypes: list[str], paths: list[str]
) -> None:
    async with serving(lambda _: web.json_response({"code": "200000", "data": []})) as (url, sent):
        provider = build(tmp_path, name, url, tradetypes=tradetypes)
        with suppress(TransientError):  # HTX is not expected to list nothing
            await provider.candle_markets(MarketQuery())
        await provider.candle_close()
        assert sorted(one.split(" ")[1].partition("?")[0] for one in sent) == paths


@pytest.mark.parametrize(("tradetypes", "pairs"), [(["SPOT", "FUTURE"], 1), (["FUTURE"], 0)])
async def test_futures_that_come_with_perpetuals_are_not_left_out(
    tmp_path: Path, tradetypes: list[str], pairs: int
) -> None:
    """Bitget has no part of its own for them."""
    async with serving(lambda _: web.json_response({"code": "00000", "data": []})) as (url, sent):
        provider = build(tmp_path, "bitget", url, tradetypes=tradetypes)
        await provider.candle_markets(MarketQuery())
        await provider.candle_close()
        assert len([one for one in sent if "/mix/market/contracts" in one]) == 6
        assert len(sent) == 6 + pairs


# ── a part that is refused ──────────────────────────────────────────────────────────────────────────────────────────


def refusing(status: int, **heads: str) -> Callable[[web.Request], web.Response]:
    """Binance, where futures are refused before the rest is told."""

    def answer(request: web.Request) -> web.Response:
        if request.path.startswith("/fapi"):
            return web.json_response({"code": 0, "msg": "restricted location"}, status=status, headers=heads)
        return web.json_response({"symbols": []})

    return answer


@pytest.mark.parametrize("status", [403, 451])
async def test_a_part_that_is_refused_is_told_with_what_helps(tmp_path: Path, status: int) -> None:
    async with serving(refusing(status)) as (url, sent):
        provider = build(tmp_path, "binance", url)
        with pytest.raises(BadRequestError) as caught:
            await provider.candle_markets(MarketQuery())
        await provider.candle_close()
        assert f"{url}/fapi/v1/exchangeInfo {status}" in str(caught.value)
        assert 'in [providers.binance] those to have, as in tradetypes = ["SPOT"]' in str(caught.value)
        sent.clear()
        spot = build(tmp_path, "binance", url, tradetypes=["SPOT"])
        assert await spot.candle_markets(MarketQuery()) == []
        await spot.candle_close()
        assert len(sent) == 1
    async with serving(lambda _: web.json_response({}, status=status)) as (url, _):
        provider = build(tmp_path, "binance", url, tradetypes=["SPOT"])
        with pytest.raises(BadRequestError) as caught:
            await provider.candle_markets(MarketQuery())
        await provider.candle_close()
        assert "tradetypes" not in str(caught.value), "nothing is left to be left out"


@pytest.mark.parametrize("status", [418, 429])
async def test_a_wait_is_that_of_the_part_that_wants_it(tmp_path: Path, status: int) -> None:
    """The others are answered meanwhile, and say nothing of waiting."""
    async with serving(refusing(status, **{"Retry-After": "77"})) as (url, _):
        provider = build(tmp_path, "binance", url)
        with pytest.raises(RateLimitedError, match=f"{status} from {url}/fapi/v1/exchangeInfo") as caught:
            await provider.candle_markets(MarketQuery())
        await provider.candle_close()
    assert (caught.value.retry_after, caught.value.banned) == (77, status == 418)
