"""Ways of paging of which there is no plugin of our own: a fixed window and cursors, through the kernel."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

import candle_core
from candle_hookspecs import BadRequestError, to_ms
from candle_testkit.sandbox import Limits, MarketConfig, Sandbox, SandboxConfig
from providers.ccxt.tests.clocks import JumpingClock

NOW: Final = "2024-03-10T12:34:30.500"
MINUTE: Final = 60_000
HOLE: Final = ("2024-02-01T12:00", "2024-02-02T13:00")
HISTORY: Final[dict[str, Any]] = {"listed": "2023-12-15T10:00", "holes": [HOLE]}
MARKETS: Final = [
    MarketConfig("XXBTZUSD", "BTC", "USD", "0.1", "0.00001", price="42000", exchange="KRAKEN", **HISTORY),
    MarketConfig("NEWUSD", "NEW", "USD", "0.01", "0.00001", listed="2024-03-10T08:00", exchange="KRAKEN"),
    MarketConfig("BTC-USDT", "BTC", "USDT", "0.1", "0.00001", price="42000", exchange="OKX", **HISTORY),
]
LISTING: Final = {
    "kraken": {"/0/public/Assets": 1, "/0/public/AssetPairs": 1, "/0/public/Time": 1},
    "okx": {"/api/v5/public/instruments": 1, "/api/v5/public/time": 1},
}
"""Sent once by whoever collects: the markets, and the clock."""


class World:
    """A sandbox and a database that is filled from it through ccxt."""

    def __init__(self, sandbox: Sandbox, path: Path) -> None:
        self.sandbox, self.path = sandbox, path

    async def collect(self, exchange: str, market: str, start: str, end: str, **table: Any) -> dict[str, int]:
        """Collect minutes.

        Returns:
            How often each path was asked for beyond the listing.
        """
        provider = {exchange: {"plugin": "ccxt", "rest_url": self.sandbox.url, "tradetypes": ["SPOT"], **table}}
        self.sandbox.ledger.clear()
        tables = {"storage": {"path": str(self.path)}, "providers": provider}
        async with candle_core.open(tables, clock=JumpingClock()) as candles:
            await candles.collect_candles_only(market, "1m", exchange=exchange, tradetype="SPOT", start=start, end=end)
        asked = Counter(one.path for one in self.sandbox.ledger.requests())
        assert {path: asked.pop(path, 0) for path in LISTING[exchange]} == LISTING[exchange]
        return asked

    def stored(self) -> list[tuple[Any, ...]]:
        return self._rows("SELECT open_time, open, high, low, close, volume FROM v_candles ORDER BY open_time")

    def truth(self, native_id: str, start: int, end: int) -> list[tuple[Any, ...]]:
        told = self.sandbox.ledger.candles(native_id, "1m", start, end)
        columns = (told[name].tolist() for name in ("open_time", "open", "high", "low", "close", "volume"))
        return list(zip(*columns, strict=True))

    def facts(self) -> list[tuple[Any, ...]]:
        """State and evidence of stretches, those that touch united."""
        found: list[list[Any]] = []
        for state, evidence, start, end in self._rows(
            "SELECT state, evidence, span_start, span_end FROM coverage ORDER BY span_start, span_end"
        ):
            if found and found[-1][:2] == [state, evidence] and start <= found[-1][3]:
                found[-1][3] = max(end, found[-1][3])
            else:
                found.append([state, evidence, start, end])
        return [tuple(one) for one in found]

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(markets=MARKETS, clock=NOW, speed=0, limits=Limits(weight=None))) as sandbox:
        yield sandbox


@pytest.fixture
def world(sandbox: Sandbox, tmp_path: Path) -> World:
    return World(sandbox, tmp_path / "candles.sqlite3")


async def test_kraken_tells_720_whatever_is_asked_and_the_rest_is_out_of_reach(world: World) -> None:
    asked = await world.collect("kraken", "BTC/USD", "2024-02-01", "2024-03-11")
    assert asked == {"/0/public/OHLC": 1}, "54,000 minutes, and one request says all that can be had"
    # The newest of them is still open.
    first, open_one = to_ms("2024-03-10T12:34") - 719 * MINUTE, to_ms("2024-03-10T12:34")
    rows = world.stored()
    assert rows == world.truth("XXBTZUSD", first, open_one)
    assert len(rows) == 719
    assert world.facts() == [("out-of-reach", "declared", 0, first), ("answered", "anchored", first, open_one)]


async def test_a_young_market_is_told_from_its_first_candle_on(world: World) -> None:
    asked = await world.collect("kraken", "NEW/USD", "2024-03-08", "2024-03-11")
    assert asked == {"/0/public/OHLC": 2}, "once, and once whether there is anything before"
    first, open_one = to_ms("2024-03-10T08:00"), to_ms("2024-03-10T12:34")
    assert world.stored() == world.truth("NEWUSD", first, open_one)
    assert world.facts() == [("not-listed", "listing", 0, first), ("answered", "anchored", first, open_one)]


async def test_who_takes_a_fixed_window_for_another_is_told_so(world: World) -> None:
    with pytest.raises(BadRequestError, match='paging = "newest"'):
        await world.collect("kraken", "BTC/USD", "2024-03-01", "2024-03-02", paging="bounded")


async def test_cursors_cross_a_hole_longer_than_a_page(world: World) -> None:
    start, end = "2024-01-31", "2024-02-04"
    asked = await world.collect("okx", "BTC/USDT", start, end)
    rows = [row for row in world.stored() if to_ms(start) <= row[0] < to_ms(end)]
    assert rows == world.truth("BTC-USDT", to_ms(start), to_ms(end))
    assert len(rows) == 5_760 - 25 * 60
    hole = to_ms(HOLE[0]), to_ms(HOLE[1])
    (lower, silent, upper) = world.facts()
    assert silent == ("answered", "repeated", *hole), "asserted, and asserted again counted from elsewhere"
    assert lower[:2] == upper[:2] == ("answered", "bracketed")
    assert (lower[3], upper[2:]) == (hole[0], (hole[1], to_ms(end)))
    assert lower[2] <= to_ms(start)
    # 298 minutes a page (two of 300 are kept for the edges): 15 pages of rows; the hole is six windows, asked twice.
    assert asked.keys() == {"/api/v5/market/history-candles"}
    assert asked["/api/v5/market/history-candles"] <= 15 + 2 * 6 + 3
