"""What came of candles that were copied or imported."""

from dataclasses import dataclass
from enum import StrEnum

from candle_hookspecs.results.collection import TimeRange
from candle_hookspecs.storage import SaveReceipt
from candle_hookspecs.symbols import Symbol


class CopyState(StrEnum):
    """What came of a symbol that was copied."""

    COPIED = "copied"  # the target holds all that the source holds
    DIFFERENT = "different"  # after all the target says otherwise somewhere; it was left as it is
    FAILED = "failed"  # an error ended it; what was committed stays


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolCopy:
    """What a copy did for one symbol.

    Attributes:
        rows, facts, revisions: candles, coverage facts, and what earlier answers said of candles, that the source
            holds, as far as it was read.
        copied: rows that this run inserted or changed in the target.
        own: candles that only the target holds; they stay.
        cause: why it is not `CopyState.COPIED`; empty if it is.
    """

    symbol: Symbol
    rows: int = 0
    facts: int = 0
    revisions: int = 0
    copied: int = 0
    own: int = 0
    state: CopyState = CopyState.COPIED
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyProgress:
    """How far a copy is.

    Attributes:
        symbol: where something was done just now.
        done_rows, total_rows: candles copied or compared by now, and to be; each counts twice, as all is compared in
            the end.
        estimated_remaining_seconds: from the pace so far.
    """

    symbol: Symbol
    done_rows: int
    total_rows: int
    estimated_remaining_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySummary:
    """What became of a database that was copied to another.

    Attributes:
        source, target: where they are, as messages name them.
        symbols: one entry for each, in their order.
        notes: what one of the databases cannot keep, in words.
    """

    source: str
    target: str
    symbols: tuple[SymbolCopy, ...]
    duration_seconds: float
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the target holds all of every symbol."""
        return all(one.state is CopyState.COPIED for one in self.symbols)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """What became of a file of candles.

    Attributes:
        rows: in the file. They are still_open + repeated + saved.inserted + revised + unchanged + outdated.
        still_open: rows left out because their candle was not closed, or not surely, when the file was written.
        repeated: rows dropped because their open time came again nearby.
        time_range: from the oldest row to the close of the newest.
        notes: what a person should know besides, in words.
    """

    symbol: Symbol
    file: str
    rows: int
    still_open: int
    repeated: int
    saved: SaveReceipt
    time_range: TimeRange
    duration_seconds: float
    notes: tuple[str, ...] = ()
