"""What is stored, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from candle_hookspecs.results.collection import TimeRange
from candle_hookspecs.storage import SymbolRecord
from candle_hookspecs.symbols import Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolSummary(SymbolRecord):
    """A registered symbol, and, if asked for, what is stored of it and how much of its history is proven.

    Attributes:
        slots: grid slots of its history, from the first moment that is answered or stored (where there is none, from
            the market's listing) to the last candle that is closed, or to the market's end. None: not asked for, or
            nobody knows the grid, as the exchange's plugin is not installed.
        proven: how many of them are certain: answered, with a candle or without, or not listed.
    """

    slots: int | None = None
    proven: int | None = None

    @property
    def share(self) -> float | None:
        """Proven of all slots, 0.0 to 1.0, and 1.0 only where all are; None where there is no slot to be proven."""
        return self.proven / self.slots if self.slots and self.proven is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotReport:
    """Where every grid slot of a range stands.

    Filled + proven_empty + not_listed + out_of_reach + missing = slots; rows = filled + off_grid.
    """

    symbol: Symbol
    time_range: TimeRange
    slots: int
    filled: int
    proven_empty: int
    not_listed: int
    out_of_reach: int
    missing: int
    off_grid: int
    rows: int


class AnomalyKind(StrEnum):
    """What cannot be true of a candle."""

    HIGH = "high"  # its high is below its open, close or low
    LOW = "low"  # its low is above its open, close or high
    PRICE = "price"  # one of its prices is negative
    VOLUME = "volume"  # its volume is negative


@dataclass(frozen=True, slots=True)
class Anomaly:
    """How many stored candles have something that cannot be true, and when the first of them opens."""

    kind: AnomalyKind
    count: int
    first: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What is stored of a symbol, looked at row by row. Two rows of one open time cannot be: it is their key.

    Attributes:
        slots: where every slot stands, and the range looked at; without slots where nothing is stored or proven.
        covered: slots that are proven. A candle whose proof was taken back fills its slot, but does not cover it.
        gaps: missing stretches between the first and the last moment that is proven or stored, inside the market's
            listed life where the exchange states it.
        anomalies: what cannot be true, one entry for each kind found. They are kept as the source gave them.
        revisions: how often a later answer changed a candle of the symbol, in any range; None where the database does
            not count that.
        first, last: open time of the oldest and the newest candle in the range.
    """

    slots: SlotReport
    covered: int = 0
    gaps: tuple[TimeRange, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    revisions: int | None = None
    first: datetime | None = None
    last: datetime | None = None

    @property
    def symbol(self) -> Symbol:
        """Whose candles these are."""
        return self.slots.symbol

    @property
    def clean(self) -> bool:
        """Whether there are neither gaps nor anomalies."""
        return not self.gaps and not self.anomalies


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """How a later answer changed a candle.

    Attributes:
        open_time: the candle's, aware UTC.
        changes: column → what it was and what it became; None: unknown.
        answered_before, answered_after: when the two answers were given, by the source's clock; None: an import, which
            bears no date.
        source_before, source_after: who gave them.
    """

    open_time: datetime
    changes: Mapping[str, tuple[float | None, float | None]]
    answered_before: datetime | None
    answered_after: datetime | None
    source_before: str
    source_after: str
