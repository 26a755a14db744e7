"""What saving and reading a candle costs in Postgres, beside the ways that suggest themselves, into the same schema.

    python -m bench.postgres [rows] [rows read]

A server is started for it, or ``CANDLE_TEST_POSTGRES_URL`` names one. Each way starts from the same numpy columns and
works on a database of its own; the ways take turns in one run, so that whatever else the machine does falls on all.
"""

import statistics
import sys
import threading
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Protocol

import numpy as np
import psycopg
from pydantic import SecretStr
from sqlalchemy import create_engine, insert
from sqlalchemy.dialects.postgresql import insert as upsert

from bench.storage import MARKET, MINUTE, SOURCE, SYMBOL, columns, seconds
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
    Symbol,
)
from candle_postgres import PostgresStorage
from candle_sql.tables import candles, sources
from candle_testkit.context import make_context
from storage_backends.postgres.tests.server import any_server, create_database, drop_database

ROUNDS = 3
STEPS = ("fresh", "same", "changed")
BARS = {"SQLAlchemy": 5.0, "bare COPY": 0.7}
READ_BAR = 3.0


class Way(Protocol):
    """One way to store candles in a fresh database."""

    def save(self, batch: CandleBatch, moment: int) -> None: ...
    def close(self) -> None: ...


def page_of(batch: CandleBatch, moment: int, symbol: Symbol = SYMBOL) -> Answer:
    """An answer with its proof."""
    fact = Coverage(Span(batch.first, batch.last + 1), CoverageState.ANSWERED, Evidence.ANCHORED, SOURCE, moment)
    return Answer(symbol=symbol, source=SOURCE, answered_at=moment, batch=batch, coverage=(fact,))


class Ours:
    """`PostgresStorage.candle_save`, proof and revisions included: in one write, or ten pages a write."""

    page = 0

    def __init__(self, url: str) -> None:
        settings = PostgresStorage.Settings(url=SecretStr(url))
        self.storage = PostgresStorage(settings, make_context(Path(), "postgres"))
        self.storage.candle_register([Registration(market=MARKET, timeframes=("1m",))])

    def save(self, batch: CandleBatch, moment: int) -> None:
        page = self.page or len(batch)
        pages = [page_of(batch[low : low + page], moment) for low in range(0, len(batch), page)]
        for low in range(0, len(pages), 10):
            self.storage.candle_save(SaveWrite(answers=tuple(pages[low : low + 10])))

    def close(self) -> None:
        self.storage.candle_close()


class Pages(Ours):
    """The same, ten pages of 1,000 candles a write."""

    page = 1_000


class Alchemy:
    """`insert().on_conflict_do_update`, executemany over dicts, into the table that `PostgresStorage` made."""

    def __init__(self, url: str) -> None:
        Ours(url).close()
        self.engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with self.engine.begin() as connection:
            connection.execute(insert(sources).values(id=1, name=SOURCE, rank=0))

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


