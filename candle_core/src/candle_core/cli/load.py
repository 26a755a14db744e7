"""``candle load``: read what is stored, as a table or a file."""

import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import click

from candle_core.cli.common import Session, Target, check_range, command, range_options
from candle_core.cli.export import SUFFIXES, atomic, need_arrow, writer
from candle_core.cli.running import run_async
from candle_hookspecs import BadInputError, CandleBatch, Candles, iso

CHUNK: Final = 20_000
"""Candles in memory at once."""


@dataclass(slots=True)
class Tally:
    """What went by: how many candles, the open times of the first and the last."""

    rows: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, batch: CandleBatch) -> None:
        """Count a batch in."""
        if len(batch):
            self.rows += len(batch)
            self.first = batch.first if self.first is None else min(self.first, batch.first)
            self.last = batch.last if self.last is None else max(self.last, batch.last)

    def document(self) -> dict[str, Any]:
        """The same for ``--json``."""
        edges = {"first": self.first, "last": self.last}
        return {"rows": self.rows} | {name: None if edge is None else iso(edge) for name, edge in edges.items()}


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read."""

    target: Target
    start: str | None
    end: str | None
    count: int | None
    as_of: str | None
    fill: str
    adjust: str

    async def batches(self, candles: Candles) -> AsyncIterator[tuple[str, CandleBatch]]:
        """The candles of one symbol after the other, in order, never more than `CHUNK` at once.

        Each symbol comes once at least, and is asked for before the first is given, so that an unknown one is told
        before anything is written.
        """
        if len(self.target.symbols) > 1:
            for symbol in self.target.symbols:
                await candles.load(**self._where(symbol), count=1, columns=())
        for symbol in self.target.symbols:
            given = False
            async for batch in self._of(candles, symbol):
                given = True
                yield symbol, batch
            if not given:
                yield symbol, CandleBatch.empty()

    async def _of(self, candles: Candles, symbol: str) -> AsyncIterator[CandleBatch]:
        where = self._where(symbol)
        left, start = self.count, self.start
        if left is not None and start is None:  # the newest: find out where they begin
            newest = await candles.load(**where, count=left, columns=())
            start = iso(newest.first) if len(newest) else None
        while left is None or left > 0:
            wanted = CHUNK if left is None else min(CHUNK, left)
            batch = await candles.load(**where, start=start or 0, count=wanted)
            if len(batch):
                yield batch
            if len(batch) < wanted:
                return
            start = iso(batch.last + 1)
            left = None if left is None else left - len(batch)

    def _where(self, symbol: str) -> dict[str, Any]:
        return {
            "symbol": symbol,
            "timeframe": self.target.timeframe,
            "exchange": self.target.exchange,
            "tradetype": self.target.tradetype,
            "end": self.end,
            "as_of": self.as_of,
            "fill": self.fill,
            "adjust": self.adjust,
        }


@command
@click.argument("words", nargs=-1, required=True, metavar="EXCHANGE [TRADETYPE] SYMBOL... TIMEFRAME")
@range_options("The newest N candles, or the first N from --start on.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "ndjson", "parquet", "feather"]),
    help="[default: what FILE's name says, else table]",
)
@click.option("--as-of", metavar="TIME", help="As it was known then, by what the exchange had answered.")
@click.option(
    "--fill",
    type=click.Choice(["none", "flat"]),
    default="none",
    show_default=True,
    help="flat: a candle at the close before, without volume, where it is proven that nothing was traded.",
)
@click.option(
    "--adjust",
    type=click.Choice(["raw", "splits", "all"]),
    default="raw",
    show_default=True,
    help="splits: in today's shares. all: dividends reinvested as well.",
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Write here; the file appears when whole."
)
def load(
    session: Session,
    words: tuple[str, ...],
    start: str | None,
    end: str | None,
    count: int | None,
    form: str | None,
    as_of: str | None,
    fill: str,
    adjust: str,
    output: Path | None,
) -> int:
    """Read stored candles; nobody is asked for more. `candle collect` fetches them first.

    A timeframe that is not stored is made of a finer one that is. Several symbols come one after the other, with a
    column that names them. A long table shows its beginning and its end; the other formats give every candle, in
    bounded memory.

    \b
    Examples:
      candle load BINANCE SPOT BTC/USDT 1m --count 20
      candle load BINANCE SPOT BTC/USDT 1m --start 2024-01-01 --end 2024-02-01 --format csv | head
      candle load BINANCE SPOT BTC/USDT 1m -o btc.parquet
      candle load BINANCE SPOT BTC/USDT 1d --as-of 2024-01-31T12:00
      candle load BINANCE SPOT BTC/USDT ETH/USDT 7m --fill flat -o both.parquet
      candle load NASDAQ AAPL 1w --adjust all
    """
    target = Target.of(words)
    reading = Reading(target, start, end, count, as_of, fill, adjust)
    check_range(start, end)
    check_range(as_of, None)
    chosen = _format(session, form, output)
    tally = run_async(_load(session, reading, chosen, output))
    if session.as_json and output is not None:
        session.emit({"file": str(output), "format": chosen} | tally.document())
    elif output is not None:
        session.note(f"wrote {tally.rows:,} candles to {output}")
    if not tally.rows:
        session.note("candle: no candles are stored in this range; `candle collect` fetches them")
    return 0


def _format(session: Session, form: str | None, output: Path | None) -> str:
    """The format meant by what was typed.

    Raises:
        BadInputError: the options contradict each other, or the format needs what is absent.
    """
    if session.as_json and output is None:
        if form is not None:
            raise BadInputError(f"--json and --format {form} both want standard output; add -o FILE for the candles")
        return "json"
    form = form or (SUFFIXES.get(output.suffix.lower(), "table") if output else "table")
    if output and form == "table":
        raise BadInputError(f"in which format is {str(output)!r}? name it *.csv, *.parquet or so, or give --format")
    if form in ("parquet", "feather"):
        need_arrow(form)
        if output is None and sys.stdout.isatty():
            raise BadInputError(f"{form!r} is not for a terminal; write it to a file with -o FILE")
    return form


async def _load(session: Session, reading: Reading, form: str, output: Path | None) -> Tally:
    import candle_core

    tally = Tally()
    async with candle_core.open(session.config) as candles:
        batches = reading.batches(candles)
        part = await anext(batches, None)  # an error comes before the first byte is written
        with _output(form, output) as out, writer(form, out, reading.target) as write:
            while part is not None:
                tally.add(part[1])
                write(*part)
                part = await anext(batches, None)
    return tally


@contextmanager
def _output(form: str, file: Path | None) -> Iterator[IO[bytes]]:
    """Where the bytes go. A JSON document waits until it is whole, so that an error never leaves half of one."""
    if file is not None:
        with atomic(file) as out:
            yield out
    elif form == "json":
        with tempfile.TemporaryFile() as whole:
            yield whole
            whole.seek(0)
            shutil.copyfileobj(whole, sys.stdout.buffer)
    else:
        yield sys.stdout.buffer
    sys.stdout.buffer.flush()
