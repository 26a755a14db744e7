# ruff: noqa: D102 - a check is called what it checks
"""Checks of `candle_register` and `candle_symbols`."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candle_hookspecs import CandleError, CoverageState, Evidence, MarketStatus, Registration, UnknownSymbolError
from candle_testkit.contracts.storage.harness import BTC, SYMBOL, Database, answer, candles, fact, market, slot, span

HOSTILE = (
    "'", '"', "`", "\\", "%", "%s", "%(x)s", ":x", "?", "$1", ";--", "/*", "' OR '1'='1", "'); DROP TABLE candles; --",
    "[x]", "\n", "SELECT", "\u202e", "'\u0300",
)  # fmt: skip
ANY = st.characters(codec="utf-8", exclude_characters="\0")


class CatalogueChecks:
    """The catalogue."""

    def test_a_market_comes_back_whole(self, db: Database) -> None:
        (record,) = db.symbols()
        assert (record.symbol, record.market) == (SYMBOL, BTC)
        assert str(record.market.price_tick) == "0.01000000", "digits of a Decimal are part of it"
        assert record.registered.utcoffset() is not None, "registered must be aware"

    def test_registering_twice_changes_nothing(self, db: Database) -> None:
        db.save(answer(candles(range(3))))
        before = db.symbols(statistics=True)
        (again,) = db.register("1m")
        assert again.registered == before[0].registered
        assert db.symbols(statistics=True) == before

    def test_registering_again_brings_the_market_up_to_date(self, db: Database) -> None:
        changed = replace(BTC, status=MarketStatus.HALTED, price_tick=Decimal("0.1"), extra={"note": "changed"})
        (record,) = db.register("1h", listed=changed)
        assert record.market == changed
        assert [record.market for record in db.symbols()] == [changed, changed]

    def test_records_come_in_the_order_given(self, db: Database) -> None:
        zebra, ant = market("ZEBRA"), market("ANT")
        registrations = [
            Registration(market=zebra, timeframes=("1h", "1m")),
            Registration(market=ant, timeframes=("1d",)),
        ]
        records = db.call("candle_register", registrations)
        assert [record.symbol for record in records] == [zebra.symbol("1h"), zebra.symbol("1m"), ant.symbol("1d")]
        assert all(record.rows is None for record in records)

    def test_symbols_come_in_order(self, db: Database) -> None:
        for base in ("b", "Z", "é", "A"):
            db.register("1m", "1M", listed=market(base))
        found = [record.symbol for record in db.symbols()]
        assert len(found) == 9
        assert found == sorted(found)

    def test_symbols_match_every_field(self, db: Database) -> None:
        other = market("KRW-ETH", "krw", exchange="UPBIT", native_id="KRW-ETH", ccxt_symbol="ETH/KRW")
        db.register("1m", "1M", listed=replace(other, status=MarketStatus.CLOSED))

        def found(**query: object) -> list[str]:
            return [f"{record.symbol.exchange} {record.symbol.timeframe}" for record in db.symbols(**query)]

        assert found(exchange="upbit", timeframe="1m") == ["UPBIT 1m"], "1M is not 1m"
        assert found(archetype="crypto", tradetype="spot", base="btc", quote="Usdt") == ["EXAMPLE 1m"]
        assert found(quote="KRW", timeframe="1M") == ["UPBIT 1M"]
        assert found(status=MarketStatus.TRADING) == ["EXAMPLE 1m"]
        assert found(name="eth/krw", timeframe="1m") == ["UPBIT 1m"]
        assert found(name="btcusdt") == ["EXAMPLE 1m"]
        assert found(archetype="STOCK") == []
        assert found(name="BTC") == []

    def test_contracts_of_one_pair_are_told_apart_by_their_expiry(self, db: Database) -> None:
        for contract in ("", "261225", "270326"):
            one = market(native_id=f"BTC-{contract}", ccxt_symbol=f"BTC/USDT:USDT-{contract}")
            db.register("1h", listed=replace(one, tradetype="FUTURE" if contract else "SWAP", contract=contract))
        found = [record.symbol.contract for record in db.symbols(base="BTC", timeframe="1h")]
        assert found == ["261225", "270326", ""], "by trade type, then by expiry"
        for contract in ("", "261225", "270326"):
            (record,) = db.symbols(base="BTC", timeframe="1h", contract=contract)
            assert record.symbol.contract == contract

    def test_statistics_are_exact(self, db: Database) -> None:
        db.register("1h")
        db.save(answer(candles([3, 4, 9])))
        (empty, full) = db.symbols(statistics=True)
        assert (empty.first, empty.last, empty.rows) == (None, None, 0)
        assert (full.first, full.last, full.rows) == (slot(3), slot(9), 3)
        assert full.revisions in (0, None), "only a later answer that differs is a revision"
        db.save(answer(candles([4, 10], price=7), at=2))
        db.forget(span(0, 4), with_candles=True)
        (_, full) = db.symbols(statistics=True)
        assert (full.first, full.last, full.rows) == (slot(4), slot(10), 3)
        assert full.revisions in (1, None), "one stored candle was changed by a later answer"
        assert [record.rows for record in db.symbols()] == [None, None]

    def test_coverage_comes_with_the_symbols(self, db: Database) -> None:
        other = market("é", "KRW")
        db.register("1h")
        db.register("1m", "1h", listed=other)
        facts = (
            fact(span(4, 6), 9, evidence=Evidence.REPEATED),
            fact(span(0, 4), 7, state=CoverageState.NOT_LISTED, evidence=Evidence.LISTING),
            fact(span(2, 6), 1, state=CoverageState.OUT_OF_REACH, evidence=Evidence.DECLARED, source="other:rest"),
        )
        db.save(answer(candles([]), facts=facts))
        db.save(answer(candles([0]), 5, proven=span(0, 60), symbol=BTC.symbol("1h")))
        db.save(answer(candles([0]), 3, facts=facts[1:], symbol=other.symbol("1m")))
        for query in ({}, {"quote": "usdt"}, {"base": "É"}, {"timeframe": "1h"}, {"name": "BTCUSDT"}):
            for record in db.symbols(coverage=True, **query):
                assert list(record.coverage or ()) == db.facts(record.symbol), record.symbol
                assert record.rows is None, "statistics were not asked for"
        found = {record.symbol: record for record in db.symbols(coverage=True, statistics=True)}
        assert found[SYMBOL].coverage == tuple(sorted(facts, key=lambda fact: fact.span))
        assert (found[BTC.symbol("1h")].rows, found[SYMBOL].rows) == (1, 0)
        assert found[other.symbol("1h")].coverage == (), "nothing is proven of it"
        assert {record.coverage for record in db.symbols(statistics=True)} == {None}
        db.forget(span(0, 3))
        (record,) = db.symbols(coverage=True, timeframe="1m", quote="USDT")
        assert [fact.span for fact in record.coverage or ()] == [span(3, 4), span(3, 6), span(4, 6)]

    def test_names_of_any_kind_are_kept_apart(self, db: Database) -> None:
        bases = [
            "O'Neil",
            'a"b',
            "x-y",
            "x%2Dy",
            "비트코인",
            "'; DROP TABLE candles; --",
            "a\\b",
            "%",
            "_",
            "A",
            "a",
            "é",
        ]
        for price, base in enumerate(bases, start=1):
            listed = market(base, contract="26-12")
            db.register(listed=listed)
            db.save(answer(candles([0], price), proven=span(0, 1), symbol=listed.symbol("1m")))
        for price, base in enumerate(bases, start=1):
            symbol = market(base, contract="26-12").symbol("1m")
            assert db.load(symbol) == candles([0], price), base
            assert len(db.facts(symbol)) == 1, base
            assert symbol in [record.symbol for record in db.symbols(base=base)], base
        assert len(db.symbols()) == len(bases) + 1

    def test_a_name_is_but_a_name(self, db: Database) -> None:
        """Whatever a market is called, its name is never read as a piece of a query."""
        db.save(answer(candles(range(3)), proven=span(0, 3)))

        @given(base=st.sampled_from(HOSTILE) | st.text(ANY, min_size=1, max_size=12))
        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        def live(base: str) -> None:
            listed = market(base, native_id=f"<{base}>", ccxt_symbol=f"{base}/USDT", title=base, extra={base: base})
            symbol = listed.symbol("1m")
            (record,) = db.register(listed=listed)
            assert record.market == listed
            db.save(answer(candles([1], price=7), proven=span(1, 2), symbol=symbol))
            assert db.load(symbol) == candles([1], price=7)
            assert [found.symbol for found in db.symbols(name=f"<{base}>")] == [symbol]
            assert db.forget(None, with_candles=True, symbol=symbol) == 1
            assert (db.count(symbol), db.facts(symbol)) == (0, [])
            assert db.load() == candles(range(3)), "another symbol was touched"
            assert len(db.facts()) == 1

        live()

    def test_an_unknown_symbol_is_an_error(self, db: Database) -> None:
        stranger = market("STRANGER").symbol("1m")
        for ask in (db.load, db.count, db.facts):
            with pytest.raises(UnknownSymbolError, match="STRANGER"):
                ask(stranger)
        with pytest.raises(UnknownSymbolError, match="STRANGER"):
            db.forget(None, symbol=stranger)
        with pytest.raises(UnknownSymbolError, match="STRANGER"):
            db.save(answer(candles([0]), symbol=stranger))
        with pytest.raises(CandleError):
            db.load(BTC.symbol("1M"))
