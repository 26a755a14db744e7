"""From rows that a caller holds to answers that the database can weigh against what exchanges say."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from candle_core.checks import unsound
from candle_core.coverage import Runs
from candle_core.kernel import Kernel
from candle_core.provider import Provider
from candle_core.symbols import Catalogue
from candle_core.writer import BatchConfig
from candle_core.writer.sizes import size_of_batch, size_of_rows
from candle_hookspecs import (
    COLUMNS,
    INTEGER_COLUMNS,
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    UNKNOWN_COUNT,
    Answer,
    BadInputError,
    CandleBatch,
    MalformedAnswerError,
    Moment,
    SymbolLike,
    SymbolQuery,
    SymbolRecord,
    to_ms,
)

TABLE: Final = "candles"
"""The one table of the kernel's own that may be written to; through `candle_save`, like everything else in it."""

_NAMES: Final = ("symbol", "timeframe", "exchange", "tradetype")
_RANK: Final = -1  # below what the exchange says to us at the same moment

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Closed:
    """Answers made of a caller's rows, and how many of those may still change and were left out."""

    answers: tuple[Answer, ...]
    still_open: int


class CandleRows:
    """Makes answers of rows, for a kernel's exchanges. Symbols that it has met are not looked up again."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._catalogue = Catalogue(kernel)
        self._met: dict[Hashable, SymbolRecord] = {}

    def query(
        self, symbol: SymbolLike, timeframe: str | None, exchange: str | None, tradetype: str | None
    ) -> SymbolQuery:
        """Whose candles they are; ``[defaults]`` fill in.

        Raises:
            BadInputError: it cannot be told.
        """
        return self._catalogue.query(symbol, timeframe, exchange, tradetype)

    async def closed(self, query: SymbolQuery, rows: object, config: BatchConfig, answered_at: Moment | None) -> Closed:
        """What an exchange said, as a caller got it from there: one answer, or slices beyond `max_memory_mb`.

        Args:
            query: whose candles they are. A market that the database does not know is looked up at the exchange.
            rows: a `CandleBatch`, or the exchange's own rows, which its provider decodes.
            config: bounds.
            answered_at: when the exchange said it; None: now.

        Raises:
            BadInputError: rows that are no candles of the exchange; unknown market. ProviderError: it had to be asked
                for the market, and did not answer.
        """
        assert query.exchange is not None
        provider = self._kernel.provider(query.exchange)
        batch = rows if isinstance(rows, CandleBatch) else _decoded(provider, rows)
        if problem := unsound(batch):
            raise BadInputError(
                f"{problem} is no number in the rows of {query.name or query.base!r}; nothing is stored"
            )
        if query not in self._met:
            self._met[query] = await self._catalogue.resolve(query)
        record = self._met[query]
        grid = await provider.open_grid(record.symbol.timeframe)
        now = provider.clock.now()
        moment = now if answered_at is None else min(to_ms(answered_at), now)
        closed = batch[grid.closes(batch.open_time) <= moment - provider.capabilities.settle]
        source = f"{provider.name}:batch"
        runs = Runs(grid, source, moment)
        large = size_of_batch(closed) + size_of_rows([rows]) > config.max_memory_mb * 1e6
        length = config.insert_batch_size if large else max(1, len(closed))
        parts = [closed[start : start + length] for start in range(0, len(closed), length)] or [closed]
        return Closed(
            tuple(
                Answer(
                    symbol=record.symbol, source=source, rank=_RANK, answered_at=moment, batch=part,
                    coverage=tuple(runs.facts(part)),
                )
                for part in parts
            ),
            len(batch) - len(closed),
        )  # fmt: skip


def _decoded(provider: Provider, rows: object) -> CandleBatch:
    try:
        return provider.hooks.decode(rows)
    except MalformedAnswerError as error:
        raise BadInputError(f"these are no candles of {provider.name!r}: {error}") from error


# ── rows of the candle table ─────────────────────────────────────────────────────────────────────────────────────────


def by_symbol(rows: Sequence[Row]) -> dict[tuple[Any, ...], list[Row]]:
    """The rows by what names their symbol: the values of symbol, timeframe, exchange and tradetype.

    Raises:
        BadInputError: a row names none.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for number, row in enumerate(rows):
        if not row.get("symbol"):
            raise BadInputError(f"row {number} of {TABLE!r} names no 'symbol'; it has {sorted(map(str, row))!r}")
        groups.setdefault(tuple(row.get(name) for name in _NAMES), []).append(row)
    return groups


def batch_of(rows: Sequence[Row], extra_columns: Sequence[str]) -> CandleBatch:
    """The rows of one symbol as columns: `open_time` as any `Moment`, the others as numbers or None.

    Raises:
        BadInputError: a column that no candle has, a required one without a value, a value that is no number.
    """
    known = {*COLUMNS, *extra_columns}
    given = {name for row in rows for name in row if name not in _NAMES}
    if strange := sorted(given - known):
        raise BadInputError(f"a candle has no column {strange[0]!r}; it has {', '.join(COLUMNS)}")
    if missing := [name for name in REQUIRED_COLUMNS if any(row.get(name) is None for row in rows)]:
        raise BadInputError(f"a row of {TABLE!r} has no {missing[0]!r}; a candle has {', '.join(REQUIRED_COLUMNS)}")
    columns: dict[str, Any] = {"open_time": [to_ms(row["open_time"]) for row in rows]}
    for name in (*REQUIRED_COLUMNS[1:], *(name for name in (*OPTIONAL_COLUMNS, *extra_columns) if name in given)):
        columns[name] = [_number(name, row.get(name)) for row in rows]
    return CandleBatch.from_columns(columns)


def _number(name: str, value: Any) -> float:
    if value is None:
        return UNKNOWN_COUNT if name in INTEGER_COLUMNS else float("nan")
    try:
        return int(value) if name in INTEGER_COLUMNS else float(value)
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{name!r} of a candle is a number, not {value!r}") from error
