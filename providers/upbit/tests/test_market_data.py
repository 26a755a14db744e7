"""How many requests tickers, books and trades cost, and how trades are paged through their days."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from candle_hookspecs import (
    Anchor,
    BadRequestError,
    FetchRequest,
    Kind,
    MalformedAnswerError,
    Market,
    MarketGoneError,
    Page,
    Span,
    WarmupScope,
    to_ms,
)
from candle_testkit.context import make_context
from candle_testkit.sandbox import Limits, MarketConfig, Sandbox, SandboxConfig
from candle_upbit.provider import UpbitProvider

NOW = to_ms("2024-03-15T10:30:20.500")
TODAY = to_ms("2024-03-15")
DAY, HOUR = 86_400_000, 3_600_000
BTC = MarketConfig(
    "KRW-BTC", "BTC", "KRW", "1000", "0.00000001", "42000000", "50000000", trades=100_000, exchange="UPBIT",
    quiet=[("2024-03-12", "2024-03-14")],
)  # fmt: skip
FEW = MarketConfig("KRW-FEW", "FEW", "KRW", "1", "0.0001", "100", "100000", trades=40, exchange="UPBIT")
OTHERS = [MarketConfig(f"KRW-C{n}", f"C{n}", "KRW", "1", "0.0001", exchange="UPBIT") for n in range(120)]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    config = SandboxConfig(markets=[BTC, FEW, *OTHERS], clock=NOW, speed=0, limits=Limits(group=None))
    with Sandbox(config) as sandbox:
        yield sandbox


@pytest.fixture
async def provider(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[UpbitProvider]:
    settings = UpbitProvider.Settings.model_validate({"rest_url": sandbox.url})
    provider = UpbitProvider(settings, make_context(tmp_path, "upbit"))
    sandbox.clock.set(NOW)
    await provider.candle_warmup(WarmupScope())
    sandbox.ledger.clear()
    yield provider
    await provider.candle_close()


def market(config: MarketConfig) -> Market:
    return Market(
        archetype="CRYPTO", exchange="UPBIT", tradetype="SPOT", base=config.base, quote=config.quote,
        native_id=config.symbol, ccxt_symbol=f"{config.base}/{config.quote}",
    )  # fmt: skip


async def ask(provider: UpbitProvider, **wish: Any) -> list[Page]:
    todo, pages = list(provider.candle_split(FetchRequest(**wish)) or ()), list[Page]()
    while todo:
        pages.append(await provider.candle_fetch(todo.pop(0)))
        todo += pages[-1].rest
    return pages


async def trades(provider: UpbitProvider, config: MarketConfig = BTC, **wish: Any) -> list[Page]:
    return await ask(provider, kind=Kind.TRADES, markets=(market(config),), **wish)


def told(pages: list[Page]) -> list[tuple[int, str, str]]:
    return sorted((one.at, f"{one.price:f}", f"{one.amount:f}") for page in pages for one in page.trades)


def truth(rows: Any) -> list[tuple[int, str, str]]:
    """Rows of the ledger with their decimals as the wire writes them."""
    return sorted(
        (at, f"{price // 10**8}.{price % 10**8:08}", f"{amount // 10**8}.{amount % 10**8:08}")
        for _, at, price, amount, _ in rows.tolist()
    )


@pytest.mark.parametrize(("count", "path"), [(1, "/v1/ticker"), (100, "/v1/ticker"), (120, "/v1/ticker/all")])
async def test_tickers_are_one_request(provider: UpbitProvider, sandbox: Sandbox, count: int, path: str) -> None:
    wanted = tuple(market(one) for one in OTHERS[:count])
    (page,) = await ask(provider, kind=Kind.TICKERS, markets=wanted)
    assert [ticker.market for ticker in page.tickers] == list(wanted)
    assert [one.path for one in sandbox.ledger.requests()] == [path]
    assert page.request.costs == {"ticker": 1}


async def test_all_of_a_quote_leaves_an_unknown_market_out(provider: UpbitProvider) -> None:
    wanted = (replace(market(BTC), native_id="KRW-NOPE"), *(market(one) for one in OTHERS[:110]))
    (page,) = await ask(provider, kind=Kind.TICKERS, markets=wanted)
    assert [ticker.market for ticker in page.tickers] == list(wanted[1:])


@pytest.mark.parametrize(("count", "requests"), [(1, 1), (20, 1), (100, 1), (120, 2)])
async def test_books(provider: UpbitProvider, sandbox: Sandbox, count: int, requests: int) -> None:
    wanted = tuple(market(one) for one in OTHERS[:count])
    pages = await ask(provider, kind=Kind.ORDERBOOKS, markets=wanted, limit=99)
    assert [book.market for page in pages for book in page.orderbooks] == list(wanted)
    assert sandbox.ledger.count("/v1/orderbook") == len(pages) == requests
    assert {len(book.asks) for page in pages for book in page.orderbooks} == {30}


async def test_an_unknown_market_spoils_its_call(provider: UpbitProvider) -> None:
    wanted = (market(BTC), replace(market(BTC), native_id="KRW-NOPE"))
    for kind in (Kind.TICKERS, Kind.ORDERBOOKS):
        with pytest.raises(MarketGoneError):
            await ask(provider, kind=kind, markets=wanted)


async def test_five_thousand_trades_are_ten_requests(provider: UpbitProvider, sandbox: Sandbox) -> None:
    pages = await trades(provider, limit=5_000)
    assert told(pages) == truth(sandbox.ledger.newest_trades("KRW-BTC", 5_000))
    assert sandbox.ledger.count("/v1/trades/ticks") == 10


SPANS = {
    "inside-today": Span(TODAY + HOUR, TODAY + 2 * HOUR + 1),
    "up-to-now": Span(NOW - 600_000, NOW + DAY),
    "across-midnight": Span(TODAY - 1_800_000, TODAY + 1_800_000),
    "to-midnight": Span(TODAY - 1_800_000, TODAY),
    "from-midnight": Span(TODAY, TODAY + 1_800_000),
    "the-last-millisecond": Span(TODAY - 1, TODAY),
    "part-of-a-second": Span(TODAY + HOUR + 300, TODAY + HOUR + 45_700),
    "quiet-days": Span(TODAY - 4 * DAY + 23 * HOUR, TODAY - DAY + 600_000),
    "the-oldest": Span(TODAY - 7 * DAY, TODAY - 7 * DAY + 900_000),
    "the-future": Span(NOW + 1, NOW + HOUR),
}


@pytest.mark.parametrize("name", SPANS)
@pytest.mark.parametrize("anchor", list(Anchor), ids=str)
async def test_all_trades_of_a_span(provider: UpbitProvider, sandbox: Sandbox, name: str, anchor: Anchor) -> None:
    span = SPANS[name]
    pages = await trades(provider, span=span, anchor=anchor)
    expected = truth(sandbox.ledger.trades("KRW-BTC", span.start, span.end))
    assert told(pages) == expected
    days = -(-span.end // DAY) - span.start // DAY
    assert len(pages) <= len(expected) // 500 + 2 * days


@pytest.mark.parametrize("limit", [1, 7, 499, 500, 501, 1_500])
async def test_the_newest_of_a_span(provider: UpbitProvider, sandbox: Sandbox, limit: int) -> None:
    span = Span(TODAY - HOUR, TODAY + 60_000 + 123)
    rows = sandbox.ledger.trades("KRW-BTC", span.start, span.end)
    pages = await trades(provider, span=span, anchor=Anchor.END, limit=limit)
    assert told(pages) == truth(rows[-limit:])
    assert all(len(page.trades) <= page.request.limit for page in pages)


async def test_a_thin_market_is_looked_for_seven_days_back(provider: UpbitProvider, sandbox: Sandbox) -> None:
    """A day's trades end with the day, so the newest hundred may be those of many days."""
    pages = await trades(provider, FEW, limit=100)
    assert told(pages) == truth(sandbox.ledger.newest_trades("KRW-FEW", 100))
    assert 3 <= len(pages) <= 8
    everything = await trades(provider, FEW, limit=100_000)
    assert told(everything) == truth(sandbox.ledger.trades("KRW-FEW", TODAY - 7 * DAY, NOW))
    assert len(everything) == 8


