"""What saving and reading a candle costs: the SQLite backend beside SQLAlchemy's own upsert, into the same schema.

    python -m bench.storage [rows]

Each way starts from the same numpy columns and works on a file of its own; the ways take turns in one run, so that
whatever else the machine does falls on both.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Protocol

import numpy as np
from sqlalchemy import create_engine, event, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from candle_hookspecs import (
    COLUMNS,
    Answer,
    CandleBatch,
    Coverage,
    CoverageState,
    Evidence,
    LoadRead,
    Market,
    Registration,
    SaveWrite,
    Span,
)
from candle_sql.tables import candles, sources
from candle_sqlite import SqliteStorage
from candle_testkit.context import make_context

MINUTE = 60_000
ROUNDS = 3
BARS = {"fresh": 4.0, "same": 0.0, "changed": 2.0}
"""Changed rows: ours keeps what it replaces (decision 11 has the figures without), SQLAlchemy's upsert forgets it."""
MARKET = Market(
    archetype="CRYPTO", exchange="BINANCE", tradetype="SPOT", base="BTC", quote="USDT",
    native_id="BTCUSDT", ccxt_symbol="BTC/USDT",
)  # fmt: skip
SYMBOL = MARKET.symbol("1m")
SOURCE = "binance:rest"


def columns(rows: int, change: float = 0.0) -> CandleBatch:
    """Candles of one market; `change` makes three of the nine columns differ."""
    random = np.random.default_rng(7)
    low, spread, first, last = (np.round(random.random(rows) * scale, 2) for scale in (9e4, 40, 40, 40))
    volume = np.round(random.random(rows) * 100, 5)
    return CandleBatch(
        open_time=np.arange(rows, dtype=np.int64) * MINUTE,
        open=low + first, high=low + spread + change, low=low, close=low + last + change, volume=volume + change,
        quote_volume=volume * low, trades=random.integers(0, 5_000, rows), taker_buy_volume=volume / 2,
    )  # fmt: skip


class Way(Protocol):
    """One way to store candles in a fresh file."""

    def save(self, batch: CandleBatch, moment: int) -> None: ...
    def close(self) -> None: ...


class Ours:
    """`SqliteStorage.candle_save`, proof included: in one write, or ten pages a write as the collector does."""

    page = 0

    def __init__(self, folder: Path) -> None:
        self.storage = SqliteStorage(SqliteStorage.Settings(path=Path("ours.sqlite3")), make_context(folder))
        self.storage.candle_register([Registration(market=MARKET, timeframes=("1m",))])

    def save(self, batch: CandleBatch, moment: int) -> None:
        page = self.page or len(batch)
        pages = [self._answer(batch[low : low + page], moment) for low in range(0, len(batch), page)]
        for low in range(0, len(pages), 10):
            self.storage.candle_save(SaveWrite(answers=tuple(pages[low : low + 10])))

    def _answer(self, batch: CandleBatch, moment: int) -> Answer:
        span = Span(batch.first, batch.last + 1)
        fact = Coverage(span, CoverageState.ANSWERED, Evidence.ANCHORED, SOURCE, moment)
        return Answer(symbol=SYMBOL, source=SOURCE, answered_at=moment, batch=batch, coverage=(fact,))

    def close(self) -> None:
        self.storage.candle_close()


class Pages(Ours):
    """The same, ten pages of 1,000 candles a write."""

    page = 1_000


class Alchemy:
    """`insert().on_conflict_do_update`, executemany over dicts, into the table that `SqliteStorage` made."""

    def __init__(self, folder: Path) -> None:
        Ours(folder).close()
        self.engine = create_engine(f"sqlite:///{folder / 'ours.sqlite3'}")
        event.listen(self.engine, "connect", self._set_up)
        with self.engine.begin() as connection:
            connection.execute(insert(sources).values(id=1, name=SOURCE, rank=0))

    @staticmethod
    def _set_up(driver, _record) -> None:  # type: ignore[no-untyped-def]
        for pragma in ("synchronous = NORMAL", "foreign_keys = ON", "cache_size = -2000"):
            driver.execute(f"PRAGMA {pragma}")

    def save(self, batch: CandleBatch, moment: int) -> None:
        statement = upsert(candles)
        revised = {name: statement.excluded[name] for name in (*COLUMNS[1:], "answered_at", "source_id")}
        statement = statement.on_conflict_do_update(index_elements=["symbol_id", "open_time"], set_=revised)
        names = (*COLUMNS, "symbol_id", "answered_at", "source_id")
        values = (column.tolist() for column in batch.columns().values())
        rows = [dict(zip(names, (*row, 1, moment, 1), strict=True)) for row in zip(*values, strict=True)]
        with self.engine.begin() as connection:
            connection.execute(statement, rows)

    def close(self) -> None:
        self.engine.dispose()


