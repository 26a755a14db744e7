"""Files of candles that others wrote: CSV, Parquet and Feather, read through pyarrow in batches of bounded length."""

import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from candle_core.importing.times import NO_TIME, to_milliseconds
from candle_hookspecs import (
    INTEGER_COLUMNS,
    PRICE_COLUMNS,
    REQUIRED_COLUMNS,
    UNKNOWN_COUNT,
    BadInputError,
    CandleBatch,
    needed,
)

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS: Final = 10_000
"""Rows in memory at once."""

_BLOCK: Final = 1 << 18  # bytes of a CSV file parsed at once; pyarrow reads dozens of them ahead

NAMES: Final[Mapping[str, Sequence[str]]] = {
    "open_time": ("open_time", "opentime", "timestamp", "date", "datetime", "time", "unix"),
    **{name: (name,) for name in (*PRICE_COLUMNS, "volume")},
    "quote_volume": ("quote_volume", "quotevolume", "quote_asset_volume"),
    "trades": ("trades", "count", "number_of_trades"),
    "taker_buy_volume": ("taker_buy_volume", "taker_buy_base_volume", "taker_buy_base_asset_volume"),
}
"""Column → what files call it, in any case, with ``_``, ``-`` or a blank; the first of them that is there counts."""

# What the archives of https://data.binance.vision hold, most of them without a header.
_ARCHIVE: Final = (
    *REQUIRED_COLUMNS,
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)

