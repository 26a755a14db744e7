"""What of a symbol is to be asked, by its facts alone. Pure: nobody is asked, and nothing is read."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from candle_core.coverage import Known, count_slots
from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import Coverage, CoverageState, Market, MarketStatus, Span, Symbol, SymbolRecord

DAY: Final = 86_400_000
GONE: Final = "gone"
"""Key of `Market.extra`: when the exchange last said that it does not know the market, UTC ms by its own clock."""


@dataclass(frozen=True, slots=True)
class Due:
    """A symbol with something to ask.

    Attributes:
        wanted: clipped to what is closed. covered: what of it need not be asked.
        slots: how much is missing; those with little go first.
    """

    record: SymbolRecord
    wanted: Span
    covered: Spans
    slots: int

    @property
    def symbol(self) -> Symbol:
        """Whose it is."""
        return self.record.symbol


@dataclass(frozen=True, slots=True)
class Reach:
    """What can be asked of a timeframe of an exchange now.

    Attributes:
        sources: as facts name them.
        settled: the first open time whose candle is not final yet.
        lag: milliseconds after a candle's close until its absence is believed.
        now: the exchange's clock, UTC ms.
    """

    grid: Grid
    sources: tuple[str, ...]
    settled: int
    lag: int
    now: int


def due(record: SymbolRecord, reach: Reach, begin: int, known: Known) -> Due | None:
    """What is missing of a symbol from a moment on; None: nothing that is to be asked now."""
    end = min(reach.settled, _end(record, reach))
    if begin >= end:
        return None
    wanted = Span(begin, end)
    slots = count_slots(Spans((wanted,)) - known.covered, reach.grid)
    return Due(record, wanted, known.covered & Spans((wanted,)), slots) if slots else None


def _end(record: SymbolRecord, reach: Reach) -> int:
    """Up to where a symbol is to be asked for; of a market that no longer trades no more than once a day.

    When it was asked is told by its newest fact, or by the note that it is gone. Until a day later there is nothing to
    ask but what a run that was interrupted has left.
    """
    market, now = record.market, reach.now
    if not is_over(market, now):
        return reach.settled
    if now - int(market.extra.get(GONE, 0)) < DAY:
        return 0
    newest = max((fact.answered_at for fact in record.coverage or ()), default=0)
    told = now if now - newest >= DAY else newest - DAY
    end = reach.grid.pending(told - reach.lag)
    return end if market.delisted is None else min(end, market.delisted)


def is_over(market: Market, now: int) -> bool:
    """Whether a market no longer trades, as far as the exchange has said."""
    return (
        market.status is MarketStatus.CLOSED
        or GONE in market.extra
        or (market.delisted is not None and market.delisted <= now)
    )


def gone(market: Market, now: int) -> Market:
    """The market with a note that the exchange does not know it. The next listing that has it takes the note away."""
    return replace(market, extra={**market.extra, GONE: str(now)})


def returned(market: Market) -> Market:
    """The market without that note."""
    return replace(market, extra={name: text for name, text in market.extra.items() if name != GONE})


def first_known(record: SymbolRecord) -> int | None:
    """The first moment that is stored or proven. That a market was not listed yet proves nothing of its candles."""
    starts = [fact.span.start for fact in _told(record.coverage or ())]
    return min([*starts, *([] if record.first is None else [record.first])], default=None)


def last_known(record: SymbolRecord) -> int | None:
    """Behind the last moment that is stored or proven."""
    ends = [fact.span.end for fact in _told(record.coverage or ())]
    return max([*ends, *([] if record.last is None else [record.last + 1])], default=None)


def beginning(market: Market, grid: Grid) -> int:
    """From where on a market may have candles: since it was listed, where the exchange says when; else since 1970."""
    if market.listed is not None:
        return grid.floor(market.listed)
    return grid.after(grid.ceil(0))  # what is asked begins a slot earlier, and exchanges refuse negative moments


def _told(facts: Iterable[Coverage]) -> Iterable[Coverage]:
    return (fact for fact in facts if fact.state is not CoverageState.NOT_LISTED)
