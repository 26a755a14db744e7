"""Tickers, order books and trades: asked for side by side, remembered for a moment, never stored."""

import asyncio
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Generic, ParamSpec, TypeAlias, TypeVar

from candle_core.cache import MemoryCache
from candle_core.coordinator.aggregate import newest_tickers, sound_ticker, tidy_book, unite_trades
from candle_core.coordinator.calls import Calls, Read
from candle_core.coordinator.meter import Outcome
from candle_core.coordinator.models import LargeOrderbookRequest, LargeTickerRequest, LargeTradeRequest
from candle_core.coordinator.shelf import Call, Shelf
from candle_core.pipeline import first_error
from candle_core.provider import Provider
from candle_hookspecs import (
    Anchor,
    BrokenPluginError,
    CandleError,
    FetchRequest,
    Kind,
    MalformedAnswerError,
    Market,
    MemoryLimitError,
    OrderBook,
    Page,
    Span,
    Ticker,
    Trade,
)

Trades = tuple[Trade, ...]
_Question = tuple[Span | None, Anchor, int, str]
_Value = TypeVar("_Value")
_Checked = ParamSpec("_Checked")
_Begin: TypeAlias = Callable[[Sequence[Market]], Sequence[Call[Market, _Value]]]
_Wish = LargeTickerRequest | LargeOrderbookRequest | LargeTradeRequest

_Key = tuple[str, str, str, Hashable]
"""Exchange, trade type, native name, and what else tells two wishes for one market apart."""

TICKER_BYTES: Final = 2_500
LEVEL_BYTES: Final = 350
TRADE_BYTES: Final = 600
"""What one takes at most, its decimals included and its market, which all share, left out."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A request on its way: the provider, the calls it may send, and the market of each symbol."""

    provider: Provider
    calls: Calls
    markets: dict[str, Market]


def ticker_bytes(_: Ticker) -> int:
    """What a ticker takes in memory, about."""
    return TICKER_BYTES


def book_bytes(book: OrderBook) -> int:
    """What an order book takes in memory, about."""
    return LEVEL_BYTES * (1 + len(book.bids) + len(book.asks))


def trades_bytes(trades: Trades) -> int:
    """What trades take in memory, about."""
    return TRADE_BYTES * (1 + len(trades))


class _Shelved(Generic[_Value]):
    """One kind of data. Made once, so that all requests share what is remembered."""

    kind: Kind

    def __init__(self, memory: MemoryCache[_Key, _Value], ttl: float) -> None:
        self._shelf: Shelf[_Key, _Value] = Shelf(memory, ttl)

    async def obtain(
        self,
        request: _Wish,
        asking: Asking,
        detail: Hashable,
        begin: _Begin[_Value],
    ) -> Outcome[_Value]:
        """What is remembered, what is under way, and what `begin` asks for."""
        names = {name: _key(market, detail) for name, market in asking.markets.items()}
        by_key = {names[name]: market for name, market in asking.markets.items()}

        def calls(keys: Sequence[_Key]) -> list[Call[_Key, _Value]]:
            return [_keyed(call, detail) for call in begin([by_key[key] for key in keys])]

        found = await self._shelf.obtain(list(by_key), calls, priority=request.priority, max_age=request.max_age)
        answers = {name: found.answers[key] for name, key in names.items()}
        hits, joined = (sum(key in kept for key in names.values()) for kept in (found.hits, found.joined))
        return Outcome.of(answers, hits, joined)

    def in_groups(self, request: _Wish, asking: Asking, read: Read[_Value], *, limit: int = 0) -> _Begin[_Value]:
        """Calls for as many markets at once as the exchange takes."""

        def begin(markets: Sequence[Market]) -> list[Call[Market, _Value]]:
            wish = FetchRequest(kind=self.kind, markets=tuple(markets), limit=limit, priority=request.priority)
            return [
                (part.markets, partial(asking.calls.send_for_each, part, read)) for part in asking.calls.split(wish)
            ]

        return begin


class Tickers(_Shelved[Ticker]):
    """The newest ticker of each market."""

    kind = Kind.TICKERS

    async def get(self, request: LargeTickerRequest, asking: Asking) -> Outcome[Ticker]:
        """Ask for what is not remembered."""

        def read(page: Page) -> dict[Market, Ticker | MalformedAnswerError]:
            newest = newest_tickers(page.tickers)
            return {market: _or_error(sound_ticker, ticker) for market, ticker in newest.items()}

        return await self.obtain(request, asking, None, self.in_groups(request, asking, read))