_FOREIGN: Final = {
    b"PK\x03\x04": "is a zip file; unpack it first",
    b"FEA1": "is a Feather file of version 1; write it anew as version 2",
    b"[": "is JSON; write it as CSV, Parquet or Feather (freqtrade: `convert-data --format-to feather`)",
    b"{": "is JSON; write it as CSV, Parquet or Feather",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleFile:
    """A file of candles; its first bytes tell the format.

    Attributes:
        form: ``csv``, ``parquet`` or ``feather``.
        names: of the file's columns, in their order. columns: the names of a `CandleBatch` → those of the file.
        header: lines before the first row. delimiter: between the cells of a line.
    """

    path: Path
    form: str
    names: Sequence[str]
    columns: Mapping[str, str]
    header: int = 0
    delimiter: str = ","

    @classmethod
    def open(cls, path: Path) -> "CandleFile":
        """Look at a file.

        Raises:
            BadInputError: no such file, none of the three formats, a column of every candle is missing, or pyarrow is.
        """
        _need_arrow(path)
        form = _format(path)
        with _told(path):
            if form == "csv":
                return _open_csv(path)
            names = _names_inside(path, form)
        return cls(path=path, form=form, names=names, columns=_find_columns(path, names))

    def batches(self) -> Generator[CandleBatch, None, None]:
        """The rows, at most `BATCH_ROWS` at a time, each batch sorted.

        Raises:
            BadInputError: a row that is no candle; names the file, the place, the column and the value.
        """
        row = 0
        with _told(self.path, self.names):
            for table in self._tables():
                for start in range(0, table.num_rows, BATCH_ROWS):
                    part = table.slice(start, BATCH_ROWS)
                    yield CandleBatch.from_columns(self._columns(part, row))
                    row += part.num_rows

    def place(self, row: int) -> str:
        """Where a row stands, counted from 0, as a person would look for it."""
        return f"line {self.header + row + 1}" if self.form == "csv" else f"row {row + 1}"

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _tables(self) -> "Iterator[pa.RecordBatch]":
        wanted = list(self.columns.values())
        if self.form == "csv":
            with self._csv_reader(wanted) as reader:
                yield from _gathered(reader)
        elif self.form == "parquet":
            from pyarrow import parquet

            with parquet.ParquetFile(self.path) as file:
                yield from file.iter_batches(BATCH_ROWS, columns=wanted, use_threads=False)
        else:
            import pyarrow as pa

            with pa.memory_map(str(self.path)) as mapped, pa.ipc.open_file(mapped) as reader:
                for index in range(reader.num_record_batches):
                    yield reader.get_batch(index).select(wanted)

    def _csv_reader(self, wanted: list[str]) -> Any:
        import pyarrow as pa
        from pyarrow import csv

        # Times stay text, because they may have any form. One thread, because only then the reader knows the line of
        # a bad value.
        types = {own: pa.string() if name == "open_time" else pa.float64() for name, own in self.columns.items()}
        return csv.open_csv(
            self.path,
            read_options=csv.ReadOptions(
                use_threads=False, block_size=_BLOCK, column_names=list(self.names), skip_rows=self.header
            ),
            parse_options=csv.ParseOptions(delimiter=self.delimiter),
            convert_options=csv.ConvertOptions(column_types=types, include_columns=wanted, strings_can_be_null=True),
        )

    def _columns(self, table: "pa.RecordBatch", first: int) -> dict[str, NDArray[Any]]:
        """The columns of some rows, of which the first is number `first` in the file; each of them sound."""
        import pyarrow as pa

        columns: dict[str, NDArray[Any]] = {}
        for name, own in self.columns.items():
            if name == "open_time":
                columns[name] = times = to_milliseconds(table[own])
                self._refuse_where(times == NO_TIME, first, name, table[own], "no time")
            else:
                columns[name] = table[own].cast(pa.float64()).to_numpy(zero_copy_only=False)
        for name in (*PRICE_COLUMNS, "volume"):
            self._refuse_where(~np.isfinite(columns[name]), first, name, table[self.columns[name]], "no number")
        self._refuse_where(columns["volume"] < 0, first, "volume", table[self.columns["volume"]], "below zero")
        turned = columns["high"] < columns["low"]
        self._refuse_where(turned, first, "high", table[self.columns["high"]], "below the low")
        for name in INTEGER_COLUMNS & columns.keys() - {"open_time"}:
            known = np.isfinite(columns[name])
            columns[name] = np.where(known, columns[name], UNKNOWN_COUNT).astype(np.int64)
        return columns

    def _refuse_where(self, bad: NDArray[np.bool_], first: int, name: str, values: "pa.Array", reason: str) -> None:
        if bad.any():
            index = int(np.flatnonzero(bad)[0])
            _refuse(self.path, self.place(first + index), self.columns[name], values[index].as_py(), reason)


def _refuse(path: Path, place: str, column: str, value: object, reason: str) -> NoReturn:
    said = "is empty" if value is None else f"is {value!r}, {reason}"
    raise BadInputError(f"{str(path)!r}, {place}: {column!r} {said}; nothing of this file is imported")


def _gathered(parts: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    """Small batches put together to about `BATCH_ROWS`."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    rows = 0
    for part in parts:
        waiting.append(part)
        rows += part.num_rows
        if rows >= BATCH_ROWS:
            yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()
            waiting, rows = [], 0
    if waiting:
        yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()


# ── looking at a file ────────────────────────────────────────────────────────────────────────────────────────────────


def _format(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise BadInputError(f"cannot read {str(path)!r}: {error.strerror}") from None
    if not start:
        raise BadInputError(f"{str(path)!r} is empty")
    for magic, reason in _FOREIGN.items():
        if start.startswith(magic):
            raise BadInputError(f"{str(path)!r} {reason}")
    return {b"PAR1": "parquet", b"ARRO": "feather"}.get(start[:4], "csv")


def _open_csv(path: Path) -> CandleFile:
    import pyarrow as pa

    with pa.input_stream(str(path), compression="detect") as stream:
        line = (stream.read(4096).decode("utf-8-sig", "replace").splitlines() or [""])[0]
    delimiter = max(",;\t", key=line.count)
    cells = [cell.strip().strip('"') for cell in line.split(delimiter)]
    if any(_is_number(cell) for cell in cells):
        if len(cells) != len(_ARCHIVE):
            raise BadInputError(
                f"{str(path)!r} begins with numbers, in {len(cells)} columns, not the {len(_ARCHIVE)} of Binance's "
                f"archives; put a line with the columns' names in front, such as {','.join(REQUIRED_COLUMNS)}"
            )
        names, header = list(_ARCHIVE), 0
    else:
        names, header = cells, 1
    columns = _find_columns(path, names)
    return CandleFile(path=path, form="csv", names=names, columns=columns, header=header, delimiter=delimiter)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _names_inside(path: Path, form: str) -> list[str]:
    if form == "parquet":
        from pyarrow import parquet

        return list(parquet.read_schema(path).names)
    import pyarrow as pa

    with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as reader:
        return list(reader.schema.names)


def _find_columns(path: Path, names: Sequence[str]) -> dict[str, str]:
    spelled = {re.sub(r"[\s-]+", "_", name.strip().lower()): name for name in reversed(names)}
    found = {
        name: next(spelled[alias] for alias in aliases if alias in spelled)
        for name, aliases in NAMES.items()
        if any(alias in spelled for alias in aliases)
    }
    if missing := [name for name in REQUIRED_COLUMNS if name not in found]:
        known = ", ".join(f"{name} ({' or '.join(map(repr, NAMES[name]))})" for name in missing)
        raise BadInputError(f"{str(path)!r} has no column {known}; it has {', '.join(map(repr, names))}")
    return found


# ── what pyarrow says ────────────────────────────────────────────────────────────────────────────────────────────────


def _need_arrow(path: Path) -> None:
    with needed("pyarrow", f"reading {str(path)!r}"):
        import pyarrow  # noqa: F401


@contextmanager
def _told(path: Path, names: Sequence[str] = ()) -> Iterator[None]:
    """Turn pyarrow's errors into ours, with the place that its reader of CSV names."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        text = " ".join(str(error).split())
        if found := re.search(r"In CSV column #(\d+): Row #(\d+): .*invalid value '(.*)'", text):
            _refuse(path, f"line {found[2]}", names[int(found[1])], found[3], "no number")
        raise BadInputError(f"{str(path)!r} cannot be read: {text.replace('Row #', 'line ')}") from None
    except OSError as error:
        raise BadInputError(f"{str(path)!r} cannot be read: {' '.join(str(error).split())}") from None
