"""The file that outlives processes."""

import json
import logging
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from candle_core.statistics import DAY, KeptStatistics
from candle_core.statistics.counts import Counts
from candle_core.statistics.histogram import Histogram
from candle_core.statistics.kept import DAYS

TODAY = 20_000 * DAY + 3_600_000
KEY = ("BINANCE", "candles")


def kept(path: Path, place: str = "") -> KeptStatistics:
    return KeptStatistics(path / "cache" / "statistics.sqlite3", lambda exchange: place)


def news(calls: int = 1) -> Counts:
    return Counts(
        calls=calls, rows=10, spent={"weight": 2.0}, errors={"TransientError": 1}, latency=Histogram({-50: 2})
    )


def test_counts_are_added_up(tmp_path: Path) -> None:
    assert kept(tmp_path).read(0) == ()
    assert not (tmp_path / "cache").exists(), "reading makes nothing"
    for calls in (1, 2):
        assert kept(tmp_path).add(TODAY, {KEY: news(calls), ("UPBIT", "tickers"): Counts(hits=4)}, False)
    binance, upbit = kept(tmp_path).read(TODAY)
    assert (binance.calls, binance.rows, binance.spent, binance.errors) == (3, 20, {"weight": 4}, {"TransientError": 2})
    assert (upbit.exchange, upbit.kind, upbit.hits, upbit.p50) == ("UPBIT", "tickers", 8, None)
    assert binance.p50 == pytest.approx(1.04**-50.5, rel=0.001)


def test_days_are_told_apart_and_forgotten_in_the_end(tmp_path: Path) -> None:
    for day in range(DAYS + 10):
        kept(tmp_path).add(TODAY + day * DAY, {KEY: news()}, False)
    last = TODAY + (DAYS + 9) * DAY
    assert [kept(tmp_path).read(last - back * DAY)[0].calls for back in (0, 1, 6)] == [1, 2, 7]
    assert kept(tmp_path).read(0)[0].calls == DAYS


def test_a_sandbox_is_counted_apart(tmp_path: Path) -> None:
    kept(tmp_path).add(TODAY, {KEY: news(1)}, False)
    kept(tmp_path, "127.0.0.1:8765").add(TODAY, {KEY: news(5)}, False)
    assert kept(tmp_path).read(0)[0].calls == 1
    assert kept(tmp_path, "127.0.0.1:8765").read(0)[0].calls == 5
    assert kept(tmp_path, "127.0.0.1:9999").read(0) == ()


def test_everything_survives_the_way_through_the_file(tmp_path: Path) -> None:
    full = Counts(1, 2, 3, 4, 5, 6, 7, 8.5, {"weight": 8.25}, {"X": 9}, Histogram({-10: 1, 10: 2}))
    assert Counts.of_json(json.loads(json.dumps(full.to_json()))).told(KEY) == full.told(KEY)
    kept(tmp_path).add(TODAY, {KEY: full}, False)
    assert kept(tmp_path).read(0) == (full.told(KEY),)


def test_while_another_process_writes_it_is_put_off(tmp_path: Path) -> None:
    file = kept(tmp_path)
    file.add(TODAY, {KEY: news()}, False)
    with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert not file.add(TODAY, {KEY: news()}, False)
        other.execute("ROLLBACK")
    assert file.add(TODAY, {KEY: news()}, False)
    assert file.read(0)[0].calls == 2


def test_a_file_that_cannot_be_used_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = kept(tmp_path)
    file.path.parent.mkdir()
    file.path.write_text("this is no database, and long enough to be sure of it" * 20)
    with caplog.at_level(logging.WARNING):
        assert file.add(TODAY, {KEY: news()}, False), "lost, not asked for again"
        assert file.add(TODAY, {KEY: news()}, True)
        assert file.read(0) == ()
    (record,) = caplog.records
    assert str(file.path) in record.getMessage()


def test_many_processes_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from candle_core.statistics import KeptStatistics\n"
        "from candle_core.statistics.counts import Counts\n"
        "file = KeptStatistics(pathlib.Path(sys.argv[1]), lambda exchange: '')\n"
        "for _ in range(50):\n"
        "    while not file.add(10**12, {('BINANCE', 'candles'): Counts(calls=1)}, False): pass\n"
    )
    path = tmp_path / "statistics.sqlite3"
    processes = [subprocess.Popen([sys.executable, "-c", script, str(path)]) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert KeptStatistics(path, lambda exchange: "").read(10**12)[0].calls == 150
