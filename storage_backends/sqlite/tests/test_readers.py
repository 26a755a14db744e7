"""One process writes, eight read, and upkeep goes on: nobody is told that the database is locked.

CANDLE_TEST_READING_SECONDS sets for how long, 5 if it is not set.
"""

import itertools
import os
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from candle_hookspecs import (
    CoverageQuery,
    LoadRead,
    MaintenanceTask,
    Registration,
    SaveReceipt,
    SaveWrite,
    Span,
    SymbolQuery,
)
from candle_sqlite import SqliteStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import BTC, SYMBOL, answer, candles, span
from candle_testkit.processes import Nursery

SECONDS = float(os.environ.get("CANDLE_TEST_READING_SECONDS", "5"))
READERS = 8
PAGE = 500
TURNS = 10  # the least that each does, however little time it was given
REOPEN = 100  # reads, after which a reader closes the file and opens it again


def opened(folder: Path) -> SqliteStorage:
    return SqliteStorage(SqliteStorage.Settings(), make_context(folder, "sqlite"))


def write(pipe: Connection, folder: Path) -> None:
    """Save page behind page, word an earlier one anew, do upkeep now and then; until told to stop."""
    storage = opened(folder)
    tasks = itertools.cycle(MaintenanceTask)
    for page in itertools.count(1):
        if page > TURNS and pipe.poll():
            break
        save(storage, page, price=1, at=1)
        save(storage, page // 2, price=page, at=page)
        if page % 10 == 0:
            storage.candle_maintain(next(tasks))
    storage.candle_close()
    pipe.send(page)


def save(storage: SqliteStorage, page: int, *, price: float, at: int) -> SaveReceipt:
    """A whole page in one transaction, all of its candles of one price level."""
    low, high = page * PAGE, (page + 1) * PAGE
    one = answer(candles(range(low, high), price), at, proven=span(low, high))
    receipt: SaveReceipt = storage.candle_save(SaveWrite(answers=(one,)))
    return receipt


def read(pipe: Connection, folder: Path, number: int) -> None:
    """Look at everything by turns until told to stop; tells how long each look took, in seconds."""
    storage, looks = opened(folder), itertools.cycle((look_at_rows, look_at_proof, look_at_counts, look_at_the_past))
    for _ in range(number):
        next(looks)  # not all at the same
    took: list[float] = []
    while len(took) < TURNS or not pipe.poll():
        start = time.perf_counter()
        next(looks)(storage)
        took.append(time.perf_counter() - start)
        if len(took) % REOPEN == 0:
            storage.candle_close()
            storage = opened(folder)
    storage.candle_close()
    pipe.send(took)


def look_at_rows(storage: SqliteStorage) -> None:
    """A page is seen as one answer gave it."""
    newest = storage.candle_load(LoadRead(symbol=SYMBOL, limit=4 * PAGE, newest_first=True))
    for page in pages(newest.last):
        batch = storage.candle_load(LoadRead(symbol=SYMBOL, span=page))
        levels = batch.open - np.rint((batch.open_time - page.start) / 60_000) / 7
        assert len(batch) == PAGE
        assert np.allclose(levels, levels[0]), "rows of two answers in one read"


def pages(newest: int) -> Iterator[Span]:
    """The newest page and the one in the middle, which is just being worded anew."""
    last = (newest - span(0, 1).start) // 60_000 // PAGE
    for page in {last, last // 2}:
        yield span(page * PAGE, (page + 1) * PAGE)


def look_at_proof(storage: SqliteStorage) -> None:
    """No fact without its rows, whatever was committed between the two reads."""
    facts = storage.candle_coverage(CoverageQuery(symbol=SYMBOL))
    counted = storage.candle_count(LoadRead(symbol=SYMBOL))
    assert counted % PAGE == 0, "half a write was seen"
    assert max(fact.span.end for fact in facts) <= span(0, counted).end


def look_at_counts(storage: SqliteStorage) -> None:
    """The statistics agree with each other."""
    (record,) = storage.candle_symbols(SymbolQuery(statistics=True))
    assert record.rows is not None
    assert (record.first, record.last) == (span(0, 1).start, span(record.rows - 1, record.rows).start)


def look_at_the_past(storage: SqliteStorage) -> None:
    """What the first answers said stays known."""
    batch = storage.candle_load(LoadRead(symbol=SYMBOL, span=span(0, PAGE), as_of=1))
    assert batch == candles(range(PAGE), price=1)


def test_one_writer_and_eight_readers(tmp_path: Path) -> None:
    storage = opened(tmp_path)
    storage.candle_register([Registration(market=BTC, timeframes=("1m",))])
    save(storage, 0, price=1, at=1)
    storage.candle_close()
    with Nursery(write) as writers, Nursery(read) as readers:
        writer = writers.fork(tmp_path)
        reading = [readers.fork(tmp_path, number) for number in range(READERS)]
        time.sleep(SECONDS)
        for child in reading:
            child.tell("stop")
        looks = [child.hear() for child in reading]  # while the writer is still at it
        writer.tell("stop")
        written = writer.hear()
    took = np.sort(np.concatenate(looks))
    slow = {f"p{share}": f"{np.percentile(took, share) * 1e3:.1f} ms" for share in (50, 99, 100)}
    print(f"{written * 2} writes of {PAGE} rows, {len(took)} looks by {READERS} processes in {SECONDS:g} s: {slow}")
    storage = opened(tmp_path)
    assert storage.candle_count(LoadRead(symbol=SYMBOL)) == written * PAGE
    assert storage.candle_maintain(MaintenanceTask.CHECK).problems == ()
    storage.candle_close()
