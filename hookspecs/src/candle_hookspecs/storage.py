"""What is asked of a database, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

from candle_hookspecs.actions import Action
from candle_hookspecs.candles import CandleBatch
from candle_hookspecs.coverage import Coverage, CoverageState
from candle_hookspecs.symbols import Market, MarketStatus, Symbol
from candle_hookspecs.times import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one source said of one symbol, with its proof; saved whole or not at all.

    Attributes:
        source: who said it, ``binance:rest``, ``binance:archive``, ``import``.
        rank: of two answers given at the same moment, the higher rank wins.
        answered_at: the exchange's clock, UTC ms. On conflict the later answer wins, whichever is saved first.
        batch: closed candles only.
        coverage: the facts this answer proves.
        actions: splits and dividends of the market. One that is known by its kind and moment is replaced by what a
            later answer says of it; none is taken back because a later answer lacks it.
    """

    symbol: Symbol
    source: str
    answered_at: int
    batch: CandleBatch
    coverage: tuple[Coverage, ...] = ()
    rank: int = 0
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveWrite:
    """Answers to be committed in one transaction. Every symbol was registered before."""

    answers: tuple[Answer, ...]

    @property
    def rows(self) -> int:
        """Candles in all answers."""
        return sum(len(answer.batch) for answer in self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveReceipt:
    """What a save did. inserted + revised + unchanged + outdated = rows given.

    Attributes:
        inserted: rows that were not there. revised: rows whose values a later answer changed.
        unchanged: rows that were there with the same values. outdated: rows dropped because a later answer is already
            stored.
        lacking: stored rows, inside what an answer proves, that the answer does not have; they are kept.
    """

    inserted: int = 0
    revised: int = 0
    unchanged: int = 0
    outdated: int = 0
    lacking: int = 0

    def __add__(self, other: "SaveReceipt") -> "SaveReceipt":
        return SaveReceipt(
            inserted=self.inserted + other.inserted,
            revised=self.revised + other.revised,
            unchanged=self.unchanged + other.unchanged,
            outdated=self.outdated + other.outdated,
            lacking=self.lacking + other.lacking,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRead:
    """Which candles to read. One read is one short transaction: ask again from behind the last row for more.

    Attributes:
        span: open times, half-open, UTC ms; None: all.
        columns: optional columns to read besides the six that every candle has; None: all there are.
        limit: most rows to return; 0: no limit.
        newest_first: take the newest `limit` rows instead of the oldest. The batch is in time order all the same.
        as_of: the candles as the answers given up to this moment (UTC ms, inclusive) had them; None: as they stand now
            (`StorageCapabilities.revisions`).
    """

    symbol: Symbol
    span: Span | None = None
    columns: tuple[str, ...] | None = None
    limit: int = 0
    newest_first: bool = False
    as_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolQuery:
    """Which registered symbols to list; None matches all.

    Names compare in any case; `name` is compared with ccxt's symbol and the native id.

    Attributes:
        contract: expiry code; empty: what has none, so no dated future.
        statistics: also fill `SymbolRecord.first`, `last`, `rows`, `revisions`.
        coverage: also fill `SymbolRecord.coverage`. Both are read for all symbols at once, not symbol by symbol.
    """

    archetype: str | None = None
    exchange: str | None = None
    tradetype: str | None = None
    base: str | None = None
    quote: str | None = None
    contract: str | None = None
    timeframe: str | None = None
    status: MarketStatus | None = None
    name: str | None = None
    statistics: bool = False
    coverage: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRecord:
    """A registered symbol, and, if asked for, what is stored of it.

    Attributes:
        market: as last listed.
        first, last: open time of the oldest and the newest candle, UTC ms.
        rows: number of candles.
        revisions: how often a later answer changed one; None where the database does not count that.
        coverage: its facts, whole, in the order of their spans, as `candle_coverage` gives them.
    """

    symbol: Symbol
    market: Market
    registered: datetime
    first: int | None = None
    last: int | None = None
    rows: int | None = None
    revisions: int | None = None
    coverage: tuple[Coverage, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A market and the timeframes in which it is to be kept.

    What is known of a market already is brought up to date.
    """

    market: Market
    timeframes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageQuery:
    """Which facts to read; None matches all. Facts that reach into the span are returned whole."""

    symbol: Symbol
    span: Span | None = None
    state: CoverageState | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Take proof back, and the candles too if `candles`. span None: all of the symbol."""

    symbol: Symbol
    span: Span | None = None
    candles: bool = False


class OperationType(StrEnum):
    """What is done to rows of a user's table."""

    INSERT = "INSERT"
    UPDATE = "UPDATE"
    UPSERT = "UPSERT"
    DELETE = "DELETE"


Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Rows for a table of the user's own, by bound parameters and checked identifiers; all of them or none.

    Attributes:
        table: its name, as the database has it.
        rows: column → value. INSERT and UPSERT: all rows of one operation may differ in the columns they name.
        key: the columns that identify a row (UPDATE, UPSERT, DELETE); empty: the table's primary key. UPDATE sets the
            columns of a row that are not in the key; UPSERT does that too, or inserts the row where there is none;
            DELETE looks at the key alone.
    """

    table: str
    type: OperationType
    rows: tuple[Row, ...]
    key: tuple[str, ...] = ()


IN_FLIGHT: Final = 3_600_000
"""Milliseconds. The kernel keeps no answer from being saved for longer, so that facts which are older than that may be
united: none is on its way any more that would have to be compared with the moment of each.
"""


class MaintenanceTask(StrEnum):
    """What a database may want now and then."""

    CHECKPOINT = "checkpoint"  # take the log in
    ANALYZE = "analyze"  # bring the planner's statistics of what changed up to date
    VACUUM = "vacuum"  # give back the room of deleted rows
    COMPACT = "compact"  # unite coverage facts that touch and are older than `IN_FLIGHT`
    CHECK = "check"  # integrity


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceReport:
    """What one step of a task did.

    Attributes:
        seconds: how long it took.
        changed: how much of the database it touched (pages, facts).
        problems: what a check found.
        more: it stopped so as not to keep writers waiting; call again to go on.
    """

    task: MaintenanceTask
    seconds: float
    changed: int = 0
    problems: tuple[str, ...] = field(default=())
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageStatus:
    """How a database stands.

    Attributes:
        place: where it is, as messages name it; no password in it.
        schema: version of its tables; 0: there is nothing yet.
        size: bytes it takes on disk, indexes and logs included; None where that cannot be told.
        symbols, candles, facts, revisions: how many it holds.
        details: what else is worth a look in this kind of database, by a short name (``wal_bytes``, ``server``).
    """

    place: str
    schema: int = 0
    size: int | None = None
    symbols: int = 0
    candles: int = 0
    facts: int = 0
    revisions: int = 0
    details: Mapping[str, int | float | str] = field(default_factory=dict)
