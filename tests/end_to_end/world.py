"""One sandbox exchange, one database file, and the ways to compare the two without the code under test."""

import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import candle_core
from candle_hookspecs import Candles, Clock, CollectionSummary
from candle_testkit.sandbox import MarketConfig, Request, Sandbox

MINUTE = 60_000
PAGE = 1_000
KLINES = "/api/v3/klines"
VALUES = ("open_time", "open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_volume")

Columns: TypeAlias = dict[str, NDArray[Any]]


def ms(text: str) -> int:
    """UTC milliseconds of ISO 8601 text, by the standard library alone."""
    return round(datetime.fromisoformat(text + "+00:00").timestamp() * 1000)


def after(text: str, minutes: float) -> str:
    """ISO 8601 text so many minutes later."""
    return (datetime.fromisoformat(text) + timedelta(minutes=minutes)).isoformat()


def bitcoin(listed: str = "2023-06-01", **options: Any) -> MarketConfig:
    """BTC/USDT as this test wants it."""
    return MarketConfig("BTCUSDT", "BTC", "USDT", price="30000", turnover="300000000", listed=listed, **options)


def tables(url: str, path: Path) -> dict[str, Any]:
    """A configuration: this exchange, this file, and what calls may leave out."""
    return {
        "defaults": {"exchange": "BINANCE", "tradetype": "SPOT"},
        "storage": {"path": str(path)},
        "providers": {"binance": {"rest_url": url}},
    }


def write_toml(url: str, path: Path) -> Path:
    """The same as a file beside the database."""
    file = path.with_suffix(".toml")
    file.write_text(
        '[defaults]\nexchange = "BINANCE"\ntradetype = "SPOT"\n'
        f"[storage]\npath = '{path}'\n[providers.binance]\nrest_url = \"{url}\"\n"
    )
    return file


