"""How many requests tickers, books and trades cost, what they weigh, and what happens around an unknown market."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from candle_binance import calls, trades
from candle_binance.provider import BinanceProvider
from candle_hookspecs import Anchor, FetchRequest, Kind, Market, MarketGoneError, MarketQuery, Page, Span, Trade, to_ms
from candle_testkit.context import make_context
from candle_testkit.sandbox import MarketConfig, Sandbox, SandboxConfig

NOW = to_ms("2024-03-01T10:20:30.500")
HOUR = 3_600_000
MARKETS = [MarketConfig(f"C{number}USDT", f"C{number}", "USDT") for number in range(800)]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(markets=MARKETS, clock=NOW, speed=0)) as sandbox:
        yield sandbox


@pytest.fixture
async def provider(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[BinanceProvider]:
    settings = BinanceProvider.Settings.model_validate({"rest_url": sandbox.url})
    provider = BinanceProvider(settings, make_context(tmp_path, "binance"))
    sandbox.forgive()
    sandbox.ledger.clear()
    yield provider
    await provider.candle_close()


def markets(count: int) -> tuple[Market, ...]:
    return tuple(
        Market(
            archetype="CRYPTO", exchange="BINANCE", tradetype="SPOT", base=one.base, quote=one.quote,
            native_id=one.symbol, ccxt_symbol=f"{one.base}/{one.quote}",
        )
        for one in MARKETS[:count]
    )  # fmt: skip


async def ask(provider: BinanceProvider, **wish: Any) -> list[Page]:
    todo, pages = list(provider.candle_split(FetchRequest(**wish)) or ()), list[Page]()
    while todo:
        pages.append(await provider.candle_fetch(todo.pop(0)))
        todo += pages[-1].rest
    return pages


@pytest.mark.parametrize(("count", "requests", "weight"), [(1, 1, 2), (20, 1, 2), (21, 2, 4), (100, 5, 10)])
async def test_tickers(provider: BinanceProvider, sandbox: Sandbox, count: int, requests: int, weight: int) -> None:
    wanted = markets(count)
    pages = await ask(provider, kind=Kind.TICKERS, markets=wanted)
    assert [ticker.market for page in pages for ticker in page.tickers] == list(wanted)
    sent = sandbox.ledger.requests("/api/v3/ticker/24hr")
    assert (len(sent), sum(one.weight for one in sent)) == (requests, weight)
    assert sum(page.request.costs["weight"] for page in pages) == weight


@pytest.mark.parametrize(
    ("levels", "weight"), [(0, 5), (5, 5), (100, 5), (101, 25), (500, 25), (1000, 50), (1001, 250), (9000, 250)]
)
async def test_books(provider: BinanceProvider, sandbox: Sandbox, levels: int, weight: int) -> None:
    pages = await ask(provider, kind=Kind.ORDERBOOKS, markets=markets(20), limit=levels)
    assert len(sandbox.ledger.requests("/api/v3/depth")) == len(pages) == 20
    assert {page.request.costs["weight"] for page in pages} == {weight}
    assert {one.weight for one in sandbox.ledger.requests()} == {weight}
    assert {len(page.orderbooks[0].asks) for page in pages} == {min(levels or 100, 5000)}


def told(pages: list[Page]) -> list[int]:
    return sorted(int(trade.id) for page in pages for trade in page.trades)


async def test_five_thousand_trades_are_five_requests(provider: BinanceProvider, sandbox: Sandbox) -> None:
    (market,) = markets(1)
    pages = await ask(provider, kind=Kind.TRADES, markets=(market,), limit=5_000)
    assert told(pages) == sandbox.ledger.newest_trades(market.native_id, 5_000)["number"].tolist()
    assert [one.weight for one in sandbox.ledger.requests("/api/v3/aggTrades")] == [4] * 5
    assert len(pages[0].rest) == 4, "all others at once"


@pytest.mark.parametrize("anchor", list(Anchor), ids=str)
@pytest.mark.parametrize("limit", [0, 10, 1_000, 2_345, 100_000])
async def test_trades_of_a_span_by_either_end(
    provider: BinanceProvider, sandbox: Sandbox, anchor: Anchor, limit: int
) -> None:
    (market,) = markets(1)
    span = Span(NOW - 2 * HOUR, NOW - HOUR)
    truth = sandbox.ledger.trades(market.native_id, span.start, span.end)["number"].tolist()
    assert len(truth) > 3_000
    wanted = truth if not limit else truth[:limit] if anchor is Anchor.START else truth[-limit:]
    pages = await ask(provider, kind=Kind.TRADES, markets=(market,), span=span, anchor=anchor, limit=limit)
    assert told(pages) == wanted
    assert len(pages) <= -(-len(wanted) // 1_000) + 2
    assert all(trade.at in span for page in pages for trade in page.trades)


async def test_without_span_and_limit_a_page_is_all(provider: BinanceProvider) -> None:
    (page,) = await ask(provider, kind=Kind.TRADES, markets=markets(1))
    assert len(page.trades) == 1_000


async def test_an_unknown_market_spoils_its_call_alone(provider: BinanceProvider) -> None:
    wanted = markets(40)
    wanted = (*wanted[:5], replace(wanted[5], native_id="NOPEUSDT"), *wanted[6:])
    first, second = list(provider.candle_split(FetchRequest(kind=Kind.TICKERS, markets=wanted)) or ())
    with pytest.raises(MarketGoneError, match="-1121"):
        await provider.candle_fetch(first)
    assert len((await provider.candle_fetch(second)).tickers) == 20
    odd = replace(first, markets=(*wanted[:5], replace(wanted[5], native_id="NO PE")))
    with pytest.raises(MarketGoneError, match="-1100"):
        await provider.candle_fetch(odd)


async def test_everything_at_once_from_eight_hundred_markets_on(provider: BinanceProvider, sandbox: Sandbox) -> None:
    """It weighs no more than so many groups, and leaves out a market that is unknown."""
    few = provider.candle_split(FetchRequest(kind=Kind.TICKERS, markets=markets(780))) or ()
    assert (len(few), sum(call.costs["weight"] for call in few)) == (39, 78)
    wanted = markets(800)
    strange = replace(wanted[0], native_id="NOPEUSDT")
    (page,) = await ask(provider, kind=Kind.TICKERS, markets=(strange, *wanted[1:]))
    assert [ticker.market for ticker in page.tickers] == list(wanted[1:])
    assert [one.weight for one in sandbox.ledger.requests()] == [80] == [page.request.costs["weight"]]


def test_a_year_of_trades_is_laid_out_a_stretch_at_a_time() -> None:
    """The last call of a stretch stands for all that follow, and goes on by itself."""
    market = Market(
        archetype="CRYPTO", exchange="BINANCE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
        ccxt_symbol="BTC/USDT",
    )  # fmt: skip
    total, seen, longest = 1_000_500, 0, 0
    numbers = trades.Numbers(7, 7 + total - 1, exact=True)
    todo = [FetchRequest(kind=Kind.TRADES, markets=(market,), limit=total, token=numbers.token)]
    while todo:
        call = todo.pop()
        asked = trades.parameters(call)
        assert asked["fromId"] == 7 + seen
        seen += int(asked["limit"])
        row = Trade(market=market, id="0", at=0, price=Decimal(1), amount=Decimal(1))
        rest = trades.rest(call, [(0, row)] * calls.TRADES)
        longest = max(longest, len(rest))
        todo += rest[::-1]
    assert (seen, longest) == (total, 64)


async def test_markets_are_known_by_either_name(provider: BinanceProvider) -> None:
    """What the listing gives is what these calls take."""
    (market,) = await provider.candle_markets(MarketQuery(name="C7/USDT"))
    (page,) = await ask(provider, kind=Kind.TICKERS, markets=(market,))
    assert page.tickers[0].market is market
