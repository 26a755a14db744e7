"""Several processes at once, and processes that are killed."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psycopg
import pytest

from candle_hookspecs import CoverageQuery, LoadRead, MaintenanceTask, Registration, SaveReceipt, SaveWrite, SymbolQuery
from candle_postgres import PostgresStorage
from candle_testkit.contracts.storage.harness import MINUTE, SYMBOL, answer, candles, market, span

Opener = Callable[..., PostgresStorage]

HEAD = """
import sys
from pathlib import Path
from candle_hookspecs import Registration, SaveWrite
from candle_postgres import PostgresStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import BTC, SYMBOL, answer, candles, market, span

storage = PostgresStorage(PostgresStorage.Settings(url=sys.argv[1]), make_context(Path("."), "postgres"))
number = int(sys.argv[2])
"""

OPEN_AND_SAVE = (
    HEAD
    + """
sys.stdin.read()
storage.candle_register([Registration(market=BTC, timeframes=("1m", f"{number}h"))])
for page in range(5):
    first = (number * 5 + page) * 100
    storage.candle_save(
        SaveWrite(answers=(answer(candles(range(first, first + 100)), at=1, proven=span(first, first + 100)),))
    )
storage.candle_close()
"""
)

QUARREL = (
    HEAD
    + """
import random
dice = random.Random(number)
symbols = [market(f"B{index}").symbol("1m") for index in range(8)]
sys.stdin.read()
for moment in range(number, 60, 4):
    chosen = dice.sample(symbols, 5)  # in any order
    storage.candle_save(SaveWrite(answers=tuple(
        answer(candles(range(40), price=moment + 1), at=moment + 1, source=f"source:{moment % 7}", symbol=one)
        for one in chosen
    )))
    print(moment + 1, *(symbols.index(one) for one in chosen))
    storage.candle_register([Registration(market=market(f"N{moment % 5}"), timeframes=("1m", "1h"))])
storage.candle_close()
"""
)

WRITE_UNTIL_KILLED = (
    HEAD
    + """
storage.candle_register([Registration(market=BTC, timeframes=("1m",))])
page = number
while True:
    pages = [(first, first + 700) for first in range(page * 2100, page * 2100 + 2100, 700)]
    storage.candle_save(
        SaveWrite(answers=tuple(answer(candles(range(*one)), at=1, proven=span(*one)) for one in pages))
    )
    page += 1
    print(page, flush=True)
"""
)


def start(code: str, url: str, number: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, url, str(number)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_together(code: str, url: str, count: int) -> list[str]:
    """What each of them printed. They begin at once, when their standard input ends."""
    processes = [start(code, url, number) for number in range(count)]
    time.sleep(1.5)
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    told = [process.communicate(timeout=120) for process in processes]
    for process, (_, error) in zip(processes, told, strict=True):
        assert process.returncode == 0, error
    return [output for output, _ in told]


@pytest.mark.slow
def test_processes_that_open_an_empty_database_together(open_storage: Opener, url: str) -> None:
    run_together(OPEN_AND_SAVE, url, 4)
    storage = open_storage()
    assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles(range(2_000))
    assert len(storage.candle_coverage(CoverageQuery(symbol=SYMBOL))) == 20
    assert len(storage.candle_symbols(SymbolQuery(base="BTC"))) == 5
    assert storage.candle_maintain(MaintenanceTask.CHECK).problems == ()


@pytest.mark.slow
def test_processes_that_write_the_same_symbols_lose_nothing_and_do_not_stand_in_each_others_way(
    open_storage: Opener, url: str
) -> None:
    storage = open_storage()
    listed = [market(f"B{index}") for index in range(8)]
    storage.candle_register([Registration(market=one, timeframes=("1m",)) for one in listed])
    told = run_together(QUARREL, url, 4)
    latest = dict.fromkeys(range(8), 0)
    for line in (line for output in told for line in output.splitlines()):
        moment, *chosen = map(int, line.split())
        latest |= {index: max(latest[index], moment) for index in chosen}
    for index, moment in latest.items():
        assert storage.candle_load(LoadRead(symbol=listed[index].symbol("1m"))) == candles(range(40), price=moment)
    with psycopg.connect(url) as anyone:
        names = "archetype, exchange, tradetype, base, quote, contract"
        assert anyone.execute(f"SELECT 1 FROM markets GROUP BY {names} HAVING count(*) > 1").fetchall() == []
        (markets,) = anyone.execute("SELECT count(*) FROM markets WHERE base LIKE 'N%'").fetchone() or (0,)
        assert markets == 5
        assert anyone.execute("SELECT name, rank FROM sources GROUP BY 1, 2 HAVING count(*) > 1").fetchall() == []
        (deadlocks,) = anyone.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone() or (1,)
        assert deadlocks == 0
    assert storage.candle_maintain(MaintenanceTask.CHECK).problems == ()


@pytest.mark.slow
def test_a_process_killed_at_any_moment(open_storage: Opener, url: str) -> None:
    """What was acknowledged is there, nothing is half there, and no fact claims rows that are not."""
    dice = random.Random(2024)
    page = 0
    for _ in range(6):
        process = start(WRITE_UNTIL_KILLED, url, page)
        assert process.stdout is not None
        acknowledged = int(process.stdout.readline())
        time.sleep(dice.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        whole = (line for line in rest.splitlines(keepends=True) if line.endswith("\n"))
        acknowledged = max([acknowledged, *map(int, whole)])
        with psycopg.connect(url) as anyone:
            lock = "SELECT pg_advisory_xact_lock(1667329636, id % 256) FROM symbols"
            anyone.execute(lock)  # a server may still be at work for a client that is gone
            stored = [time for (time,) in anyone.execute("SELECT open_time FROM candles ORDER BY open_time")]
            facts = anyone.execute("SELECT span_start, span_end FROM coverage ORDER BY span_start").fetchall()
            (counted,) = anyone.execute("SELECT candle_count FROM symbols").fetchone() or (0,)
        pages, remainder = divmod(len(stored), 2_100)
        assert remainder == 0, "half a write was stored"
        assert counted == len(stored)
        assert stored == candles(range(len(stored))).open_time.tolist()
        assert facts == [(low, low + 700 * MINUTE) for low in stored[::700]]
        assert pages - acknowledged in (0, 1), "a write was acknowledged and lost"
        page = pages
    again = tuple(answer(candles(range(n, n + 700)), proven=span(n, n + 700)) for n in (0, 700))
    assert open_storage().candle_save(SaveWrite(answers=again)) == SaveReceipt(unchanged=1_400)
