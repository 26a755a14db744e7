"""Candles as text or as a file, written batch by batch so that memory stays flat."""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

import click
import numpy as np
from numpy.typing import NDArray

from candle_core.cli.common import Target
from candle_core.cli.render import Column, print_table
from candle_hookspecs import (
    COLUMNS,
    INTEGER_COLUMNS,
    OPTIONAL_COLUMNS,
    UNKNOWN_COUNT,
    BadInputError,
    CandleBatch,
    needed,
)

Write: TypeAlias = Callable[[str, CandleBatch], object]
"""Takes candles of a symbol, by its name; one symbol after the other, each in time order, each once at least."""

SUFFIXES: Final = {
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
}
"""What a file's name says of its format."""

WHOLE: Final = 40
"""A table of up to so many rows is shown whole,"""

ENDS: Final = 10
"""a longer one by so many rows at either end."""

_SYMBOL = Column("symbol", style="bold")
_COLUMNS = [
    Column("open_time", style="bold"),
    *(Column(name, right=True, spare=name in OPTIONAL_COLUMNS) for name in COLUMNS[1:]),
]


def writer(form: str, out: IO[bytes], target: Target) -> AbstractContextManager[Write]:
    """What writes batches in a format; its context ends the file.

    Args:
        form: ``csv``, ``ndjson``, ``parquet``, ``feather``; ``json``, one document that also says whose candles they
            are; ``table``, which prints to standard output, a long one without its middle.
        out: where the bytes go, of a table none.
        target: whose candles they are. Where there are several symbols, the first column says whose a row is.
    """
    several = len(target.symbols) > 1
    if form == "json":
        return _json_of_several(out, target) if several else _json(out, target)
    kinds = {"csv": _csv, "ndjson": _ndjson, "parquet": _parquet, "feather": _feather, "table": _table}
    return kinds[form](out, several)


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A file that stands under its name only when it is whole; after an error nothing is left behind.

    Raises:
        BadInputError: it cannot be written there.
    """
    if path.is_dir():
        raise BadInputError(f"{str(path)!r} is a folder; name a file in it")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        file = part.open("xb")
    except OSError as error:
        raise BadInputError(f"cannot write {str(path)!r}: {error.strerror}") from None
    try:
        with file:
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def need_arrow(form: str) -> None:
    """Refuse a format whose library is absent.

    Raises:
        MissingLibraryError: with the line that installs it.
    """
    with needed("pyarrow", repr(form)):
        import pyarrow  # noqa: F401


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _csv(out: IO[bytes], several: bool) -> Iterator[Write]:
    out.write((",".join([*["symbol"] * several, *COLUMNS]) + "\n").encode())

    def write(symbol: str, batch: CandleBatch) -> None:
        columns = [*[[_quoted(symbol)] * len(batch)] * several, *(_texts(batch, name, unknown="") for name in COLUMNS)]
        out.write("".join(",".join(row) + "\n" for row in zip(*columns, strict=True)).encode())

    yield write


def _quoted(text: str) -> str:
    """A field of CSV."""
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n') else text


def ndjson(batch: CandleBatch, symbol: str | None = None) -> bytes:
    """A line with a JSON object for each candle."""
    return "".join(row + "\n" for row in _objects(batch, symbol)).encode()


@contextmanager
def _ndjson(out: IO[bytes], several: bool) -> Iterator[Write]:
    yield lambda symbol, batch: out.write(ndjson(batch, symbol if several else None))


@contextmanager
def _json(out: IO[bytes], target: Target) -> Iterator[Write]:
    head = {"exchange": target.exchange, "tradetype": target.tradetype, "name": target.symbol}
    out.write((json.dumps(head | {"timeframe": target.timeframe}, ensure_ascii=False)[:-1] + ', "candles": [').encode())
    comma = b""

    def write(_: str, batch: CandleBatch) -> None:
        nonlocal comma
        if len(batch):
            out.write(comma + b"\n" + ",\n".join(_objects(batch)).encode())
            comma = b","

    yield write
    out.write(b"\n]}\n")


@contextmanager
def _json_of_several(out: IO[bytes], target: Target) -> Iterator[Write]:
    head = {"exchange": target.exchange, "tradetype": target.tradetype, "timeframe": target.timeframe}
    out.write((json.dumps(head, ensure_ascii=False)[:-1] + ', "symbols": [').encode())
    current: str | None = None
    comma = b""

    def write(symbol: str, batch: CandleBatch) -> None:
        nonlocal current, comma
        if symbol != current:
            end = b"" if current is None else b"\n]},"
            out.write(end + f'\n{{"name": {json.dumps(symbol, ensure_ascii=False)}, "candles": ['.encode())
            current, comma = symbol, b""
        if len(batch):
            out.write(comma + b"\n" + ",\n".join(_objects(batch)).encode())
            comma = b","

    yield write
    out.write(b"\n]}\n]}\n")


def _objects(batch: CandleBatch, symbol: str | None = None) -> Iterator[str]:
    """A JSON object for each candle, unknown values null."""
    whose = "" if symbol is None else f'"symbol": {json.dumps(symbol, ensure_ascii=False)}, '.replace("%", "%%")
    form = "{" + whose + '"open_time": "%s", ' + ", ".join(f'"{name}": %s' for name in COLUMNS[1:]) + "}"
    return (form % row for row in zip(*(_texts(batch, name, unknown="null") for name in COLUMNS), strict=True))


def _texts(batch: CandleBatch, name: str, unknown: str) -> list[str]:
    """A column as text: times in ISO, numbers so that reading them gives the same number again."""
    column: NDArray[Any] | None = getattr(batch, name)
    if column is None:
        return [unknown] * len(batch)
    if name == "open_time":
        return _times(column)
    texts = list(map(repr, column.tolist()))
    absent = column == UNKNOWN_COUNT if name in INTEGER_COLUMNS else ~np.isfinite(column)
    for row in np.flatnonzero(absent):
        texts[row] = unknown
    return texts


def _times(times: NDArray[np.int64]) -> list[str]:
    """``2024-01-31T12:00:00Z`` for each; milliseconds only where there are any."""
    texts = np.datetime_as_string(times.view("datetime64[ms]"), unit="ms").tolist()
    return [f"{text.removesuffix('.000')}Z" for text in texts]


# ── table ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _table(_: IO[bytes], several: bool) -> Iterator[Write]:
    """Keeps the first and the last rows and prints them at the end."""
    head: list[_Piece] = []
    tail: list[_Piece] = []
    rows = 0

    def write(symbol: str, batch: CandleBatch) -> None:
        nonlocal rows, tail
        head.append((symbol, batch[: max(0, WHOLE - rows)]))
        tail = _last([*tail, (symbol, batch)])
        rows += len(batch)

    yield write
    columns = [*[_SYMBOL] * several, *_COLUMNS]
    if rows <= WHOLE:
        print_table(columns, _cells(head, several))
        return
    cells = _cells([*_first(head), *tail], several)
    print_table(columns, [*cells[:ENDS], ["..."] * len(columns), *cells[-ENDS:]])
    click.echo(f"{rows:,} candles, {2 * ENDS} of them shown; --format csv gives all", err=True)


_Piece: TypeAlias = tuple[str, CandleBatch]


def _first(pieces: list[_Piece]) -> list[_Piece]:
    """The first `ENDS` rows of them."""
    before = itertools.accumulate((len(batch) for _, batch in pieces), initial=0)
    return [(symbol, batch[: max(0, ENDS - done)]) for (symbol, batch), done in zip(pieces, before, strict=False)]


def _last(pieces: list[_Piece]) -> list[_Piece]:
    """The last `ENDS` rows of them."""
    behind = itertools.accumulate((len(batch) for _, batch in reversed(pieces)), initial=0)
    kept = [
        (symbol, batch[max(0, len(batch) - max(0, ENDS - done)) :])
        for (symbol, batch), done in zip(reversed(pieces), behind, strict=False)
    ]
    return [piece for piece in reversed(kept) if len(piece[1])]


def _cells(pieces: list[_Piece], several: bool) -> list[list[str]]:
    """Rows of text; within a column all numbers have the same decimals.

    They have fifteen digits at most, as many as any decimal keeps in a float: what the sum of a made candle has beyond
    them are no digits of anything.
    """
    columns = [[text for _, batch in pieces for text in _texts(batch, name, unknown="-")] for name in COLUMNS]
    for name, texts in zip(COLUMNS, columns, strict=True):
        if name not in INTEGER_COLUMNS:
            _align(texts)
    whose = [symbol for symbol, batch in pieces for _ in range(len(batch))]
    return [list(row) for row in zip(*[whose] * several, *columns, strict=True)]


def _align(texts: list[str]) -> None:
    shown = {index: Decimal(f"{float(text):.15g}") for index, text in enumerate(texts) if text != "-"}
    fractions = (f"{number:f}".partition(".")[2].rstrip("0") for number in shown.values())
    decimals = max(map(len, fractions), default=0)
    for index, number in shown.items():
        texts[index] = f"{number:.{decimals}f}"


# ── files of columns ─────────────────────────────────────────────────────────────────────────────────────────────────


def _schema(several: bool) -> Any:
    import pyarrow as pa

    kinds = {name: pa.int64() if name in INTEGER_COLUMNS else pa.float64() for name in COLUMNS}
    whose = {"symbol": pa.string()} if several else {}
    return pa.schema(list((whose | kinds | {"open_time": pa.timestamp("ms", "UTC")}).items()))


def _arrow(symbol: str, batch: CandleBatch, schema: Any) -> Any:
    """The batch with all columns, so that every piece of a file has the same ones."""
    import pyarrow as pa

    table = batch.to_arrow()
    table = table.append_column("symbol", pa.array([symbol] * len(batch), pa.string()))
    columns = [
        table[field.name] if field.name in table.column_names else pa.nulls(len(batch), field.type) for field in schema
    ]
    return pa.table(columns, schema=schema)


@contextmanager
def _parquet(out: IO[bytes], several: bool) -> Iterator[Write]:
    from pyarrow import parquet

    schema = _schema(several)
    with parquet.ParquetWriter(out, schema, compression="zstd") as file:
        yield lambda symbol, batch: file.write_table(_arrow(symbol, batch, schema))


@contextmanager
def _feather(out: IO[bytes], several: bool) -> Iterator[Write]:
    from pyarrow import ipc

    schema = _schema(several)
    with ipc.new_file(out, schema, options=ipc.IpcWriteOptions(compression="lz4")) as file:
        yield lambda symbol, batch: file.write_table(_arrow(symbol, batch, schema))
