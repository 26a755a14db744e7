"""Providers whose tickers, books or trades are each broken in one way. Collected only by the test next door.

Each adopter names the check that must catch it and a word of the complaint.
"""

# ruff: noqa: N801

from dataclasses import replace
from decimal import Decimal
from typing import Any

from candle_binance.provider import BinanceProvider
from candle_hookspecs import (
    FetchRequest,
    Kind,
    LimitFeedback,
    MarketQuery,
    Page,
    PluginContext,
    Ticker,
)
from candle_stocks.provider import StocksProvider
from candle_testkit.contracts.market_data import MarketDataContract
from candle_testkit.contracts.scenes import UPBIT, YAHOO
from candle_upbit.provider import UpbitProvider

from .sabotage import ChangesPages, ForgetsTheWait, Sabotage, TakesGoneForWrong, TriesTwice


class Sabotaged(Sabotage, MarketDataContract):
    name = "binance"


class ChangesCalls(BinanceProvider):
    """Spoils the calls."""

    def candle_split(self, request: FetchRequest) -> list[FetchRequest]:
        return self.spoilt_calls(super().candle_split(request) or [])

    def spoilt_calls(self, calls: list[FetchRequest]) -> list[FetchRequest]:
        raise NotImplementedError


# ── what it says of itself, and its calls ────────────────────────────────────────────────────────────────────────────


class TestSaysNothingOfCosts(Sabotaged):
    check, complaint = "test_what_it_has_it_describes[tickers]", "capabilities.costs"

    class provider(BinanceProvider):
        capabilities = replace(BinanceProvider.capabilities, costs={})


class TestSaysNothingOfRows(Sabotaged):
    check, complaint = "test_what_it_has_it_describes[trades]", "capabilities.rows"

    class provider(BinanceProvider):
        capabilities = replace(BinanceProvider.capabilities, rows={})


class TestLosesMarkets(Sabotaged):
    check, complaint = "test_calls_name_every_market_once[21-tickers]", "each market once"

    class provider(ChangesCalls):
        def spoilt_calls(self, calls: list[FetchRequest]) -> list[FetchRequest]:
            return calls[:1]


class TestCostsNothing(Sabotaged):
    check, complaint = "test_calls_name_every_market_once[2-orderbooks]", "costs nothing"

    class provider(ChangesCalls):
        def spoilt_calls(self, calls: list[FetchRequest]) -> list[FetchRequest]:
            return [replace(call, costs={}) for call in calls]


class TestAsksOneByOne(Sabotaged):
    check, complaint = "test_calls_name_every_market_once[20-tickers]", "20 calls for 20 markets"

    class provider(ChangesCalls):
        def spoilt_calls(self, calls: list[FetchRequest]) -> list[FetchRequest]:
            return [replace(call, markets=(market,)) for call in calls for market in call.markets]


# ── tickers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class TestGoesThroughAFloat(Sabotaged):
    check, complaint = "test_tickers_are_true", "last of"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            told = [replace(one, last=Decimal(str(float(one.last)))) for one in page.tickers]
            return replace(page, tickers=told)


class TestMixesVolumes(Sabotaged):
    check, complaint = "test_tickers_are_true", "volume of"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, tickers=[replace(one, volume=one.quote_volume) for one in page.tickers])


class TestLosesATicker(Sabotaged):
    check, complaint = "test_tickers_are_true", "one ticker for each market"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, tickers=page.tickers[1:])


class TestTellsTheOpeningOfTheDay(Sabotaged):
    scene = UPBIT
    check, complaint = "test_tickers_are_true", "does not begin"

    class provider(ChangesPages, UpbitProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, tickers=[replace(one, since=one.at - 86_000_000) for one in page.tickers])


class TestUnderestimatesAnAnswer(Sabotaged):
    check, complaint = "test_tickers_are_true", "for what weighs"

    class provider(ChangesCalls):
        def spoilt_calls(self, calls: list[FetchRequest]) -> list[FetchRequest]:
            return [replace(call, costs={"weight": 1}) for call in calls]


# ── books ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class TestSwapsSides(Sabotaged):
    check, complaint = "test_books_are_true[5]", "the price"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, orderbooks=[replace(one, bids=one.asks, asks=one.bids) for one in page.orderbooks])


class TestIgnoresTheDepth(Sabotaged):
    check, complaint = "test_books_are_true[5]", "levels came for 5"

    class provider(ChangesCalls):
        def spoilt_calls(self, calls: list[FetchRequest]) -> list[FetchRequest]:
            return [replace(call, limit=100) for call in calls]


