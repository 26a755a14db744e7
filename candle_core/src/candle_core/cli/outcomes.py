"""What came of several symbols, one by one: a result or an error."""

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from candle_core.cli.common import Session, Target
from candle_core.cli.errors import describe, exit_code, one_line
from candle_core.cli.render import moment
from candle_hookspecs import CandleError, ConfigError, StorageError, TimeRange

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[_Result]):
    """What came of one symbol."""

    name: str
    result: _Result | CandleError

    @property
    def error(self) -> CandleError | None:
        """Why there is no result."""
        return self.result if isinstance(self.result, CandleError) else None


async def attempt(
    name: str, work: Awaitable[_Result], *, fatal: tuple[type[CandleError], ...] = (ConfigError, StorageError)
) -> Outcome[_Result]:
    """One symbol's result or failure. A `fatal` error is not this symbol's: no other could do better."""
    try:
        return Outcome(name, await work)
    except fatal:
        raise
    except CandleError as error:
        return Outcome(name, error)


def worst_if_all_failed(outcomes: Sequence[Outcome[Any]]) -> CandleError | None:
    """The error that decides what the command ends with, if no symbol has a result."""
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    return max(errors, key=exit_code) if errors and len(errors) == len(outcomes) else None


def tell_failures(session: Session, outcomes: Iterable[Outcome[Any]]) -> None:
    """Name each symbol that failed, with its cause, on standard error."""
    for outcome in outcomes:
        if outcome.error is not None:
            session.note(f"candle: {outcome.name}: {one_line(outcome.error)}")


def failure_document(outcome: Outcome[Any]) -> dict[str, Any]:
    """A failed symbol as JSON."""
    assert outcome.error is not None
    return {"name": outcome.name, "state": "failed", "error": describe(outcome.error)}


def caption(target: Target, ranges: Sequence[TimeRange]) -> str:
    """``BINANCE SPOT 1h, 2024-01-01T00:00:00Z to 2024-02-01T00:00:00Z``."""
    first, last = min(start for start, _ in ranges), max(end for _, end in ranges)
    where = " ".join(filter(None, (target.exchange, target.tradetype, target.timeframe)))
    return f"{where}, {moment(first)} to {moment(last)}"
