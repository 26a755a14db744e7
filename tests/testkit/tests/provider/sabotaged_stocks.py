"""Providers of stocks, each broken in one way that only Yahoo's wire allows. Collected only by the test next door."""

# ruff: noqa: N801

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from candle_hookspecs import (
    CandleBatch,
    CoverageState,
    Evidence,
    FetchRequest,
    MalformedAnswerError,
    Market,
    MarketGoneError,
    MarketQuery,
    Page,
    Proof,
    RateLimitedError,
    Span,
    TransientError,
    WarmupScope,
)
from candle_stocks.provider import StocksProvider
from candle_testkit.contracts.provider import ProviderContract
from candle_testkit.contracts.scenes import YAHOO

from .sabotage import Sabotage

PRICES = ("open", "high", "low", "close")
DAY = 86_400_000


class Sabotaged(Sabotage, ProviderContract):
    name, address = "nyse", "chart_url"
    columns = ("open_time", *PRICES, "volume")
    scene = YAHOO


class ChangesPages(StocksProvider):
    """Spoils what was fetched."""

    def candle_fetch(self, request: FetchRequest) -> Page:
        return self.spoilt_page(super().candle_fetch(request))

    def spoilt_page(self, page: Page) -> Page:
        return replace(page, batch=self.spoilt_batch(page.batch))

    def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
        return batch


class ChangesMarkets(StocksProvider):
    """Spoils what was listed."""

    def candle_markets(self, query: MarketQuery) -> list[Market]:
        return [self.spoilt_market(one) for one in super().candle_markets(query)]

    def spoilt_market(self, market: Market) -> Market:
        return market


def changed(batch: CandleBatch, names: Sequence[str], how: Callable[[Any], Any]) -> CandleBatch:
    """The batch with these columns made anew."""
    columns = batch.columns()
    return CandleBatch.from_columns(columns | {name: how(columns[name]) for name in names})


def appended(batch: CandleBatch, moment: int) -> CandleBatch:
    """The batch with its last candle once more, at another moment."""
    return CandleBatch.concat([batch, changed(batch[-1:], ["open_time"], lambda _: np.array([moment]))])


# ── the scale ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Rows(Sabotaged):
    check = "test_page_holds_the_rows_nearest_to_its_anchor[7-start]"


class TestTellsPricesOfToday(Rows):
    complaint = "column 'open'"

    class provider(ChangesPages):
        def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
            return changed(batch, PRICES, lambda column: column / 4)


class TestTellsVolumesOfToday(Rows):
    complaint = "column 'volume'"

    class provider(ChangesPages):
        def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
            return changed(batch, ["volume"], lambda column: column * 4)


class TestKeepsTheNoise(Rows):
    complaint = "column 'open'"

    class provider(ChangesPages):
        def spoilt_batch(self, batch: CandleBatch) -> CandleBatch:
            return changed(batch, PRICES, lambda column: column.astype(np.float32).astype(np.float64))


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────────


class TestAsksPastTheGate(Rows):
    complaint = "all but the first pass the gate; 0 was spent for 1"

    class provider(StocksProvider):
        def candle_fetch(self, request: FetchRequest) -> Page:
            self._yahoo._paying = nullcontext  # type: ignore[method-assign]
            return super().candle_fetch(request)


class TestAsksForMoreThanItNeeds(Rows):
    complaint = "candle_fetch sent 3 requests; it sends one to 2"

    class provider(StocksProvider):
        def candle_fetch(self, request: FetchRequest) -> Page:
            self.candle_warmup(WarmupScope())
            return super().candle_fetch(request)


class TestRepeatsAfterAReset(Sabotaged):
    check, complaint = "test_fault_becomes_its_error[reset]", "DID NOT RAISE"

    class provider(StocksProvider):
        def candle_fetch(self, request: FetchRequest) -> Page:
            try:
                return super().candle_fetch(request)
            except TransientError:
                return super().candle_fetch(request)


class TestTakesAnotherRangeForAnEmptyOne(Sabotaged):
    check, complaint = "test_fault_becomes_its_error[other-range]", "DID NOT RAISE"

    class provider(StocksProvider):
        def candle_fetch(self, request: FetchRequest) -> Page:
            try:
                return super().candle_fetch(request)
            except MalformedAnswerError:
                return Page.of(request, CandleBatch.empty(), answered_at=0, size=2)


class TestCallsEveryRefusalABan(Sabotaged):
    check, complaint = "test_limit_is_told_with_its_wait[banned-120]", "True"

    class provider(StocksProvider):
        def candle_fetch(self, request: FetchRequest) -> Page:
            try:
                return super().candle_fetch(request)
            except RateLimitedError as error:
                raise RateLimitedError(str(error), retry_after=error.retry_after, banned=True) from error


class TestDecodesBytesAlone(Sabotaged):
    check, complaint = "test_decode_reads_the_wire", "not a chart"

    class provider(StocksProvider):
        def candle_decode(self, raw: Any) -> CandleBatch:
            return super().candle_decode(raw if isinstance(raw, bytes) else str(raw))


# ── rows that are no candles, sessions ──────────────────────────────────────────────────────────────────────────────