WAYS: dict[str, Callable[[Path], Way]] = {"ours": Ours, "ours, pages": Pages, "SQLAlchemy": Alchemy}


def run(rows: int = 300_000) -> None:
    """Measure and print. About a minute for the default."""
    print(f"SQLite, {rows:,} candles of nine columns, thousand rows a second (median of {ROUNDS})\n")
    speeds = ingest(rows)
    print(f"{'':14}{'fresh':>10}{'same':>10}{'changed':>10}{'peak MB':>10}")
    for name in WAYS:
        figures = "".join(f"{speeds[name, step] / 1e3:10,.0f}" for step in BARS)
        print(f"{name:14}{figures}{peak(name, rows):10,.0f}")
    for step, bar in BARS.items():
        ratio = speeds["ours", step] / speeds["SQLAlchemy", step]
        verdict = "" if not bar else f", the bar is {bar:.0f} x: {'held' if ratio >= bar else 'MISSED'}"
        print(f"{step}: {ratio:.1f} x{verdict}")
    print()
    for name, speed in reading(rows).items():
        print(f"read, {name:32}{speed / 1e3:8,.0f}")


def ingest(rows: int) -> dict[tuple[str, str], float]:
    """Rows a second by way and step."""
    steps = {"fresh": (columns(rows), 1), "same": (columns(rows), 2), "changed": (columns(rows, 1.0), 3)}
    taken: dict[tuple[str, str], list[float]] = {key: [] for key in product(WAYS, BARS)}
    for _ in range(ROUNDS):
        for name, make in WAYS.items():
            with tempfile.TemporaryDirectory() as folder:
                way = make(Path(folder))
                for step, (batch, moment) in steps.items():
                    taken[name, step].append(seconds(lambda: way.save(batch, moment)))  # noqa: B023 - called at once
                way.close()
    return {key: rows / statistics.median(times) for key, times in taken.items()}


def reading(rows: int) -> dict[str, float]:
    """Rows a second into numpy columns."""
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(Path(folder))
        ours.save(columns(rows), 1)
        engine = create_engine(f"sqlite:///{Path(folder) / 'ours.sqlite3'}")
        statement = select(*(candles.c[name] for name in COLUMNS)).where(candles.c.symbol_id == 1)

        def fetchall() -> None:
            with engine.connect() as connection:
                driver = connection.connection.cursor()
                driver.execute(str(statement.compile(engine, compile_kwargs={"literal_binds": True})))
                CandleBatch.from_columns(dict(zip(COLUMNS, zip(*driver.fetchall(), strict=True), strict=True)))

        def alchemy() -> None:
            with engine.connect() as connection:
                found = connection.execute(statement).all()
                CandleBatch.from_columns(dict(zip(COLUMNS, zip(*found, strict=True), strict=True)))

        ways = {
            "ours (candle_load)": lambda: ours.storage.candle_load(LoadRead(symbol=SYMBOL)),
            "stdlib fetchall, then numpy": fetchall,
            "SQLAlchemy all(), then numpy": alchemy,
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _, (name, way) in product(range(ROUNDS), ways.items()):
            taken[name].append(seconds(way))
        engine.dispose()
        ours.close()
    return {name: rows / statistics.median(times) for name, times in taken.items()}


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak(name: str, rows: int) -> float:
    """Megabytes resident at most in a process that imports, holds the columns and saves them fresh."""
    code = (
        "import pathlib, sys, tempfile\n"
        "from bench.storage import WAYS, columns\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    way = WAYS[sys.argv[1]](pathlib.Path(folder))\n"
        "    way.save(columns(int(sys.argv[2])), 1)\n"
        "    way.close()\n"
        "status = pathlib.Path('/proc/self/status').read_text()\n"  # getrusage would tell the parent's peak
        "print(status.split('VmHWM:')[1].split()[0])\n"
    )
    command = [sys.executable, "-c", code, name, str(rows)]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024 / 1e6


if __name__ == "__main__":
    run(*map(int, sys.argv[1:2]))