@dataclass
class World:
    """A running sandbox and the database that is filled from it."""

    sandbox: Sandbox
    path: Path
    clock: Clock | None = None

    # ── the code under test ─────────────────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Candles]:
        """A candle manager on this database."""
        async with candle_core.open(tables(self.sandbox.url, self.path), clock=self.clock) as candles:
            yield candles

    async def collect(
        self, start: str | None = None, end: str | None = None, *, symbol: str = "BTC/USDT", timeframe: str = "1m",
        **options: Any,
    ) -> CollectionSummary:  # fmt: skip
        """One collection by a manager of its own, as a process of its own would."""
        async with self.open() as candles:
            return await candles.collect_candles_only(symbol, timeframe, start=start, end=end, **options)

    # ── the truth ───────────────────────────────────────────────────────────────────────────────────────────────────

    def truth(self, start: str, end: str, *, symbol: str = "BTCUSDT", timeframe: str = "1m") -> Columns:
        """Every closed candle that opens in the range, by the sandbox's ledger."""
        return self._between(ms(start), ms(end), timeframe, symbol)

    def asked(self, **params: str) -> list[Request]:
        """History requests since the last `forget`."""
        return self.sandbox.ledger.requests(KLINES, **params)

    def forget(self) -> None:
        """Begin a new list of requests, and a new minute of weight."""
        self.sandbox.ledger.clear()
        self.sandbox.forgive()

    # ── the database, by plain SQL ──────────────────────────────────────────────────────────────────────────────────

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query over a connection of its own."""
        with closing(sqlite3.connect(self.path, timeout=30)) as connection:
            return connection.execute(statement, values).fetchall()

    def stored(
        self, start: str = "1970-01-01", end: str = "2100-01-01", *, base: str = "BTC", timeframe: str = "1m"
    ) -> Columns:
        """What `v_candles` shows of a market in a range, in time order."""
        rows = self.query(
            f"SELECT {', '.join(VALUES)} FROM v_candles WHERE archetype = 'CRYPTO' AND exchange = 'BINANCE' AND"
            " tradetype = 'SPOT' AND base = ? AND quote = 'USDT' AND contract = '' AND timeframe = ? AND open_time >= ?"
            " AND open_time < ? ORDER BY open_time",
            base, timeframe, ms(start), ms(end),
        )  # fmt: skip
        columns = list(zip(*rows, strict=True)) or [()] * len(VALUES)
        integers = ("open_time", "trades")
        return {
            name: np.array(values, np.int64 if name in integers else np.float64)
            for name, values in zip(VALUES, columns, strict=True)
        }

    def proven(self, state: str, *, base: str = "BTC", timeframe: str = "1m") -> list[tuple[int, int]]:
        """The stretches that the facts of one state cover together."""
        return united(
            self.query(
                "SELECT span_start, span_end FROM coverage JOIN symbols ON symbols.id = symbol_id"
                " JOIN markets ON markets.id = market_id WHERE state = ? AND base = ? AND timeframe = ?",
                state, base, timeframe,
            )
        )  # fmt: skip

    def counts(self) -> tuple[int, int]:
        """Rows and facts in the database; none where there is no database."""
        if not self.path.exists():
            return 0, 0
        ((candles, facts),) = self.query("SELECT (SELECT count(*) FROM candles), (SELECT count(*) FROM coverage)")
        return candles, facts

    # ── both ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def assert_complete(self, start: str, end: str, *, timeframe: str = "1m") -> None:
        """Stored is what the exchange has in the range, to the last digit, and the whole range is proven."""
        assert_equal(self.stored(start, end, timeframe=timeframe), self.truth(start, end, timeframe=timeframe))
        grid = {"1m": MINUTE, "5m": 5 * MINUTE, "1h": 60 * MINUTE, "1d": 1440 * MINUTE}[timeframe]
        slots = np.arange(-(-ms(start) // grid) * grid, ms(end), grid)
        known = inside(slots, united([*self._facts("answered", timeframe), *self._facts("not-listed", timeframe)]))
        assert known.all(), f"{(~known).sum()} of {len(slots)} slots are not proven"
        self.assert_honest(timeframe=timeframe)

    def assert_honest(self, *, timeframe: str = "1m") -> None:
        """No row that the exchange does not have, no proof of a row that is not there, no damage."""
        assert self.query("PRAGMA integrity_check") == [("ok",)]
        assert self.query("PRAGMA foreign_key_check") == []
        stored, answered = self.stored(timeframe=timeframe), self._facts("answered", timeframe)
        edges = [
            *stored["open_time"][[0, -1] if len(stored["open_time"]) else []],
            *(edge for span in answered for edge in span),
        ]
        truth = self._between(min(edges), max(edges) + 1, timeframe) if edges else self._between(0, 1, timeframe)
        times = truth["open_time"]
        real = np.isin(times, stored["open_time"])
        assert_equal(stored, {name: column[real] for name, column in truth.items()})
        claimed = inside(times, answered)
        assert not (claimed & ~real).any(), f"proven and not stored: {times[claimed & ~real][:10]}"
        for start, end in self._facts("not-listed", timeframe):
            assert not len(self._between(start, end, timeframe)["open_time"])
        ((counted,),) = self.query("SELECT sum(candle_count) FROM symbols WHERE timeframe = ?", timeframe)
        assert counted == len(stored["open_time"])

    def _between(self, start: int, end: int, timeframe: str, symbol: str = "BTCUSDT") -> Columns:
        columns = self.sandbox.ledger.candles(symbol, timeframe, start, end)
        return {name: columns[name] for name in VALUES}

    def _facts(self, state: str, timeframe: str) -> list[tuple[int, int]]:
        return self.proven(state, timeframe=timeframe)


def united(spans: Iterable[tuple[int, ...]]) -> list[tuple[int, int]]:
    """The union of half-open spans, in order."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = result[-1][0], max(end, result[-1][1])
        else:
            result.append((start, end))
    return result


def inside(moments: NDArray[np.int64], spans: list[tuple[int, int]]) -> NDArray[np.bool_]:
    """Which moments lie in one of the spans."""
    found = np.zeros(len(moments), bool)
    for start, end in spans:
        found |= (moments >= start) & (moments < end)
    return found


def assert_equal(found: Columns, wanted: Columns) -> None:
    """The same rows, value for value."""
    times, expected = found["open_time"], wanted["open_time"]
    lost, invented = np.setdiff1d(expected, times), np.setdiff1d(times, expected)
    assert (len(lost), len(invented)) == (0, 0), f"lost {lost[:5]}, invented {invented[:5]}"
    assert np.array_equal(times, expected), "not in time order, or not unique"
    for name in VALUES:
        different = np.flatnonzero(found[name] != wanted[name])
        assert not len(different), f"{name} differs at {times[different][:5]}"
