"""The candle that is still open: seen in the answers that bring closed ones, or asked for alone."""

from dataclasses import dataclass, replace
from typing import Final

from candle_core.clock import ExchangeClock
from candle_core.coordinator.meter import Meter
from candle_core.timeframes import Grid
from candle_hookspecs import Anchor, Candle, FetchRequest, Kind, Market, Page, Priority, ProviderCapabilities, Span

NEAR: Final = 2
"""Slots between the end of a question for closed candles and that of the open one: itself, and one that settles."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The last two candles: the one before the open one, and the open one. None: nothing was traded in it."""

    closing: Candle | None
    forming: Candle | None


class Eye(Meter):
    """Counts the calls of one look, has those for the newest candles reach over the open one, and keeps what they say.

    The open candle is left out of what is stored, as of every answer.
    """

    def __init__(self, able: ProviderCapabilities, grid: Grid, clock: ExchangeClock) -> None:
        super().__init__()
        self._able = able
        self._grid = grid
        self._clock = clock
        self._seen: dict[str, Newest] = {}

    def widen(self, request: FetchRequest) -> FetchRequest:
        """The same, up to the end of the open slot, if that is near and a page has room for it."""
        grid, span = self._grid, request.span
        # A limit that is not the window's own count of slots is a question of another sort.
        if span is None or request.limit != grid.count(span):
            return request
        until = grid.after(self._clock.now())
        more = grid.count(Span(span.end, until)) if span.end < until else 0
        if not 0 < more <= NEAR or request.limit + more > self._able.page_limit:
            return request
        return replace(request, span=Span(span.start, until), limit=request.limit + more)

    def answer(self, page: Page, seconds: float) -> None:
        """Count an answer, and keep what it says of the open candle, if it reaches that far."""
        super().answer(page, seconds)
        span, batch, opened = page.request.span, page.batch, self._opened(page)
        holds = len(batch) > 0 and batch.last >= opened
        full = len(batch) + batch.repeated >= page.request.limit and page.request.anchor is Anchor.START
        if holds or (span is not None and span.end > opened and not full):
            self._seen[page.request.market.native_id] = self.newest(page)

    def seen(self, market: Market) -> Newest | None:
        """What an answer of this look said; None: none reached that far."""
        return self._seen.get(market.native_id)

    def question(self, market: Market, priority: Priority) -> FetchRequest:
        """The call for the last two candles alone."""
        able, now = self._able, self._clock.now()
        span = Span(self._grid.after(now, -1), self._grid.after(now))
        return FetchRequest(
            markets=(market,), timeframe=self._grid.timeframe, span=span, anchor=able.anchors[0], limit=2,
            costs=able.cost(Kind.CANDLES), priority=priority,
        )  # fmt: skip

    def newest(self, page: Page) -> Newest:
        """The last two of an answer that reaches over the open slot."""
        opened = self._opened(page)
        before = page.batch.between(Span(self._grid.after(opened, -1), opened)).to_candles()[-1:]
        since = page.batch.between(Span(opened, self._grid.after(opened))).to_candles()[-1:]
        return Newest(before[0] if before else None, since[0] if since else None)

    def _opened(self, page: Page) -> int:
        """The open slot when it was answered, by the exchange's clock, which may be told in whole seconds."""
        last = page.batch.last if len(page.batch) else page.answered_at
        return self._grid.floor(max(page.answered_at, last))
