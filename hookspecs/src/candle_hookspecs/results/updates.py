"""What an update over many symbols did."""

from dataclasses import dataclass, field
from enum import StrEnum

from candle_hookspecs.symbols import Symbol


class UpdateState(StrEnum):
    """How a symbol fares in an update."""

    STARTED = "started"  # its first request is about to be sent
    COLLECTING = "collecting"  # an answer came
    DONE = "done"  # everything that was missing is there
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateProgress:
    """How far an update is.

    Attributes:
        symbol: where something happened just now.
        state: what happened; `cause`: why, if it failed.
        symbol_rows: candles that this run received of the symbol so far.
        done_symbols, failed_symbols, skipped_symbols, total_symbols: of the whole run, as far as it is planned: an
            exchange that has not answered yet is not counted.
        total_rows, requests: candles received, and history requests sent, by the whole run.
    """

    symbol: Symbol
    state: UpdateState
    cause: str = ""
    symbol_rows: int = 0
    done_symbols: int = 0
    failed_symbols: int = 0
    skipped_symbols: int = 0
    total_symbols: int = 0
    total_rows: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateResult:
    """What an update over many symbols did. Every symbol stands in one of the three lists, in their order.

    Attributes:
        success_symbols: asked, and everything that was missing is stored.
        failed_symbols: each with its cause; what came of them before is stored all the same.
        skipped_symbols: nothing was to be asked: no further candle is closed, or the market no longer trades and was
            asked within a day.
        total_rows: candles that this run stored, new or changed.
        revised: how many of them took the place of another.
        requests: history requests sent, retries included.
    """

    success_symbols: list[Symbol]
    failed_symbols: list[tuple[Symbol, str]]
    total_rows: int
    duration_seconds: float = 0.0
    skipped_symbols: list[Symbol] = field(default_factory=list)
    revised: int = 0
    requests: int = 0
