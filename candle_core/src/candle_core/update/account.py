"""What came of each symbol of an update, and who is told."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from candle_core.pipeline import Pipeline
from candle_hookspecs import Answer, SaveReceipt, Symbol, UpdateProgress, UpdateResult, UpdateState

ProgressCallback = Callable[[UpdateProgress], object]


@dataclass(slots=True)
class _Running:
    pipeline: Pipeline
    rows: int = 0


@dataclass(slots=True)
class Account:
    """Counts, and calls back at every change if somebody wants to know."""

    callback: ProgressCallback | None = None
    success: list[Symbol] = field(default_factory=list)
    failed: dict[Symbol, str] = field(default_factory=dict)
    skipped: list[Symbol] = field(default_factory=list)
    total: int = 0
    rows: int = 0
    _requests: int = 0
    _running: dict[Symbol, _Running] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """History requests sent, retries included."""
        return self._requests + sum(one.pipeline.tally.requests for one in self._running.values())

    def start(self, symbol: Symbol, pipeline: Pipeline) -> None:
        """A symbol is about to be asked for."""
        self._running[symbol] = _Running(pipeline)
        self._tell(symbol, UpdateState.STARTED)

    def take(self, answer: Answer) -> None:
        """An answer came."""
        self.rows += len(answer.batch)
        if running := self._running.get(answer.symbol):
            running.rows += len(answer.batch)
            self._tell(answer.symbol, UpdateState.COLLECTING)

    def succeed(self, symbol: Symbol) -> None:
        """Everything of a symbol came."""
        self.success.append(symbol)
        self._tell(symbol, UpdateState.DONE)
        self._end(symbol)

    def fail(self, symbol: Symbol, cause: str) -> None:
        """A symbol could not be had."""
        self.failed[symbol] = cause
        self._tell(symbol, UpdateState.FAILED, cause)
        self._end(symbol)

    def fail_all(self, symbols: Iterable[Symbol], cause: str) -> None:
        """Symbols that were not asked for, because their exchange cannot be."""
        for symbol in symbols:
            self.fail(symbol, cause)

    def result(self, receipt: SaveReceipt, seconds: float) -> UpdateResult:
        """The whole account.

        Args:
            receipt: of everything that was saved.
            seconds: how long it took.
        """
        return UpdateResult(
            success_symbols=sorted(self.success),
            failed_symbols=sorted(self.failed.items()),
            skipped_symbols=sorted(self.skipped),
            total_rows=receipt.inserted + receipt.revised,
            revised=receipt.revised,
            requests=self.requests,
            duration_seconds=seconds,
        )

    def _end(self, symbol: Symbol) -> None:
        if running := self._running.pop(symbol, None):
            self._requests += running.pipeline.tally.requests

    def _tell(self, symbol: Symbol, state: UpdateState, cause: str = "") -> None:
        if self.callback is None:
            return
        running = self._running.get(symbol)
        self.callback(
            UpdateProgress(
                symbol=symbol,
                state=state,
                cause=cause,
                symbol_rows=running.rows if running else 0,
                done_symbols=len(self.success),
                failed_symbols=len(self.failed),
                skipped_symbols=len(self.skipped),
                total_symbols=self.total,
                total_rows=self.rows,
                requests=self.requests,
            )
        )
