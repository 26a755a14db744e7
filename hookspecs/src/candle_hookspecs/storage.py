"""What is asked of a database, and what it answers."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

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
    """

    symbol: Symbol
    source: str
    answered_at: int
    batch: CandleBatch
    coverage: tuple[Coverage, ...] = ()
    rank: int = 0


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
    """

    symbol: Symbol
    span: Span | None = None
    columns: tuple[str, ...] | None = None
    limit: int = 0
    newest_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolQuery:
    """Which registered symbols to list; None matches all.

    Names compare in any case; `name` is compared with ccxt's symbol and the native id.

    Attributes:
        statistics: also fill `SymbolRecord.first`, `last`, `rows`, `revisions`.
    """

    archetype: str | None = None
    exchange: str | None = None
    tradetype: str | None = None
    base: str | None = None
    quote: str | None = None
    timeframe: str | None = None
    status: MarketStatus | None = None
    name: str | None = None
    statistics: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRecord:
    """A registered symbol.

    Its market as last listed, when it was registered and, if asked for, first and last open time (UTC ms), number of
    rows, and how often a later answer changed one (None where the database does not count that).
    """

    symbol: Symbol
    market: Market
    registered: datetime
    first: int | None = None
    last: int | None = None
    rows: int | None = None
    revisions: int | None = None


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
    """Rows for a table of the user's own, by bound parameters and checked identifiers.

    Attributes:
        key: the columns that identify a row (UPDATE, UPSERT, DELETE).
    """

    table: str
    type: OperationType
    rows: tuple[Row, ...]
    key: tuple[str, ...] = ()


class MaintenanceTask(StrEnum):
    """What a database may want now and then."""

    CHECKPOINT = "checkpoint"
    ANALYZE = "analyze"
    VACUUM = "vacuum"
    COMPACT = "compact"  # unite coverage facts that touch
    CHECK = "check"  # integrity


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceReport:
    """What one task did: `changed` counts what it touched (pages, facts), `problems` lists what a check found."""

    task: MaintenanceTask
    seconds: float
    changed: int = 0
    problems: tuple[str, ...] = field(default=())
