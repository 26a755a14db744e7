"""Pages of days from Naver."""

from dataclasses import replace
from typing import Final

import numpy as np

from candle_hookspecs import Anchor, BadRequestError, CandleBatch, FetchRequest, Ints, Kind, Page, Span
from candle_stocks import history
from candle_stocks.calendars import Calendar
from candle_stocks.naver.source import MOST, Days, Naver
from candle_stocks.yahoo.source import YahooSource, gone

NAME: Final = "naver"
_DAY: Final = 86_400_000
_SEOUL: Final = 9 * 3_600_000
"""Ahead of UTC, ms; without summer time since 1988."""


class NaverSource:
    """Days since the last split, and the splits and dividends that Yahoo tells.

    Naver rounds what lies before a split to whole won of today's shares, so that nobody can tell what it was. That is
    out of its reach, and so is what lies before the newest 6000 days.

    Args:
        naver: where the days come from.
        yahoo: where splits and dividends come from.
        calendar: when each day opened.
    """

    def __init__(self, naver: Naver, yahoo: YahooSource, calendar: Calendar) -> None:
        self._naver, self._yahoo, self._calendar = naver, yahoo, calendar

    def page(self, request: FetchRequest) -> Page:
        """The days before the span's end. Costs two requests: Naver's, and Yahoo's chart since the first of them.

        Raises:
            BadRequestError: not days of a span counted from its end. ProviderError: any other of its children.
        """
        span = request.span
        if request.kind is not Kind.CANDLES or request.anchor is not Anchor.END or span is None:
            raise BadRequestError(f"Naver is asked for days of a span counted from its end, not for {request!r}")
        request = replace(request, source=NAME, limit=min(request.limit or MOST, MOST))
        days = self._naver.days(request.market.base, paid=True)
        opens = self._opens(days)
        chart = self._yahoo.days(request.market, int(opens[0]))
        edge = max([split.at for split in chart.splits], default=0)
        edge = max(edge, 0 if days.complete else int(opens[0]))
        batch = CandleBatch.from_columns({"open_time": opens, **days.columns})
        first, last = np.searchsorted(batch.open_time, [edge, span.end])
        batch = batch[int(first) : int(last)][-request.limit :]
        page = Page.of(request, batch, answered_at=days.moment, size=days.size)
        return replace(page, proofs=page.proofs + gone(span, edge), actions=history.actions(chart))

    def _opens(self, days: Days) -> Ints:
        """When each day opened, UTC ms; at nine where the calendar knows no session of that day."""
        midnights: Ints = days.dates.astype("datetime64[ms]").astype(np.int64) - _SEOUL
        opens = midnights + 9 * 3_600_000
        sessions = self._calendar.sessions(Span(int(midnights[0]), int(midnights[-1]) + _DAY))
        known = {(session.span.start + _SEOUL) // _DAY: session.span.start for session in sessions}
        numbers = (midnights + _SEOUL) // _DAY
        return np.array([known.get(day, nine) for day, nine in zip(numbers.tolist(), opens.tolist(), strict=True)])
