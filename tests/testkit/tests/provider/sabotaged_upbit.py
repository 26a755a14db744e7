"""Providers of Upbit, each broken in one way that only its wire allows. Collected only by the test next door."""

# ruff: noqa: N801

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from candle_hookspecs import (
    CandleBatch,
    CoverageState,
    Evidence,
    FetchRequest,
    LimitFeedback,
    Market,
    MarketGoneError,
    MarketQuery,
    Page,
    Proof,
    Span,
)
from candle_testkit.contracts.provider import ProviderContract
from candle_testkit.contracts.scenes import UPBIT
from candle_upbit.provider import UpbitProvider

from .sabotage import ChangesListings, ChangesPages, Sabotage


class Sabotaged(Sabotage, ProviderContract):
    name = "upbit"
    columns = ("open_time", "open", "high", "low", "close", "volume", "quote_volume")
    scene = UPBIT


class TestReadsKoreanTime(Sabotaged):
    check, complaint = "test_page_holds_the_rows_nearest_to_its_anchor[7-end]", "do not belong to the answer"

    class provider(ChangesPages, UpbitProvider):
        def spoilt_page(self, page: Page) -> Page:
            times = page.batch.open_time + 9 * 3_600_000
            batch = CandleBatch.from_columns(page.batch.columns() | {"open_time": times})
            return Page.of(page.request, batch, answered_at=page.answered_at, size=page.size)


class TestTakesTheEndForInclusive(Sabotaged):
    check, complaint = "test_page_holds_the_rows_nearest_to_its_anchor[7-end]", "column 'open_time'"

    class provider(UpbitProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            assert request.span is not None
            span = Span(request.span.start, request.span.end - 60_000)
            return replace(await super().candle_fetch(replace(request, span=span)), request=request, asserted=None)


class TestLeavesTheCountOut(Sabotaged):
    check, complaint = "test_page_holds_the_rows_nearest_to_its_anchor[7-end]", "7 <= 1"

    class provider(UpbitProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            page = await super().candle_fetch(replace(request, limit=1))
            assert request.span is not None
            return replace(page, request=request, asserted=Span(request.span.start, page.batch.first))


class TestMovesACandleIntoAHole(Sabotaged):
    check, complaint = "test_where_candles_are_absent[hole-end]", "candles that the page lacks"

    class provider(ChangesPages, UpbitProvider):
        def spoilt_page(self, page: Page) -> Page:
            columns = {name: column.copy() for name, column in page.batch.columns().items()}
            before = np.flatnonzero(np.diff(page.batch.open_time) > 60_000)
            columns["open_time"][before] += 60_000
            return replace(page, batch=CandleBatch.from_columns(columns))


class TestTakesGoneForEmpty(Sabotaged):
    check, complaint = "test_where_candles_are_absent[delisted-end]", "DID NOT RAISE"

    class provider(UpbitProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            try:
                return await super().candle_fetch(request)
            except MarketGoneError:
                return Page.of(request, CandleBatch.empty(), answered_at=0, size=2)


class TestListsWhatWasDelisted(Sabotaged):
    check, complaint = "test_listing_has_every_market_once_and_exactly", "KRW-LUNA"

    class provider(ChangesListings, UpbitProvider):
        def spoilt_listing(self, query: MarketQuery, found: list[Market]) -> list[Market]:
            return [*found, *(replace(one, native_id="KRW-LUNA") for one in found[:1])]


class TestOneTickForAllPrices(Sabotaged):
    check, complaint = "test_listing_has_every_market_once_and_exactly", "Decimal("

    class provider(ChangesListings, UpbitProvider):
        def spoilt_listing(self, query: MarketQuery, found: list[Market]) -> list[Market]:
            return [replace(one, price_tick=one.min_notional) for one in found]


class TestReadsAnotherGroup(Sabotaged):
    check, complaint = "test_feedback_is_what_the_exchange_counted", "KeyError"

    class provider(ChangesPages, UpbitProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, feedback=LimitFeedback(remaining={"default": 9.0}))


class TestNamesAnOrigin(Sabotaged):
    check, complaint = "test_feedback_is_what_the_exchange_counted", "KeyError"

    class provider(UpbitProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            self._client._opened()._session.headers["Origin"] = "https://example.com"
            return await super().candle_fetch(request)


class TestBelievesInTheReachOfMinutes(Sabotaged):
    check, complaint = "test_where_candles_are_absent[hole-end]", "must declare it"

    class provider(ChangesPages, UpbitProvider):
        def spoilt_page(self, page: Page) -> Page:
            gone = Proof(Span(0, page.batch.first), Evidence.REPEATED, CoverageState.OUT_OF_REACH)
            return replace(page, proofs=(*page.proofs, gone))


class TestReadsOneRowTooMany(Sabotaged):
    check, complaint = "test_decode_reads_the_wire", "CandleBatch"

    class provider(UpbitProvider):
        def candle_decode(self, raw: Any) -> CandleBatch:
            rows = msgspec.json.decode(raw) if isinstance(raw, bytes) else raw
            return super().candle_decode(rows[:-1])
