"""Candles as columns. No object per candle anywhere on the main path."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from candle_hookspecs.errors import MalformedAnswerError
from candle_hookspecs.libraries import needed
from candle_hookspecs.times import Span, iso, to_datetime

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

PRICE_COLUMNS: Final = ("open", "high", "low", "close")
REQUIRED_COLUMNS: Final = ("open_time", *PRICE_COLUMNS, "volume")
OPTIONAL_COLUMNS: Final = ("quote_volume", "trades", "taker_buy_volume")
COLUMNS: Final = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
INTEGER_COLUMNS: Final = frozenset({"open_time", "trades"})

UNKNOWN_COUNT: Final = -1
"""In `trades`: this row's count was not given, though other rows' were. (In a float column that is NaN.)"""


class Candle(NamedTuple):
    """One candle as a plain value, for people; programs keep the columns. `open_time` is aware UTC."""

    open_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float | None
    trades: int | None
    taker_buy_volume: float | None


class Arrival(StrEnum):
    """In which order the rows stood in the answer, before they were sorted. Proof rests on it."""

    ASCENDING = "ascending"
    DESCENDING = "descending"
    DISORDERED = "disordered"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CandleBatch:
    """Candles of one symbol: equally long numpy columns, sorted by open time, unique, read-only.

    Build one with `from_columns` (any order, repeated rows allowed) or `empty`.

    Attributes:
        open_time: int64, UTC milliseconds, strictly increasing.
        open, high, low, close: float64, in quote units (as the exchange said; never rounded).
        volume: float64, in base units.
        quote_volume: float64, in quote units; `trades`: int64; `taker_buy_volume`: float64, in base units. None where
            the source does not give the column; NaN (`UNKNOWN_COUNT` in `trades`) where it does not give it for one
            row.
        extra: further float64 columns that the provider's capabilities declare.
        arrival: the order the rows came in; repeated: how many rows were dropped because their open time came again.
    """

    open_time: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    quote_volume: Floats | None = None
    trades: Ints | None = None
    taker_buy_volume: Floats | None = None
    extra: Mapping[str, Floats] = field(default_factory=dict)
    arrival: Arrival = Arrival.ASCENDING
    repeated: int = 0

    def __post_init__(self) -> None:
        count = len(self.open_time)
        for name, column in self.columns().items():
            wanted = np.int64 if name in INTEGER_COLUMNS else np.float64
            if column.dtype != wanted or column.shape != (count,):
                raise ValueError(
                    f"column {name!r} must be {wanted.__name__} of shape ({count},): {column.dtype}, {column.shape}"
                )
            column.flags.writeable = False
        if count > 1 and not (self.open_time[1:] > self.open_time[:-1]).all():
            raise ValueError(
                "open_time must increase strictly; build a batch from wire rows with CandleBatch.from_columns"
            )
        object.__setattr__(self, "extra", MappingProxyType(dict(self.extra)))

    # ── making ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def empty(cls) -> Self:
        """No candles."""
        floats = np.empty(0)
        return cls(np.empty(0, np.int64), floats, floats, floats, floats, floats)

    @classmethod
    def from_columns(cls, columns: Mapping[str, ArrayLike | None]) -> Self:
        """A batch from columns in the order of the wire.

        The rows are sorted by open time; of rows with one open time the last stays. `arrival` and `repeated` remember
        what came.

        Args:
            columns: the names of this class; names beyond `COLUMNS` become `extra`. None: the source has no such
                column.

        Raises:
            ValueError: a required column is missing, or lengths or types do not fit.
        """
        arrays = {name: _array(name, values) for name, values in columns.items() if values is not None}
        missing = [name for name in REQUIRED_COLUMNS if name not in arrays]
        if missing:
            raise ValueError(f"columns {missing!r} are missing; a candle has {REQUIRED_COLUMNS!r}")
        times = arrays["open_time"]
        if misfit := [name for name, array in arrays.items() if array.shape != (times.size,)]:
            raise ValueError(f"columns {misfit!r} have not one value for each of {times.size} open times")
        arrival = _arrival(times)
        repeated = 0
        if arrival is not Arrival.ASCENDING or (len(times) > 1 and (times[1:] == times[:-1]).any()):
            # np.unique keeps the first of equals, so it is shown the rows from the last to the first.
            _, first = np.unique(times[::-1], return_index=True)
            rows = len(times) - 1 - first
            repeated = len(times) - len(rows)
            arrays = {name: array[rows] for name, array in arrays.items()}
        extra = {name: arrays.pop(name) for name in list(arrays) if name not in COLUMNS}
        return cls(**arrays, extra=extra, arrival=arrival, repeated=repeated)

    @classmethod
    def from_rows(cls, rows: Any, columns: Mapping[str, int]) -> Self:
        """A batch from rows as they stand in a JSON answer, each a list of numbers or of texts of numbers.

        Args:
            rows: all of one length; parsed, or as the bytes of the answer.
            columns: name of a column → its place in every row.

        Raises:
            MalformedAnswerError: anything else, or a number that is lacking or not finite; nothing is guessed.
        """
        try:
            rows = json.loads(rows) if isinstance(rows, bytes) else rows
            table = np.array(rows, np.float64)
            picked = {name: table[:, place] for name, place in columns.items()} if len(rows) else {}
        except (TypeError, ValueError, IndexError) as error:
            raise MalformedAnswerError(f"these are no candles: {str(rows)[:100]!r}") from error
        if table.ndim > 2 or not all(np.isfinite(column).all() for column in picked.values()):
            raise MalformedAnswerError(f"not all of these are numbers: {str(rows)[:100]!r}")
        return cls.from_columns(picked) if picked else cls.empty()

    @classmethod
    def concat(cls, batches: Iterable["CandleBatch"]) -> "CandleBatch":
        """One batch out of many.

        On one open time the later batch wins. A column absent in some is filled with unknowns.
        """
        parts = [batch for batch in batches if len(batch)]
        if len(parts) <= 1:
            return parts[0] if parts else cls.empty()
        names = dict.fromkeys(name for part in parts for name in part.columns())
        merged = cls.from_columns(
            {name: np.concatenate([part._column_or_unknown(name) for part in parts]) for name in names}
        )
        return replace(merged, arrival=Arrival.ASCENDING, repeated=0)

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def __len__(self) -> int:
        return len(self.open_time)

    def __repr__(self) -> str:
        if not len(self):
            return "<CandleBatch: no candles>"
        return f"<CandleBatch: {len(self)} candles, {iso(self.first)} to {iso(self.last)}>"

    def __eq__(self, other: object) -> bool:
        """Equal columns, value by value (NaN equals NaN); how the rows arrived does not count."""
        if not isinstance(other, CandleBatch):
            return NotImplemented
        mine, theirs = self.columns(), other.columns()
        return mine.keys() == theirs.keys() and all(
            np.array_equal(mine[name], theirs[name], equal_nan=name not in INTEGER_COLUMNS) for name in mine
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        # A mapping proxy cannot be pickled, so the batch is built anew where it arrives.
        values = {one.name: getattr(self, one.name) for one in fields(self)} | {"extra": dict(self.extra)}
        return type(self), tuple(values.values())

    @property
    def first(self) -> int:
        """Open time of the oldest candle, UTC ms. IndexError when empty."""
        return int(self.open_time[0])

    @property
    def last(self) -> int:
        """Open time of the newest candle, UTC ms. IndexError when empty."""
        return int(self.open_time[-1])

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns that are there, by name, in the order of `COLUMNS`, then the extra ones."""
        found = {name: getattr(self, name) for name in COLUMNS}
        return {name: column for name, column in found.items() if column is not None} | dict(self.extra)

    # ── cutting ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def between(self, span: Span) -> "CandleBatch":
        """The candles that open inside the span (a view, no copy)."""
        low, high = np.searchsorted(self.open_time, (span.start, span.end))
        return self[int(low) : int(high)]

    def __getitem__(self, rows: "slice[Any, Any, Any] | NDArray[np.bool_]") -> "CandleBatch":
        """Rows by slice (step 1 only) or boolean mask, in all columns."""
        parts = {name: column[rows] for name, column in self.columns().items()}
        extra = {name: parts.pop(name) for name in self.extra}
        return CandleBatch(**parts, extra=extra, arrival=self.arrival, repeated=self.repeated)

    def _column_or_unknown(self, name: str) -> NDArray[Any]:
        column = self.columns().get(name)
        if column is not None:
            return column
        return np.full(len(self), UNKNOWN_COUNT, np.int64) if name in INTEGER_COLUMNS else np.full(len(self), np.nan)

    # ── handing over ────────────────────────────────────────────────────────────────────────────────────────────────

    def to_pandas(self) -> "pd.DataFrame":
        """A DataFrame indexed by ``open_time`` (UTC, millisecond resolution), float64 columns.

        `trades` nullable Int64.
        """
        with needed("pandas", "to_pandas"):
            import pandas as pd

        columns = self.columns()
        index = pd.DatetimeIndex(columns.pop("open_time").view("datetime64[ms]"), name="open_time").tz_localize("UTC")
        frame = pd.DataFrame(columns, index=index)
        if self.trades is not None:
            frame["trades"] = frame["trades"].astype("Int64").mask(self.trades == UNKNOWN_COUNT)
        return frame

    def to_arrow(self) -> "pa.Table":
        """A pyarrow Table; ``open_time`` is timestamp[ms, UTC]; unknown values are null."""
        with needed("pyarrow", "to_arrow"):
            import pyarrow as pa

        columns = self.columns()
        arrays = {"open_time": pa.array(columns.pop("open_time").view("datetime64[ms]"), pa.timestamp("ms", "UTC"))}
        for name, column in columns.items():
            unknown = column == UNKNOWN_COUNT if name in INTEGER_COLUMNS else np.isnan(column)
            arrays[name] = pa.array(column, mask=unknown)
        return pa.table(arrays)

    def to_polars(self) -> "pl.DataFrame":
        """A polars DataFrame; ``open_time`` is Datetime(ms, UTC); unknown values are null."""
        with needed("polars", "to_polars"):
            import polars as pl

        frame = pl.DataFrame(self.columns())
        return frame.with_columns(
            pl.col("open_time").cast(pl.Datetime("ms")).dt.replace_time_zone("UTC"),
            *(
                pl.when(pl.col(name) != UNKNOWN_COUNT).then(pl.col(name)).alias(name)
                if name in INTEGER_COLUMNS
                else pl.col(name).fill_nan(None)
                for name in frame.columns
                if name != "open_time"
            ),
        )

    def to_candles(self) -> list[Candle]:
        """A list of `Candle` values. Costs about a hundred times the memory of the columns."""
        absent: list[None] = [None] * len(self)
        floats = (column.tolist() for column in (self.open, self.high, self.low, self.close, self.volume))
        quote, taker = (
            absent if column is None else [None if value != value else value for value in column.tolist()]
            for column in (self.quote_volume, self.taker_buy_volume)
        )
        trades = absent if self.trades is None else [None if n == UNKNOWN_COUNT else n for n in self.trades.tolist()]
        rows = zip(map(to_datetime, self.open_time.tolist()), *floats, quote, trades, taker, strict=True)
        return [Candle(*row) for row in rows]


def _array(name: str, values: ArrayLike) -> NDArray[Any]:
    try:
        return np.array(values, dtype=np.int64 if name in INTEGER_COLUMNS else np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"column {name!r} holds what is no number: {error}") from error


def _arrival(times: Ints) -> Arrival:
    if len(times) < 2 or (times[1:] >= times[:-1]).all():
        return Arrival.ASCENDING
    return Arrival.DESCENDING if (times[1:] <= times[:-1]).all() else Arrival.DISORDERED
