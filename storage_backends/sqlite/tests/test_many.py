"""More symbols than one statement takes parameters for."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, event

from candle_hookspecs import CoverageQuery, LoadRead, Registration, SaveReceipt, SaveWrite, SymbolQuery
from candle_sqlite import SqliteStorage
from candle_testkit.contracts.storage.harness import answer, candles, market, slot, span


def test_a_live_minute_of_a_whole_exchange(storage: SqliteStorage) -> None:
    listed = [market(f"B{number}") for number in range(1_200)]
    records = storage.candle_register([Registration(market=one, timeframes=("1m", "1h")) for one in listed])
    assert len(records) == 2_400

    def write(minute: int) -> SaveWrite:
        return SaveWrite(
            answers=tuple(
                answer(candles([minute], price), minute + 1, proven=span(minute, minute + 1), symbol=one.symbol("1m"))
                for price, one in enumerate(listed, start=1)
            )
        )

    assert storage.candle_save(write(0)) == SaveReceipt(inserted=1_200)
    assert storage.candle_save(write(1)) == SaveReceipt(inserted=1_200)
    assert storage.candle_save(write(1)) == SaveReceipt(unchanged=1_200)
    found = storage.candle_symbols(SymbolQuery(timeframe="1m", quote="usdt", statistics=True))
    assert {(one.first, one.last, one.rows) for one in found if one.symbol.base != "BTC"} == {(slot(0), slot(1), 2)}
    assert storage.candle_load(LoadRead(symbol=listed[700].symbol("1m"), span=span(1, 2))) == candles([1], 701)


def test_a_small_registration_of_a_known_exchange_changes_nothing_else(storage: SqliteStorage) -> None:
    listed = [market(f"B{number}") for number in range(20)]
    storage.candle_register([Registration(market=one, timeframes=("1m",)) for one in listed])
    before = storage.candle_symbols(SymbolQuery())
    (record,) = storage.candle_register([Registration(market=listed[7], timeframes=("1m",))])
    assert record in before
    assert storage.candle_symbols(SymbolQuery()) == before


def test_what_is_stored_of_many_symbols_is_asked_for_at_once(storage: SqliteStorage) -> None:
    listed = [market(f"B{number}") for number in range(300)]
    storage.candle_register([Registration(market=one, timeframes=("1m", "1h")) for one in listed])
    symbols = [one.symbol(frame) for one in listed for frame in ("1m", "1h")]
    storage.candle_save(
        SaveWrite(answers=tuple(answer(candles(range(5)), proven=span(0, 5), symbol=symbol) for symbol in symbols))
    )

    def statements(query: SymbolQuery, records: int) -> int:
        asked: list[str] = []

        def hear(*arguments: Any) -> None:
            asked.append(arguments[2])

        event.listen(Engine, "before_cursor_execute", hear)
        try:
            assert len(storage.candle_symbols(query)) == records
        finally:
            event.remove(Engine, "before_cursor_execute", hear)
        return len(asked)

    one = statements(SymbolQuery(statistics=True, coverage=True, base="B7", timeframe="1m"), 1)
    assert statements(SymbolQuery(statistics=True, coverage=True), 601) == one
    assert statements(SymbolQuery(statistics=True), 601) < one


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns after every few steps, so that they meet in the middle of things."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty")
def test_threads_that_meet_new_symbols_do_not_trip_over_each_other(storage: SqliteStorage) -> None:
    listed = [market(f"B{number}") for number in range(1_500)]
    storage.candle_register([Registration(market=one, timeframes=("1m",)) for one in listed])

    def facts(number: int) -> int:
        return len(storage.candle_coverage(CoverageQuery(symbol=listed[number].symbol("1m"))))

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(facts, range(len(listed)))) == {0}