class TestTakesTheLastTradeForACandle(Sabotaged):
    check, complaint = "test_open_candle_is_there[start]", "column 'open_time'"

    class provider(ChangesPages):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, batch=appended(page.batch, page.answered_at))


class TestTakesTheDayUnderWayForACandle(Sabotaged):
    check, complaint = "test_every_timeframe[start]", "column 'open_time'"

    class provider(ChangesPages):
        def spoilt_page(self, page: Page) -> Page:
            today = page.answered_at // DAY * DAY + 13 * 3_600_000 + 1_800_000
            return page if page.request.timeframe != "1d" else replace(page, batch=appended(page.batch, today))


class TestProvesTheDayUnderWayEmpty(Sabotaged):
    check, complaint = "test_every_timeframe[start]", "covers 1 candles that the page lacks"

    class provider(ChangesPages):
        def spoilt_page(self, page: Page) -> Page:
            span = page.request.span
            assert span is not None
            whole = Proof(span, Evidence.DECLARED)
            return page if page.request.timeframe != "1d" else replace(page, proofs=(whole,), asserted=None)


class TestLetsDaysBeginAtMidnight(Sabotaged):
    check, complaint = "test_every_timeframe[start]", "candles that the page lacks"

    class provider(ChangesPages):
        def spoilt_page(self, page: Page) -> Page:
            if page.request.timeframe != "1d":
                return page
            return replace(page, batch=changed(page.batch, ["open_time"], lambda times: times // DAY * DAY))


class TestFillsWhatDidNotTrade(Sabotaged):
    check, complaint = "test_walk_loses_and_repeats_nothing[start]", "column 'open_time'"

    class provider(ChangesPages):
        def spoilt_page(self, page: Page) -> Page:
            times = page.batch.open_time
            gaps = np.flatnonzero((np.diff(times) > 60_000) & (np.diff(times) < 3_600_000))
            filled = [changed(page.batch[gap : gap + 1], ["open_time"], lambda one: one + 60_000) for gap in gaps]
            every = CandleBatch.concat([page.batch, *filled])[: page.request.limit]
            return Page.of(page.request, every, answered_at=page.answered_at, size=page.size)


class TestInventsARow(Sabotaged):
    check, complaint = "test_lies_are_asserted_at_most[duplicates-options3-start]", "never were"

    class provider(ChangesPages):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, batch=appended(page.batch, page.answered_at // 1000 * 1000))


# ── what it looks back to ───────────────────────────────────────────────────────────────────────────────────────────


class Reach(Sabotaged):
    check = "test_what_is_out_of_reach_is_declared"


class TestProvesWhatIsOutOfReachEmpty(Reach):
    complaint = "is out of reach, not"

    class provider(ChangesPages):
        def spoilt_page(self, page: Page) -> Page:
            return replace(page, proofs=tuple(replace(one, state=CoverageState.ANSWERED) for one in page.proofs))


class TestSaysThatThereIsNothing(Reach):
    complaint = "is out of reach, not"

    class provider(ChangesPages):
        def spoilt_page(self, page: Page) -> Page:
            return page if len(page.batch) else replace(page, proofs=(), asserted=page.request.span)


class TestGivesUpAWeek(Reach):
    complaint = "reach too far"

    class provider(ChangesPages):
        def spoilt_page(self, page: Page) -> Page:
            ends = [one.span.end for one in page.proofs if one.state is CoverageState.OUT_OF_REACH]
            week = [Proof(Span(0, end + 7 * DAY), Evidence.DECLARED, CoverageState.OUT_OF_REACH) for end in ends]
            return replace(page, proofs=(*page.proofs, *week))


class TestForgetsWhatIsBeforeTheEdge(Reach):
    complaint = "a short page must prove or assert all"

    class provider(ChangesPages):
        def spoilt_page(self, page: Page) -> Page:
            kept = tuple(one for one in page.proofs if one.state is CoverageState.ANSWERED)
            return page if not len(page.batch) else replace(page, proofs=kept)


# ── markets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Listing(Sabotaged):
    check = "test_listing_has_every_market_once_and_exactly"


class TestListsAnotherExchange(Listing):
    complaint, settings = "AAPL", {"codes": {"NYQ": "", "NMS": ""}}
    provider = StocksProvider


class TestNamesStocksAsPairs(Listing):
    complaint = "/USD"

    class provider(ChangesMarkets):
        def spoilt_market(self, market: Market) -> Market:
            return replace(market, ccxt_symbol=f"{market.base}/{market.quote}")


class TestKeepsYahoosSpelling(Listing):
    complaint = "'BRK-B'"

    class provider(ChangesMarkets):
        def spoilt_market(self, market: Market) -> Market:
            return replace(market, base=market.native_id)


class TestTakesGoneForEmpty(Sabotaged):
    check, complaint = "test_where_candles_are_absent[delisted-start]", "DID NOT RAISE"

    class provider(StocksProvider):
        def candle_fetch(self, request: FetchRequest) -> Page:
            try:
                return super().candle_fetch(request)
            except MarketGoneError:
                return Page.of(request, CandleBatch.empty(), answered_at=0, size=2)
