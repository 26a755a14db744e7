"""Pages of candles from Yahoo's charts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote as quoted

from candle_hookspecs import (
    Anchor,
    BadRequestError,
    CandleBatch,
    CoverageState,
    Evidence,
    FetchRequest,
    Kind,
    MalformedAnswerError,
    Market,
    Page,
    Proof,
    Span,
)
from candle_stocks import history
from candle_stocks.intervals import DAY, INTERVALS, LONGEST, REACH, ROWS
from candle_stocks.yahoo.chart import Chart, parse
from candle_stocks.yahoo.errors import NothingThereError
from candle_stocks.yahoo.session import Answer, Yahoo

NAME: Final = "yahoo"
_LEAD: Final = 12 * DAY
"""So much earlier days are asked for, so that the one before the first is among them: no exchange closes for longer."""


class YahooSource:
    """Candles of any interval, in prices of their day, by the splits that Yahoo tells."""

    def __init__(self, yahoo: Yahoo) -> None:
        self._yahoo = yahoo

    def page(self, request: FetchRequest) -> Page:
        """Candles from the span's start on, and what is told of splits and dividends.

        Days and most timeframes are asked for up to now, so that every later split is in the same answer. Where that
        cannot be, or a dividend's last close is not in it, the days since are asked for as well: one request more.

        Raises:
            BadRequestError: not candles of a span counted from its start. ProviderError: any other of its children.
        """
        span, interval = request.span, INTERVALS.get(request.timeframe or "")
        if request.kind is not Kind.CANDLES or request.anchor is not Anchor.START or span is None or interval is None:
            raise BadRequestError(
                f"Yahoo is asked for candles ({', '.join(INTERVALS)}) of a span counted from its start, not for "
                f"{request!r}"
            )
        request = replace(request, source=NAME, limit=request.limit or ROWS)
        now = self._yahoo.now()
        edge = now - REACH.get(interval, now - min(0, span.start))
        if span.end <= edge:
            return Page(request=request, answered_at=now, proofs=gone(span, edge))
        reached = Span(max(span.start, edge), span.end)
        page = self._within_reach(replace(request, span=reached), reached, interval, now)
        return replace(page, request=request, proofs=page.proofs + gone(span, edge))

    def chart(self, native_id: str, parameters: Mapping[str, str | int]) -> Answer:
        """The answer for one ticker."""
        return self._yahoo.get(f"/v8/finance/chart/{quoted(native_id)}", parameters)

    def days(self, market: Market, start: int) -> Chart:
        """Days from a moment (UTC ms) up to now, the one before the first included."""
        return self._ask(market, "1d", start - _LEAD, self._yahoo.now() + DAY)[0]

    def _within_reach(self, request: FetchRequest, span: Span, interval: str, now: int) -> Page:
        market, end = request.market, now + DAY
        if (longest := LONGEST.get(interval)) is not None:
            end = min(span.start + longest, end)
            span = Span(span.start, min(end, span.end))
        lead = _LEAD if interval == "1d" else 0
        try:
            with self._yahoo.prepaid():
                chart, answer = self._ask(market, interval, span.start - lead, end)
        except NothingThereError as error:
            return Page.of(replace(request, span=span), CandleBatch.empty(), answered_at=now, size=error.size)
        days = self._days_for(market, chart, span, interval, partial=end < now)
        batch = history.candles(chart, days.splits if days else chart.splits)
        batch = batch[int(batch.open_time.searchsorted(span.start)) :][: request.limit]
        page = Page.of(replace(request, span=span), batch, answered_at=answer.moment, size=answer.size)
        return replace(page, actions=history.actions(days) if days else ())

    def _days_for(self, market: Market, chart: Chart, span: Span, interval: str, *, partial: bool) -> Chart | None:
        """Days up to now, where the chart itself does not tell all of splits and dividends; None: nothing happened."""
        if interval == "1d":
            return chart
        return self.days(market, span.start) if partial or chart.splits or chart.dividends else None

    def _ask(self, market: Market, interval: str, start: int, end: int) -> tuple[Chart, Answer]:
        answer = self.chart(market.native_id, {
            "period1": start // 1000, "period2": -(-end // 1000), "interval": interval, "includePrePost": "false",
            "events": "div,splits,capitalGains",
        })  # fmt: skip
        chart = parse(answer.body, interval, start)
        told = chart.meta.symbol.upper(), chart.meta.currency
        if told != (market.native_id.upper(), market.quote):
            raise MalformedAnswerError(
                f"asked for {market.native_id!r} in {market.quote!r}, Yahoo answered with {told[0]!r} in {told[1]!r}"
            )
        return chart, answer


def gone(span: Span, edge: int) -> tuple[Proof, ...]:
    """What has left a source's reach never comes back, so one answer settles everything before it."""
    if span.start >= edge:
        return ()
    return (Proof(Span(min(0, span.start), edge), Evidence.DECLARED, CoverageState.OUT_OF_REACH),)
