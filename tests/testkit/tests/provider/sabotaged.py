"""Providers that are each broken in one way, under the contract. Collected only by the test next door.

Each adopter names the check that must catch it and a word of the complaint.
"""

# ruff: noqa: N801

import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np

from candle_binance.provider import BinanceProvider
from candle_hookspecs import (
    Anchor,
    BadRequestError,
    CandleBatch,
    Evidence,
    FetchRequest,
    Kind,
    LimitFeedback,
    Market,
    MarketGoneError,
    MarketInfo,
    MarketQuery,
    Page,
    PluginContext,
    Proof,
    ProviderError,
    RateLimitedError,
    Span,
    TransientError,
    UnknownMarketError,
    WarmupScope,
    hookimpl,
)
from candle_testkit.contracts.provider import ProviderContract


class Sabotaged(ProviderContract):
    name = "binance"
    check: ClassVar[str]
    complaint: ClassVar[str]
    provider: ClassVar[type[BinanceProvider]]

    def build(self, url: str, context: PluginContext) -> BinanceProvider:
        settings = BinanceProvider.Settings.model_validate({"rest_url": url})
        return self.provider(settings, context)


class ChangesPages(BinanceProvider):
    """Spoils what was fetched."""

    async def candle_fetch(self, request: FetchRequest) -> Page:
        return self.spoilt(await super().candle_fetch(request))

    def spoilt(self, page: Page) -> Page:
        return replace(page, batch=self.spoilt_batch(page.batch))

    def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
        return batch


class ChangesRequests(BinanceProvider):
    """Asks for something else than it was asked for."""

    async def candle_fetch(self, request: FetchRequest) -> Page:
        page = await super().candle_fetch(self.spoilt(request))
        return replace(page, request=request)

    def spoilt(self, request: FetchRequest) -> FetchRequest:
        return request


# ── what it says of itself ──────────────────────────────────────────────────────────────────────────────────────────


class TestUndeclaredCost(Sabotaged):
    check, complaint = "test_capabilities_are_sane", "'requests'"

    class provider(BinanceProvider):
        capabilities = replace(BinanceProvider.capabilities, costs={Kind.CANDLES: {"requests": 1}})


class TestMisspelledHook(Sabotaged):
    check, complaint = "test_hooks_are_known", "candle_fecth"

    class provider(BinanceProvider):
        @hookimpl
        async def candle_fecth(self, request: FetchRequest) -> Page:
            return await self.candle_fetch(request)


# ── markets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class TestStepsThroughFloat(Sabotaged):
    check, complaint = "test_listing_has_every_market_once_and_exactly", "Decimal("

    class provider(BinanceProvider):
        async def candle_markets(self, query: MarketQuery) -> list[Market]:
            found = await super().candle_markets(query)
            return [replace(market, price_tick=Decimal(float(market.price_tick or 0))) for market in found]


class TestListsAZeroForAStep(Sabotaged):
    check, complaint = "test_orders_can_be_rounded_to_what_is_listed", "BTC"

    class provider(BinanceProvider):
        async def candle_markets(self, query: MarketQuery) -> list[Market]:
            found = await super().candle_markets(query)
            return [replace(market, amount_step=Decimal(0)) for market in found]


class TestListsOnlyTrading(Sabotaged):
    check, complaint = "test_listing_has_every_market_once_and_exactly", "LUNAUSDT"

    class provider(BinanceProvider):
        async def candle_markets(self, query: MarketQuery) -> list[Market]:
            return [market for market in await super().candle_markets(query) if market.status == "TRADING"]


class TestIgnoresStatus(Sabotaged):
    check, complaint = "test_listing_is_filtered", "LUNAUSDT"

    class provider(BinanceProvider):
        async def candle_markets(self, query: MarketQuery) -> list[Market]:
            return await super().candle_markets(replace(query, status=None))