async def test_a_day_that_has_not_traded_yet(provider: UpbitProvider, sandbox: Sandbox) -> None:
    """The exchange tells the day before in its place, and of that only what lies before the time of day."""
    first = int(sandbox.ledger.trades("KRW-FEW", TODAY, NOW)["at"][0])
    assert first > TODAY + 2_000
    sandbox.clock.set(first)
    await provider.candle_warmup(WarmupScope())
    pages = await trades(provider, FEW, span=Span(TODAY - 6 * DAY, first - 1_000), anchor=Anchor.END, limit=10)
    assert told(pages) == truth(sandbox.ledger.newest_trades("KRW-FEW", 10))


BEFORE = Span(TODAY - 9 * DAY, TODAY - 8 * DAY)


@pytest.mark.parametrize(
    "wish", [{"span": Span(TODAY - 8 * DAY, TODAY)}, {"span": BEFORE, "anchor": Anchor.END, "limit": 5}]
)
async def test_what_is_not_told_any_more_is_refused(provider: UpbitProvider, sandbox: Sandbox, wish: Any) -> None:
    with pytest.raises(BadRequestError, match="2024-03-08T00:00:00Z on"):
        await trades(provider, **wish)
    assert not sandbox.ledger.count()


async def test_a_count_that_reaches_beyond_what_is_told_is_refused(provider: UpbitProvider) -> None:
    """Rather than to give less than was asked for and to call it all."""
    with pytest.raises(BadRequestError, match="2024-03-08T00:00:00Z on"):
        await trades(provider, FEW, span=Span(0, NOW), anchor=Anchor.END, limit=100_000)


async def test_the_oldest_cannot_be_counted(provider: UpbitProvider) -> None:
    with pytest.raises(BadRequestError, match="end"):
        await trades(provider, span=SPANS["inside-today"], anchor=Anchor.START, limit=10)


async def test_the_day_turns_while_it_is_asked(provider: UpbitProvider, sandbox: Sandbox) -> None:
    """How many days ago a day is goes by the exchange's clock: an answer from another day is not believed."""
    span = Span(TODAY - HOUR, TODAY - HOUR + 60_000)
    (call,) = list(provider.candle_split(FetchRequest(kind=Kind.TRADES, markets=(market(BTC),), span=span)) or ())
    sandbox.clock.set(TODAY + DAY + 1_000)
    with pytest.raises(MalformedAnswerError, match="another day"):
        await provider.candle_fetch(call)
    page = await provider.candle_fetch(call)
    assert told([page]) == truth(sandbox.ledger.trades("KRW-BTC", span.start, span.end))
