"""What imported rows prove, whatever their shape; what is closed by the clock; a bound on memory."""

import asyncio
import csv
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import candle_core
from candle_core.coverage import Runs
from candle_core.importing import files as candle_files
from candle_core.importing.names import NamedFor, read_name
from candle_core.timeframes import Grid
from candle_hookspecs import REQUIRED_COLUMNS, CandleBatch, Evidence, to_ms

MINUTE = 60_000
CONFIG = {"storage": {"backend": "memory"}, "defaults": {"exchange": "FAKE", "tradetype": "SPOT"}}


def batch(open_times: list[int]) -> CandleBatch:
    return CandleBatch.from_columns(dict.fromkeys(REQUIRED_COLUMNS, open_times))


@given(slots=st.sets(st.integers(0, 60)), astray=st.sets(st.integers(0, 59)), cut=st.integers(0, 60))
def test_a_slot_is_proven_if_and_only_if_it_has_a_row(slots: set[int], astray: set[int], cut: int) -> None:
    moments = sorted({slot * MINUTE for slot in slots} | {slot * MINUTE + 31_000 for slot in astray})
    runs = Runs(Grid.of("1m"), "import", 0)
    parts = [part for part in (moments[:cut], moments[cut:]) if part]
    facts = [fact for part in parts for fact in runs.facts(batch(part))]
    proven = {slot for slot in range(-1, 62) if any(slot * MINUTE in fact.span for fact in facts)}
    assert proven == slots
    assert all(fact.evidence is Evidence.IMPORTED for fact in facts)


def test_neighbours_in_two_batches_make_facts_that_touch() -> None:
    runs = Runs(Grid.of("1M"), "import", 0)
    january, february, march, june = (to_ms(f"2024-0{month}-01") for month in (1, 2, 3, 6))
    first, second = ([fact.span for fact in runs.facts(batch(part))] for part in ([january, february], [march, june]))
    assert [(span.start, span.end) for span in first] == [(january, february + 1)]
    assert [(span.start, span.end) for span in second] == [(february + 1, march + 1), (june, june + 1)]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("binance/BTC_USDT-1m.feather", NamedFor("BINANCE", "SPOT", "BTC/USDT", "1m")),
        ("okx/futures/BTC_USDT_USDT-4h-futures.feather", NamedFor("OKX", "SWAP", "BTC/USDT:USDT", "4h")),
        ("x/1000SATS_USDT-1M.parquet", NamedFor("X", "SPOT", "1000SATS/USDT", "1M")),
        ("a/BTCUSDT-1m-2024-01.csv", NamedFor(symbol="BTCUSDT", timeframe="1m")),
        ("a/BTCUSDT-1mo-2024-01-31.csv.gz", NamedFor(symbol="BTCUSDT", timeframe="1M")),
        ("a/candles.csv", NamedFor()),
    ],
)
def test_names(name: str, told: NamedFor) -> None:
    assert read_name(Path("/data") / name) == told


def write(path: Path, times: list[int]) -> Path:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "open", "high", "low", "close", "volume"])
        rows.writerows([time, 1, 2, 1, 1, 5] for time in times)
    return path


async def test_a_candle_that_is_open_by_the_clock(tmp_path: Path, clock: Any, exchange: Any) -> None:
    now = to_ms("2023-11-14T12:00:30")
    clock.ms = now
    file = write(tmp_path / "my.csv", [now // MINUTE * MINUTE + offset * MINUTE for offset in (-2, -1, 0)])
    seen: list[tuple[int, int | None]] = []
    async with candle_core.open(CONFIG, clock=clock) as candles:
        done = await candles.import_candles(
            file, "BTC/USDT", "1m", progress_callback=lambda rows, total: seen.append((rows, total))
        )
        kept = await candles.load("BTC/USDT", "1m")
    assert (done.rows, done.still_open, done.saved.inserted) == (3, 1, 2)
    assert kept.last == to_ms("2023-11-14T11:59")
    assert done.time_range[1] == datetime(2023, 11, 14, 12, 1, tzinfo=UTC)
    assert seen == [(3, None), (3, 3)]


async def test_the_blocking_twin_and_a_whole_symbol(tmp_path: Path, exchange: Any) -> None:
    start = to_ms("2023-11-01")
    file = write(tmp_path / "my.csv", [start, start + MINUTE])
    with candle_core.blocking.open(CONFIG) as candles:
        done = candles.import_candles(str(file), "CRYPTO-FAKE-SPOT-BTC-USDT-1m")
        assert done.saved.inserted == 2
        slots = candles.slots("BTC/USDT", "1m", start=start, end=start + 3 * MINUTE)
    assert (slots.filled, slots.proven_empty, slots.missing) == (2, 0, 1)


@pytest.mark.parametrize("storing", [False, True], ids=["while it is checked", "while it is stored"])
async def test_it_stops_when_cancelled_and_may_be_repeated(
    tmp_path: Path, exchange: Any, monkeypatch: pytest.MonkeyPatch, storing: bool
) -> None:
    monkeypatch.setattr(candle_files, "BATCH_ROWS", 100)
    start = to_ms("2023-11-01")
    file = write(tmp_path / "my.csv", [start + minute * MINUTE for minute in range(5_000)])

    def stop(done: int, rows: int | None) -> None:
        if done >= 1_000 and (rows is not None) is storing:
            task.cancel()

    async with candle_core.open(CONFIG) as candles:
        task = asyncio.ensure_future(candles.import_candles(file, "BTC/USDT", "1m", progress_callback=stop))
        with pytest.raises(asyncio.CancelledError):
            await task
        again = await candles.import_candles(file, "BTC/USDT", "1m")
    assert again.saved.inserted + again.saved.unchanged == 5_000
    assert (1_000 <= again.saved.unchanged < 5_000) is storing


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candle_files, "_BLOCK", 1 << 14)  # so that dozens of blocks are little beside these files

    files = {}
    for rows in (1_000, 20_000, 80_000):
        files[rows] = tmp_path / f"{rows}.csv"
        times = np.arange(rows, dtype=np.int64) * MINUTE + to_ms("2020-01-01")
        table = np.column_stack([times, *np.broadcast_to([[1], [3], [1], [2], [5]], (5, rows))])
        header = "time,open,high,low,close,volume"
        np.savetxt(files[rows], table, fmt="%d", delimiter=",", header=header, comments="")

    def imported(rows: int) -> None:
        with candle_core.blocking.open({"storage": {"path": f"{files[rows]}.sqlite3"}}) as candles:
            options: dict[str, Any] = {"exchange": "BINANCE", "tradetype": "SPOT", "offline": True}
            assert candles.import_candles(files[rows], "BTC/USDT", "1m", **options).rows == rows

    imported(1_000)  # what is loaded once is loaded
    few, many = (peaks(partial(imported, rows)) for rows in (20_000, 80_000))
    columns = (80_000 - 20_000) * len(REQUIRED_COLUMNS) * 8
    assert all(more - less < columns / 4 for less, more in zip(few, many, strict=True)), (few, many)


def peaks(work: Callable[[], None]) -> tuple[int, int]:
    """How many bytes Python, and Arrow, had at most meanwhile."""
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1], pool.max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)