class TestIsBackInTime(Sabotaged):
    check, complaint = "test_books_are_true[1]", "is not the moment"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, orderbooks=[replace(one, at=0) for one in page.orderbooks])


class TestTellsNothingOfLimits(Sabotaged):
    check, complaint = "test_books_are_true[1]", "what the headers say"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, feedback=LimitFeedback())


class TestTakesAnUnknownMarketForAWrongRequest(Sabotaged):
    check, complaint = "test_an_unknown_market_is_gone[tickers]", "BadRequestError"

    class provider(TakesGoneForWrong, BinanceProvider):
        pass


# ── trades ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class TestGivesTheOldest(Sabotaged):
    check, complaint = "test_the_newest_trades_are_true", "10 trades came"

    class provider(BinanceProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            page = await super().candle_fetch(replace(request, limit=20))
            return replace(page, request=request, trades=page.trades[:10], rest=())


class TestMixesTakers(Sabotaged):
    check, complaint = "test_the_newest_trades_are_true", "or a side is wrong"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            told = [replace(one, taker_is_buyer=not one.taker_is_buyer) for one in page.trades]
            return replace(page, trades=told)


class TestIsContentWithAPage(Sabotaged):
    check, complaint = "test_more_trades_than_a_page_holds", "1000 trades came, 2500 are true"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, rest=())


class TestAsksAgainForTheSame(Sabotaged):
    check, complaint = "test_more_trades_than_a_page_holds", "one came twice"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, rest=(*page.rest, *page.rest[:1]))


class TestReachesBeyondTheSpan(Sabotaged):
    check, complaint = "test_all_trades_of_a_span[a-minute]", "outside of the span"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            span = page.request.span
            assert span is not None
            return replace(page, trades=[*page.trades, replace(page.trades[-1], id="0", at=span.end)])


class TestLosesTheOldest(Sabotaged):
    scene = UPBIT
    check, complaint = "test_all_trades_of_a_span[pages]", "trades came"

    class provider(ChangesPages, UpbitProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, trades=page.trades[1:])


class TestNeverEnds(Sabotaged):
    check, complaint = "test_a_span_without_trades", "and still a rest"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, rest=(page.request,))


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class TestIgnoresTheWait(Sabotaged):
    check, complaint = "test_trouble_becomes_the_right_error[429-trades]", "wait 7 s"

    class provider(ForgetsTheWait, BinanceProvider):
        pass


class TestTriesTwice(Sabotaged):
    check, complaint = "test_trouble_becomes_the_right_error[500-orderbooks]", "a hook tries once"

    class provider(TriesTwice, BinanceProvider):
        pass


# ── tickers of stocks ────────────────────────────────────────────────────────────────────────────────────────────────


class OfStocks(StocksProvider):
    """Spoils the tickers of stocks."""

    def candle_fetch(self, request: FetchRequest) -> Page:
        page = super().candle_fetch(request)
        return replace(page, tickers=[self.spoilt_ticker(one) for one in page.tickers])

    def spoilt_ticker(self, ticker: Ticker) -> Ticker:
        raise NotImplementedError


class SabotagedStocks(Sabotaged):
    name, scene, address = "nyse", YAHOO, "chart_url"
    check = "test_tickers_are_true"

    def build(self, url: str, context: PluginContext) -> Any:
        provider = super().build(url, context)
        (market,) = provider.candle_markets(MarketQuery(name=self.scene.main))
        provider.candle_fetch(FetchRequest(kind=Kind.TICKERS, markets=(market,)))  # cookie and crumb
        return provider


class TestPadsWhatIsShort(SabotagedStocks):
    complaint = "last of IBM"

    class provider(OfStocks):
        def spoilt_ticker(self, ticker: Ticker) -> Ticker:
            return replace(ticker, last=ticker.last.quantize(Decimal("0.00000001")))


class TestInventsAmounts(SabotagedStocks):
    complaint = "where the exchange does not say"

    class provider(OfStocks):
        def spoilt_ticker(self, ticker: Ticker) -> Ticker:
            return replace(ticker, bid_amount=Decimal(100))


class TestTakesTheLastForTheBid(SabotagedStocks):
    complaint = "bid of IBM"

    class provider(OfStocks):
        def spoilt_ticker(self, ticker: Ticker) -> Ticker:
            return replace(ticker, bid=ticker.last)