class TestNamedMarketDiffers(Sabotaged):
    check, complaint = "test_one_market_by_any_of_its_names", "min_notional"

    class provider(BinanceProvider):
        async def candle_markets(self, query: MarketQuery) -> list[Market]:
            found = await super().candle_markets(query)
            return found if query.name is None else [replace(market, min_notional=None) for market in found]


class TestNameInOneCaseOnly(Sabotaged):
    check, complaint = "test_one_market_by_any_of_its_names[native_id-lower]", "not enough values"

    class provider(BinanceProvider):
        async def candle_markets(self, query: MarketQuery) -> list[Market]:
            found = await super().candle_markets(query)
            return [one for one in found if query.name in (None, one.native_id, one.ccxt_symbol)]


class TestUnknownMarketRaises(Sabotaged):
    check, complaint = "test_unknown_market_is_an_empty_list[unknown]", "UnknownMarketError"

    class provider(BinanceProvider):
        async def candle_markets(self, query: MarketQuery) -> list[Market]:
            found = await super().candle_markets(query)
            if not found:
                raise UnknownMarketError(repr(query.name))
            return found


class TestGuessesTheMarket(Sabotaged):
    check, complaint = "test_unknown_market_is_an_empty_list[slash-moved]", "one more item"

    class provider(BinanceProvider):
        async def candle_markets(self, query: MarketQuery) -> list[Market]:
            return await super().candle_markets(replace(query, name=query.name and query.name.replace("/", "")))


class TestPassesNoGate(Sabotaged):
    check, complaint = "test_own_requests_pass_the_gate", "assert 0 =="

    class provider(BinanceProvider):
        def __init__(self, settings: BinanceProvider.Settings, context: PluginContext) -> None:
            super().__init__(settings, context)

            async def get_own(path: str, parameters: Any = None, *, costs: Any) -> Any:
                return await self._client.get(path, parameters)

            self._client.get_own = get_own  # type: ignore[method-assign]


# ── a page ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Rows(Sabotaged):
    check = "test_page_holds_the_rows_nearest_to_its_anchor[7-start]"


class TestOneRowShort(Rows):
    complaint = "a short page must prove or assert all"

    class provider(ChangesRequests):
        def spoilt(self, request: FetchRequest) -> FetchRequest:
            return replace(request, limit=request.limit - 1)


class TestDropsTheFirstRow(Rows):
    complaint = "lacks"

    class provider(ChangesPages):
        def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
            return batch[1:]


class TestIgnoresTheLimit(Rows):
    complaint = "1000 <= 7"

    class provider(ChangesRequests):
        def spoilt(self, request: FetchRequest) -> FetchRequest:
            return replace(request, limit=1000)


class TestIgnoresTheAnchor(Rows):
    complaint = "column 'open_time'"

    class provider(ChangesRequests):
        def spoilt(self, request: FetchRequest) -> FetchRequest:
            return replace(request, anchor=Anchor.END)

        async def candle_fetch(self, request: FetchRequest) -> Page:
            page = await super().candle_fetch(request)
            return replace(page, proofs=(), asserted=request.span)


class TestRoundsPrices(Rows):
    complaint = "column 'open'"

    class provider(ChangesPages):
        def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
            return CandleBatch.from_columns(batch.columns() | {"open": np.round(batch.open, 1)})


class TestSinglePrecision(Rows):
    complaint = "column 'open'"

    class provider(ChangesPages):
        def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
            return CandleBatch.from_columns(batch.columns() | {"open": batch.open.astype(np.float32)})


class TestSwapsTwoColumns(Rows):
    complaint = "column 'high'"

    class provider(ChangesPages):
        def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
            return CandleBatch.from_columns(batch.columns() | {"high": batch.low, "low": batch.high})


class TestDropsQuoteVolume(Rows):
    complaint = "column 'quote_volume' is missing"

    class provider(ChangesPages):
        def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
            return replace(batch, quote_volume=None)


