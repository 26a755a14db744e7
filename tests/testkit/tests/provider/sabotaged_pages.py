"""Providers whose pages are each wrong in one way. Collected only by the test next door.

Each adopter names the check that must catch it and a word of the complaint.
"""

# ruff: noqa: N801

import time
from dataclasses import replace
from typing import Any

import numpy as np

from candle_binance.provider import BinanceProvider
from candle_hookspecs import (
    Anchor,
    CandleBatch,
    Evidence,
    FetchRequest,
    LimitFeedback,
    Page,
    Proof,
    ProviderError,
    Span,
    WarmupScope,
)
from candle_testkit.contracts.provider import ProviderContract

from .sabotage import ChangesPages, ChangesRequests, Sabotage


class Sabotaged(Sabotage, ProviderContract):
    name = "binance"


class Rows(Sabotaged):
    check = "test_page_holds_the_rows_nearest_to_its_anchor[7-start]"


class TestOneRowShort(Rows):
    complaint = "a short page must prove or assert all"

    class provider(ChangesRequests, BinanceProvider):
        def spoilt_request(self, request: FetchRequest) -> FetchRequest:
            return replace(request, limit=request.limit - 1)


class TestDropsTheFirstRow(Rows):
    complaint = "lacks"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
            return batch[1:]


class TestIgnoresTheLimit(Rows):
    complaint = "1000 <= 7"

    class provider(ChangesRequests, BinanceProvider):
        def spoilt_request(self, request: FetchRequest) -> FetchRequest:
            return replace(request, limit=1000)


class TestIgnoresTheAnchor(Rows):
    complaint = "column 'open_time'"

    class provider(ChangesRequests, BinanceProvider):
        def spoilt_request(self, request: FetchRequest) -> FetchRequest:
            return replace(request, anchor=Anchor.END)

        async def candle_fetch(self, request: FetchRequest) -> Page:
            page = await super().candle_fetch(request)
            return replace(page, proofs=(), asserted=request.span)


class TestRoundsPrices(Rows):
    complaint = "column 'open'"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
            return CandleBatch.from_columns(batch.columns() | {"open": np.round(batch.open, 1)})


class TestSinglePrecision(Rows):
    complaint = "column 'open'"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
            return CandleBatch.from_columns(batch.columns() | {"open": batch.open.astype(np.float32)})


class TestSwapsTwoColumns(Rows):
    complaint = "column 'high'"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
            return CandleBatch.from_columns(batch.columns() | {"high": batch.low, "low": batch.high})


class TestDropsQuoteVolume(Rows):
    complaint = "column 'quote_volume' is missing"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
            return replace(batch, quote_volume=None)


class TestClaimsTheWholeSpan(Rows):
    complaint = "candles that the page lacks"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            assert page.request.span is not None
            return replace(page, proofs=(Proof(page.request.span, Evidence.ANCHORED),))


class TestLocalClock(Rows):
    complaint = "is later than the exchange's clock"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, answered_at=time.time_ns() // 1_000_000)


class TestAsksForTheTimeFirst(Rows):
    complaint = "candle_fetch sent 2 requests"

    class provider(BinanceProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            await self.candle_warmup(WarmupScope())
            return await super().candle_fetch(request)


class TestSizeUnknown(Rows):
    complaint = "the size of the body is unknown"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, size=0)


class TestEndIncluded(Sabotaged):
    check = "test_page_holds_the_rows_nearest_to_its_anchor[7-end]"
    complaint = "column 'open_time'"

    class provider(ChangesRequests, BinanceProvider):
        def spoilt_request(self, request: FetchRequest) -> FetchRequest:
            assert request.span is not None
            return replace(request, span=Span(request.span.start, request.span.end + 1))


class TestLowersTheTimeframe(Sabotaged):
    check, complaint = "test_every_timeframe[start]", "column 'open_time'"

    class provider(ChangesRequests, BinanceProvider):
        def spoilt_request(self, request: FetchRequest) -> FetchRequest:
            return replace(request, timeframe=(request.timeframe or "").lower())


class TestDropsTheOpenCandle(Sabotaged):
    check, complaint = "test_open_candle_is_there[end]", "lacks"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
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

    class provider(ChangesRequests, BinanceProvider):
        """Asks from the next minute on, as a cursor of "last open time plus one interval" does."""

        def spoilt_request(self, request: FetchRequest) -> FetchRequest:
            assert request.span is not None
            return replace(request, span=Span(-(-request.span.start // 60_000) * 60_000, request.span.end))


class TestBelievesAnEmptyAnswer(Sabotaged):
    check, complaint = "test_lies_are_asserted_at_most[lying_empty-options0-start]", "candles that the page lacks"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            if page.asserted is None:
                return page
            return replace(page, proofs=(*page.proofs, Proof(page.asserted, Evidence.DECLARED)), asserted=None)


class TestSaysNothingOfTheRest(Sabotaged):
    check, complaint = "test_lies_are_asserted_at_most[lying_empty-options0-start]", "must prove or assert all"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, asserted=None)


class TestNoFeedback(Sabotaged):
    check, complaint = "test_feedback_is_what_the_exchange_counted", "KeyError"

    class provider(ChangesPages, BinanceProvider):
        def spoilt_page(self, page: Page) -> Page:
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
