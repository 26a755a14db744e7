"""Candles of several symbols as one frame."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

import numpy as np

from candle_hookspecs.candles import COLUMNS, INTEGER_COLUMNS, UNKNOWN_COUNT, CandleBatch, Ints
from candle_hookspecs.errors import BadInputError
from candle_hookspecs.libraries import needed

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Shape: TypeAlias = Literal["long", "wide"]
"""``long``: one symbol's rows below the other's, with a `symbol` column. ``wide``: one row for each open time."""

SHAPES: Final = ("long", "wide")

_Frame = TypeVar("_Frame")


@dataclass(frozen=True, slots=True, repr=False)
class CandleFrame:
    """Candles of several symbols.

    Attributes:
        batches: name → candles, in the order in which the symbols were named, by the names that were used.
    """

    batches: Mapping[str, CandleBatch]

    def __post_init__(self) -> None:
        object.__setattr__(self, "batches", MappingProxyType(dict(self.batches)))

    def __len__(self) -> int:
        """How many candles there are of all symbols."""
        return sum(map(len, self.batches.values()))

    def __getitem__(self, symbol: str) -> CandleBatch:
        """The candles of one symbol. KeyError: there is none of that name."""
        return self.batches[symbol]

    def __repr__(self) -> str:
        return f"<CandleFrame: {len(self)} candles of {', '.join(self.batches) or 'nothing'}>"

    def to_pandas(self, shape: Shape = "long") -> "pd.DataFrame":
        """A DataFrame indexed by ``open_time`` (UTC).

        Long: `symbol` is its first column, and each symbol's rows are in time order. Wide: columns are (column, symbol)
        in a MultiIndex, so that ``frame["close"]`` has a column for each symbol; NaN where a symbol has no candle.

        Raises:
            BadInputError: no such shape.
        """
        with needed("pandas", "to_pandas"):
            import pandas as pd

        parts = self._parts(shape, CandleBatch.to_pandas)
        if shape == "wide":
            frame = pd.concat(parts, axis=1, names=["symbol", "column"])
            wanted = [(symbol, column) for column, symbol in _wide_order(parts, lambda part: list(part.columns))]
            return frame[wanted].swaplevel(axis=1)
        named = [part.assign(symbol=symbol) for symbol, part in parts.items()]
        frame = pd.concat([part for part in named if len(part)] or named[:1])
        return frame[["symbol", *(column for column in frame.columns if column != "symbol")]]

    def to_polars(self, shape: Shape = "long") -> "pl.DataFrame":
        """A polars DataFrame; wide columns are called like ``BTC/USDT_close``, and null where there is no candle.

        Long: `symbol` is its first column, before `open_time`.

        Raises:
            BadInputError: no such shape.
        """
        with needed("polars", "to_polars"):
            import polars as pl

        parts = self._parts(shape, CandleBatch.to_polars)
        if shape == "wide":
            (times, *_) = parts.values()
            order = _wide_order(parts, lambda part: part.columns[1:])
            return times.select(
                "open_time", *(parts[symbol][column].alias(f"{symbol}_{column}") for column, symbol in order)
            )
        named = [part.select(pl.lit(symbol).alias("symbol"), pl.all()) for symbol, part in parts.items()]
        return pl.concat(named, how="diagonal")

    def to_arrow(self, shape: Shape = "long") -> "pa.Table":
        """A pyarrow Table with the columns of `to_polars`.

        Raises:
            BadInputError: no such shape.
        """
        with needed("pyarrow", "to_arrow"):
            import pyarrow as pa

        parts = self._parts(shape, CandleBatch.to_arrow)
        if shape == "wide":
            (times, *_) = parts.values()
            order = _wide_order(parts, lambda part: part.column_names[1:])
            columns = {f"{symbol}_{column}": parts[symbol][column] for column, symbol in order}
            return pa.table({"open_time": times["open_time"]} | columns)
        named = [
            part.add_column(0, "symbol", pa.array([symbol] * len(part), pa.string())) for symbol, part in parts.items()
        ]
        return pa.concat_tables(named, promote_options="default")

    def _parts(self, shape: Shape, convert: Callable[[CandleBatch], _Frame]) -> dict[str, _Frame]:
        """Each symbol's own frame; wide ones have the same open times."""
        if shape not in SHAPES:
            raise BadInputError(f"{shape!r} is no shape; there are {', '.join(SHAPES)}")
        if not self.batches:
            raise BadInputError("there is no symbol, so there is no frame; name one at least")
        if shape == "long":
            return {symbol: convert(batch) for symbol, batch in self.batches.items()}
        times = np.unique(np.concatenate([batch.open_time for batch in self.batches.values()]))
        return {symbol: convert(_spread(batch, times)) for symbol, batch in self.batches.items()}


def _wide_order(parts: Mapping[str, _Frame], columns: Callable[[_Frame], list[str]]) -> list[tuple[str, str]]:
    """(column, symbol), all symbols of one column side by side."""
    own = {symbol: columns(part) for symbol, part in parts.items()}
    names = dict.fromkeys([*COLUMNS, *(name for names in own.values() for name in names)])
    return [(name, symbol) for name in names for symbol in parts if name in own[symbol]]


def _spread(batch: CandleBatch, times: Ints) -> CandleBatch:
    """The batch with a row for each of these open times, unknown where it has none."""
    rows = np.searchsorted(times, batch.open_time)
    columns = {}
    for name, column in batch.columns().items():
        whole = name in INTEGER_COLUMNS
        columns[name] = np.full(len(times), UNKNOWN_COUNT if whole else np.nan, column.dtype)
        columns[name][rows] = column
    return CandleBatch.from_columns(columns | {"open_time": times})