class TestClaimsTheWholeSpan(Rows):
    complaint = "candles that the page lacks"

    class provider(ChangesPages):
        def spoilt(self, page: Page) -> Page:
            assert page.request.span is not None
            return replace(page, proofs=(Proof(page.request.span, Evidence.ANCHORED),))


class TestLocalClock(Rows):
    complaint = "is later than the exchange's clock"

    class provider(ChangesPages):
        def spoilt(self, page: Page) -> Page:
            return replace(page, answered_at=time.time_ns() // 1_000_000)


class TestAsksForTheTimeFirst(Rows):
    complaint = "candle_fetch sent 2 requests"

    class provider(BinanceProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            await self.candle_warmup(WarmupScope())
            return await super().candle_fetch(request)


class TestSizeUnknown(Rows):
    complaint = "the size of the body is unknown"

    class provider(ChangesPages):
        def spoilt(self, page: Page) -> Page:
            return replace(page, size=0)


class TestEndIncluded(Sabotaged):
    check = "test_page_holds_the_rows_nearest_to_its_anchor[7-end]"
    complaint = "column 'open_time'"

    class provider(ChangesRequests):
        def spoilt(self, request: FetchRequest) -> FetchRequest:
            assert request.span is not None
            return replace(request, span=Span(request.span.start, request.span.end + 1))


class TestLowersTheTimeframe(Sabotaged):
    check, complaint = "test_every_timeframe[start]", "column 'open_time'"

    class provider(ChangesRequests):
        def spoilt(self, request: FetchRequest) -> FetchRequest:
            return replace(request, timeframe=(request.timeframe or "").lower())


class TestDropsTheOpenCandle(Sabotaged):
    check, complaint = "test_open_candle_is_there[end]", "lacks"

    class provider(ChangesPages):
        def spoilt(self, page: Page) -> Page:
            return replace(page, batch=page.batch[page.batch.open_time + 60_000 <= page.answered_at])


class TestStopsAtAHole(Sabotaged):
    check, complaint = "test_where_candles_are_absent[hole-start]", "rows came where"

    class provider(BinanceProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            page = await super().candle_fetch(request)
            holes = np.flatnonzero(np.diff(page.batch.open_time) > 3_600_000)
            if not len(holes):
                return page
            return Page.of(page.request, page.batch[: holes[0] + 1], answered_at=page.answered_at, size=page.size)


class TestStartsOnTheGrid(Sabotaged):
    check, complaint = "test_walk_loses_and_repeats_nothing[start]", "column 'open_time'"

    class provider(ChangesRequests):
        """Asks from the next minute on, as a cursor of "last open time plus one interval" does."""

        def spoilt(self, request: FetchRequest) -> FetchRequest:
            assert request.span is not None
            return replace(request, span=Span(-(-request.span.start // 60_000) * 60_000, request.span.end))


class TestBelievesAnEmptyAnswer(Sabotaged):
    check, complaint = "test_lies_are_asserted_at_most[lying_empty-options0-start]", "candles that the page lacks"

    class provider(ChangesPages):
        def spoilt(self, page: Page) -> Page:
            if page.asserted is None:
                return page
            return replace(page, proofs=(*page.proofs, Proof(page.asserted, Evidence.DECLARED)), asserted=None)


class TestSaysNothingOfTheRest(Sabotaged):
    check, complaint = "test_lies_are_asserted_at_most[lying_empty-options0-start]", "must prove or assert all"

    class provider(ChangesPages):
        def spoilt(self, page: Page) -> Page:
            return replace(page, asserted=None)


class TestNoFeedback(Sabotaged):
    check, complaint = "test_feedback_is_what_the_exchange_counted", "KeyError"

    class provider(ChangesPages):
        def spoilt(self, page: Page) -> Page:
            return replace(page, feedback=LimitFeedback())


class TestDecodeDropsAColumn(Sabotaged):
    check, complaint = "test_decode_reads_the_wire", "CandleBatch"

    class provider(BinanceProvider):
        def candle_decode(self, raw: Any) -> CandleBatch:
            batch = super().candle_decode(raw)
            return batch if isinstance(raw, bytes) else replace(batch, taker_buy_volume=None)


class TestDecodeGuesses(Sabotaged):
    check, complaint = "test_decode_refuses_what_are_no_candles", "DID NOT RAISE"

    class provider(BinanceProvider):
        def candle_decode(self, raw: Any) -> CandleBatch:
            try:
                return super().candle_decode(raw)
            except ProviderError:
                return CandleBatch.empty()


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def nothing(request: FetchRequest) -> Page:
    """An empty page, as of one who looks away."""
    return Page(request=request, answered_at=0, asserted=request.span)


class SwallowsErrors(BinanceProvider):
    """Makes an empty page of them."""

    swallowed: ClassVar[type[ProviderError]] = ProviderError

    async def candle_fetch(self, request: FetchRequest) -> Page:
        try:
            return await super().candle_fetch(request)
        except self.swallowed:
            return nothing(request)


class TestSwallowsFailures(Sabotaged):
    check, complaint = "test_fault_becomes_its_error[500]", "DID NOT RAISE"
    provider = SwallowsErrors


class TestRetriesByItself(Sabotaged):
    check, complaint = "test_fault_becomes_its_error[reset]", "DID NOT RAISE"

    class provider(BinanceProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            try:
                return await super().candle_fetch(request)
            except TransientError:
                return await super().candle_fetch(request)


class TestTriesTwiceThenRaises(Sabotaged):
    check, complaint = "test_fault_becomes_its_error[403-html]", "a provider tries once"

    class provider(BinanceProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            try:
                return await super().candle_fetch(request)
            except ProviderError:
                await self.candle_warmup(WarmupScope())
                raise


class TestRaisesAnErrorOfItsOwn(Sabotaged):
    check, complaint = "test_fault_becomes_its_error[truncated]", "ValueError"

    class provider(BinanceProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            try:
                return await super().candle_fetch(request)
            except ProviderError as error:
                raise ValueError(str(error)) from error


class TestSwallowsTheLimit(Sabotaged):
    check, complaint = "test_limit_is_told_with_its_wait[rate_limited-7]", "DID NOT RAISE"

    class provider(SwallowsErrors):
        swallowed = RateLimitedError


class TestForgetsTheWait(Sabotaged):
    check, complaint = "test_limit_is_told_with_its_wait[banned-120]", "None"

    class provider(BinanceProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            try:
                return await super().candle_fetch(request)
            except RateLimitedError as error:
                raise RateLimitedError(str(error), banned=error.banned) from error


class TestGoneIsABadRequest(Sabotaged):
    check, complaint = "test_unknown_names_are_told", "BadRequestError"

    class provider(BinanceProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            try:
                return await super().candle_fetch(request)
            except MarketGoneError as error:
                raise BadRequestError(str(error)) from error


# ── a session ───────────────────────────────────────────────────────────────────────────────────────────────────────


class TestWarmsUpByTheLocalClock(Sabotaged):
    check, complaint = "test_warmup_reads_the_exchange_clock", "server_time"

    class provider(BinanceProvider):
        async def candle_warmup(self, scope: WarmupScope) -> MarketInfo:
            info = await super().candle_warmup(scope)
            return replace(info, server_time=info.local_time)


class TestClosesOnce(Sabotaged):
    check, complaint = "test_close_may_come_twice", "closed already"
    closed = 0

    class provider(BinanceProvider):
        closings = 0

        async def candle_close(self) -> None:
            await super().candle_close()
            self.closings += 1
            # The stage's own closing, the third, passes: the check itself is to fail, not its end.
            if self.closings == 2:
                raise RuntimeError("closed already")


def adopters() -> Sequence[type[Sabotaged]]:
    """Every sabotage there is."""
    found = [one for one in globals().values() if isinstance(one, type) and issubclass(one, Sabotaged)]
    return [one for one in found if "provider" in vars(one)]
