"""Several processes at once, and processes that are killed."""

from collections.abc import Callable

import psycopg
import pytest

from candle_hookspecs import CoverageQuery, LoadRead, MaintenanceTask, Registration, SaveReceipt, SaveWrite, SymbolQuery
from candle_postgres import PostgresStorage
from candle_sql.tables import MARKETS_BY_NAME
from candle_testkit.contracts.storage.harness import SYMBOL, answer, candles, market, span
from storage_backends.sql.tests.processes import OPEN_AND_SAVE, Stored, Writers, kill_at_any_moment

Opener = Callable[..., PostgresStorage]

OPENING = """
from candle_postgres import PostgresStorage
storage = PostgresStorage(PostgresStorage.Settings(url=where), make_context(Path("."), "postgres"))
"""

QUARREL = """
dice = random.Random(number)
symbols = [market(f"B{index}").symbol("1m") for index in range(8)]
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


@pytest.mark.slow
def test_processes_that_open_an_empty_database_together(open_storage: Opener, url: str) -> None:
    Writers(OPENING, url).together(OPEN_AND_SAVE, 4)
    storage = open_storage()
    assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles(range(2_000))
    assert len(storage.candle_coverage(CoverageQuery(symbol=SYMBOL))) == 20
    assert len(storage.candle_symbols(SymbolQuery(base="BTC"))) == 5
    assert storage.candle_maintain(MaintenanceTask.CHECK).problems == ()


INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"


@pytest.mark.slow
def test_processes_that_open_a_database_of_version_2_together(storage: PostgresStorage, url: str) -> None:
    with psycopg.connect(url) as anyone:
        today = anyone.execute(INDEXES).fetchall()
        for index in MARKETS_BY_NAME:  # what version 3 has added
            anyone.execute(f"DROP INDEX {index.name}")
        anyone.execute("UPDATE candle_meta SET value = '2' WHERE key = 'schema_version'")
    Writers(OPENING, url).together(OPEN_AND_SAVE, 4)
    with psycopg.connect(url) as anyone:
        assert anyone.execute(INDEXES).fetchall() == today
        assert anyone.execute("SELECT value FROM candle_meta").fetchall() == [("3",)]
    assert len(storage.candle_symbols(SymbolQuery(name="btcusdt"))) == 5
    assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles(range(2_000))


@pytest.mark.slow
def test_processes_that_write_the_same_symbols_lose_nothing_and_do_not_stand_in_each_others_way(
    open_storage: Opener, url: str
) -> None:
    storage = open_storage()
    listed = [market(f"B{index}") for index in range(8)]
    storage.candle_register([Registration(market=one, timeframes=("1m",)) for one in listed])
    told = Writers(OPENING, url).together(QUARREL, 4)
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
    def look() -> Stored:
        with psycopg.connect(url) as anyone:
            lock = "SELECT pg_advisory_xact_lock(1667329636, id % 256) FROM symbols"
            anyone.execute(lock)  # a server may still be at work for a client that is gone
            times = [time for (time,) in anyone.execute("SELECT open_time FROM candles ORDER BY open_time")]
            facts = anyone.execute("SELECT span_start, span_end FROM coverage ORDER BY span_start").fetchall()
            (counted,) = anyone.execute("SELECT candle_count FROM symbols").fetchone() or (0,)
        return Stored(times, facts, counted)

    kill_at_any_moment(Writers(OPENING, url), look)
    again = tuple(answer(candles(range(n, n + 700)), proven=span(n, n + 700)) for n in (0, 700))
    assert open_storage().candle_save(SaveWrite(answers=again)) == SaveReceipt(unchanged=1_400)