class Copy:
    """A bare COPY of ready frames into the same table: no question asked, no proof, no conflict possible."""

    def __init__(self, url: str) -> None:
        Ours(url).close()
        self.driver = psycopg.connect(url)

    def save(self, batch: CandleBatch, moment: int) -> None:
        names = ("symbol_id", *COLUMNS, "answered_at", "source_id")
        small = np.ones(len(batch), np.int32)
        given = [small, *batch.columns().values(), np.full(len(batch), moment), small]
        fields = [(f"size {name}", ">i4") if part == "size" else (name, column.dtype.newbyteorder(">"))
                  for name, column in zip(names, given, strict=True) for part in ("size", "value")]  # fmt: skip
        rows = np.empty(len(batch), np.dtype([("fields", ">i2"), *fields]))
        rows["fields"] = len(names)
        for name, column in zip(names, given, strict=True):
            rows[f"size {name}"], rows[name] = column.itemsize, column
        with self.driver.cursor().copy(f"COPY candles ({', '.join(names)}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
            copy.write(rows.tobytes())
            copy.write(b"\xff\xff")
        self.driver.commit()

    def close(self) -> None:
        self.driver.close()


WAYS: dict[str, tuple[Callable[[str], Way], tuple[str, ...]]] = {
    "ours": (Ours, STEPS),
    "ours, pages": (Pages, STEPS),
    "SQLAlchemy": (Alchemy, ("fresh", "same")),
    "bare COPY": (Copy, ("fresh",)),
}


def run(rows: int = 100_000, read: int = 1_000_000) -> None:
    """Measure and print. About a minute for the defaults."""
    with any_server() as server:
        print(f"Postgres, {rows:,} candles of nine columns, thousand rows a second (median of {ROUNDS})\n")
        speeds = ingest(server, rows)
        print(f"{'':14}{''.join(f'{step:>10}' for step in STEPS)}")
        for name in WAYS:
            figures = (f"{speeds[name, step] / 1e3:10,.0f}" if (name, step) in speeds else f"{'':10}" for step in STEPS)
            print(f"{name:14}{''.join(figures)}")
        missed = [
            told(f"fresh, ours / {name}", speeds["ours", "fresh"] / speeds[name, "fresh"], bar)
            for name, bar in BARS.items()
        ]
        print()
        found = reading(server, read)
        for name, speed in found.items():
            print(f"read of {read:,} rows, {name:32}{speed / 1e3:8,.0f}")
        ours, plain, *_ = found.values()
        missed.append(told("read, ours / fetchall()", ours / plain, READ_BAR))
        print()
        for count, speed in writing(server, rows).items():
            print(f"{count} writers at once, pages of 1,000{speed / 1e3:10,.0f}")
        print(f"a minute of 1,000 symbols in one write{live_minute(server) * 1e3:8,.0f} ms")
    if any(missed):
        raise SystemExit("; ".join(filter(None, missed)))


def told(what: str, ratio: float, bar: float) -> str:
    """Print a ratio; what is missed, if it is."""
    verdict = f"{what}: {ratio:.2f} x, the bar is {bar:g} x"
    print(f"{verdict}: {'held' if ratio >= bar else 'MISSED'}")
    return "" if ratio >= bar else verdict


def ingest(server: str, rows: int) -> dict[tuple[str, str], float]:
    """Rows a second by way and step."""
    batches = {"fresh": (columns(rows), 1), "same": (columns(rows), 2), "changed": (columns(rows, 1.0), 3)}
    taken: dict[tuple[str, str], list[float]] = {}
    for _, (name, (make, steps)) in product(range(ROUNDS), WAYS.items()):
        url = create_database(server)
        way = make(url)
        for step in steps:
            batch, moment = batches[step]
            taken.setdefault((name, step), []).append(seconds(lambda: way.save(batch, moment)))  # noqa: B023
        way.close()
        drop_database(server, url)
    return {key: rows / statistics.median(times) for key, times in taken.items()}


def reading(server: str, rows: int) -> dict[str, float]:
    """Rows a second into numpy columns."""
    url = create_database(server)
    ours = Ours(url)
    ours.save(columns(rows), 1)
    with psycopg.connect(url, autocommit=True) as driver:
        driver.execute("VACUUM (ANALYZE) candles")
        query = f"SELECT {', '.join(COLUMNS)} FROM candles WHERE symbol_id = 1 ORDER BY open_time"

        def fetchall(*, binary: bool) -> None:
            found = driver.execute(query, binary=binary).fetchall()
            CandleBatch.from_columns(dict(zip(COLUMNS, zip(*found, strict=True), strict=True)))

        ways = {
            "ours (candle_load)": lambda: ours.storage.candle_load(LoadRead(symbol=SYMBOL)),
            "fetchall(), then numpy": lambda: fetchall(binary=False),
            "the same, binary": lambda: fetchall(binary=True),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _, (name, way) in product(range(ROUNDS), ways.items()):
            taken[name].append(seconds(way))
    ours.close()
    drop_database(server, url)
    return {name: rows / statistics.median(times) for name, times in taken.items()}


def writing(server: str, rows: int) -> dict[int, float]:
    """Rows a second in all by the number of threads that save pages of symbols of their own."""
    speeds: dict[int, float] = {}
    for count in (1, 2, 3, 4, 6):
        url = create_database(server)
        ours = Pages(url)
        symbols = [market(number).symbol("1m") for number in range(count)]
        ours.storage.candle_register([Registration(market=market(n), timeframes=("1m",)) for n in range(count)])
        batch = columns(rows // count)

        def work(symbol: Symbol) -> None:
            for low in range(0, len(batch), 1_000):  # noqa: B023 - joined below
                page = page_of(batch[low : low + 1_000], 1, symbol)  # noqa: B023
                ours.storage.candle_save(SaveWrite(answers=(page,)))  # noqa: B023

        threads = [threading.Thread(target=work, args=(symbol,)) for symbol in symbols]

        def together() -> None:
            for thread in threads:  # noqa: B023
                thread.start()
            for thread in threads:  # noqa: B023
                thread.join()

        speeds[count] = rows / seconds(together)
        ours.close()
        drop_database(server, url)
    return speeds


def live_minute(server: str) -> float:
    """Seconds to save one fresh candle of each of a thousand symbols, with proof."""
    url = create_database(server)
    ours = Ours(url)
    listed = [market(number) for number in range(1_000)]
    ours.storage.candle_register([Registration(market=one, timeframes=("1m",)) for one in listed])
    history = columns(20)
    writes = [
        SaveWrite(answers=tuple(page_of(history[n : n + 1], 1 + n * MINUTE, one.symbol("1m")) for one in listed))
        for n in range(20)
    ]
    taken = [seconds(lambda: ours.storage.candle_save(write)) for write in writes]  # noqa: B023 - called at once
    ours.close()
    drop_database(server, url)
    return statistics.median(taken)


def market(number: int) -> Market:
    """One of many."""
    base = f"B{number}"
    return Market(
        archetype="CRYPTO", exchange="EXAMPLE", tradetype="SPOT", base=base, quote="USDT",
        native_id=f"{base}USDT", ccxt_symbol=f"{base}/USDT",
    )  # fmt: skip


if __name__ == "__main__":
    run(*map(int, sys.argv[1:3]))