class OrderBooks(_Shelved[OrderBook]):
    """Both sides of each market."""

    kind = Kind.ORDERBOOKS

    async def get(self, request: LargeOrderbookRequest, asking: Asking) -> Outcome[OrderBook]:
        """Ask for what is not remembered."""
        depth = request.depth

        def read(page: Page) -> dict[Market, OrderBook | MalformedAnswerError]:
            return {book.market: _or_error(tidy_book, book, depth) for book in page.orderbooks}

        return await self.obtain(request, asking, depth, self.in_groups(request, asking, read, limit=depth or 0))


class MarketTrades(_Shelved[Trades]):
    """The trades of each market, as many calls for each as they need."""

    kind = Kind.TRADES

    async def get(self, request: LargeTradeRequest, asking: Asking) -> Outcome[Trades]:
        """Ask for what is not remembered."""
        bounds = request.bounds

        def begin(markets: Sequence[Market]) -> list[Call[Market, Trades]]:
            return [((market,), partial(one, market)) for market in markets]

        async def one(market: Market) -> dict[Market, Trades | CandleError]:
            try:
                trades = await _all_trades(
                    asking.calls, _trade_wish(request, market, asking.provider), request.max_trades
                )
            except CandleError as error:
                return {market: error}
            if bounds.count is None:
                return {market: trades}
            return {market: trades[: bounds.count] if bounds.start is not None else trades[-bounds.count :]}

        return await self.obtain(request, asking, (bounds, request.max_trades), begin)


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _key(market: Market, detail: Hashable) -> _Key:
    return market.exchange, market.tradetype, market.native_id, detail


def _keyed(call: Call[Market, _Value], detail: Hashable) -> Call[_Key, _Value]:
    markets, ask = call
    keys: Collection[_Key] = [_key(market, detail) for market in markets]

    async def by_key() -> dict[_Key, _Value | CandleError]:
        return {_key(market, detail): answer for market, answer in (await ask()).items()}

    return keys, by_key


# ── tickers, books ───────────────────────────────────────────────────────────────────────────────────────────────────


def _or_error(
    check: Callable[_Checked, _Value], *value: _Checked.args, **options: _Checked.kwargs
) -> _Value | MalformedAnswerError:
    try:
        return check(*value, **options)
    except MalformedAnswerError as error:
        return error


# ── trades ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _trade_wish(request: LargeTradeRequest, market: Market, provider: Provider) -> FetchRequest:
    """The range, up to now by the exchange's clock, as far as it is known; the newest trades without any.

    Where an exchange counts only back from the end, the oldest so many are had by asking for all.
    """
    bounds, now = request.bounds, provider.clock.now() + 1
    wish = FetchRequest(
        kind=Kind.TRADES, markets=(market,), limit=bounds.count or 0, priority=request.priority, anchor=Anchor.END
    )
    if bounds.start is not None:
        until = max(now, bounds.start + 1)
        span = Span(bounds.start, until if bounds.end is None else min(bounds.end, until))
        if Anchor.START in provider.capabilities.anchors:
            return replace(wish, span=span, anchor=Anchor.START)
        return replace(wish, span=span, limit=0)
    return wish if bounds.end is None else replace(wish, span=Span(0, bounds.end))


async def _all_trades(calls: Calls, wish: FetchRequest, most: int) -> Trades:
    """Follow the rest of every answer until there is none.

    Raises:
        MemoryLimitError: there are more than `most`. BrokenPluginError: an answer leaves what was asked for already.
        CandleError: some of them could not be had.
    """
    pages: list[Trades] = []
    asked: set[_Question] = set()
    left = list(calls.split(wish))
    while left:
        for request in left:
            if (question := (request.span, request.anchor, request.limit, request.token)) in asked:
                raise BrokenPluginError(f"{wish.market.exchange!r} would be asked for {request!s} for ever")
            asked.add(question)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(calls.send(request, _read_trades)) for request in left]
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None
        pages += [task.result()[0] for task in tasks]
        left = [request for task in tasks for request in task.result()[1]]
        if sum(map(len, pages)) > most:
            raise MemoryLimitError(
                f"{wish.market.ccxt_symbol!r} has more than max_trades={most!r} trades in this range; raise the bound,"
                " or ask for a shorter range"
            )
    return unite_trades(pages, wish.market, wish.span)


def _read_trades(page: Page) -> tuple[Trades, tuple[FetchRequest, ...]]:
    return unite_trades([page.trades], page.request.market, page.request.span), page.rest
