"""Running it: clock, log, orders over HTTP, command, configuration file."""

from __future__ import annotations

import gc
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from candle_testkit.sandbox import (
    MarketConfig,
    OffGrid,
    Sandbox,
    SandboxClock,
    SandboxConfig,
    SandboxError,
    StockConfig,
)
from candle_testkit.sandbox.command import sandbox as command

from .conftest import MARKETS, NOW, Client

PACKAGE = "candle_testkit.sandbox"


def test_a_clock_follows_stands_runs_and_jumps() -> None:
    began = time.time()
    assert began * 1000 - 1 <= SandboxClock().now() <= time.time() * 1000
    clock = SandboxClock("2024-01-01", speed=0)
    assert clock.now() == 1_704_067_200_000
    clock.advance(1500)
    assert clock.now() == 1_704_067_201_500
    clock.set("2024-01-01T00:00:00+09:00")
    assert clock.now() == 1_704_067_200_000 - 9 * 3_600_000
    clock.set_speed(1000)
    began, before = time.monotonic(), clock.now()
    time.sleep(0.05)
    assert 50_000 <= clock.now() - before <= (time.monotonic() - began) * 1_000_000 + 1
    for wrong in ("yesterday", 1.5, None, True):
        with pytest.raises(SandboxError, match="instant"):
            clock.set(wrong)  # type: ignore[arg-type]
    with pytest.raises(SandboxError, match="-1"):
        SandboxClock(speed=-1)


async def test_the_log_has_every_request(client: Client, sandbox: Sandbox) -> None:
    await client.get("/api/v3/ping")
    await client.klines(symbol="ABCBTC", limit=3)
    await client.get("/api/v3/klines", symbol="NOPE", interval="1m")
    assert sandbox.ledger.count() == 3
    assert sandbox.ledger.count("/api/v3/klines") == 2
    (one,) = sandbox.ledger.requests("/api/v3/klines", symbol="ABCBTC")
    assert (one.number, one.weight, one.status, one.rows, one.at) == (1, 2, 200, 3, sandbox.clock.now())
    assert sandbox.ledger.requests("/api/v3/klines", symbol="NOPE")[0].status == 400
    sandbox.ledger.clear()
    assert sandbox.ledger.count() == 0
    with pytest.raises(SandboxError, match="'NOPE'"):
        sandbox.ledger.rows("NOPE", "1m", 0, 1)
    with pytest.raises(SandboxError, match="'1q'"):
        sandbox.ledger.rows("BTCUSDT", "1q", 0, 1)


async def test_orders_over_http(client: Client, sandbox: Sandbox) -> None:
    async def order(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with client.session.request(method, client.url + path, json=body) as reply:
            return reply.status, await reply.json()

    await client.klines(limit=1)
    assert await order("POST", "/sandbox/clock", {"set": "2024-03-16", "advance": 500}) == (
        200,
        {"now": 1_710_547_200_500, "speed": 0.0},
    )
    assert sandbox.clock.now() == 1_710_547_200_500
    assert (await order("POST", "/sandbox/faults", {"kind": "short", "times": 2, "rows": 3}))[1] == [
        {"kind": "short", "times": 2, "symbol": None, "at": None, "path": "candles", "rows": 3, "side": "last"}
    ]
    assert len(await client.klines(limit=10)) == 7
    assert await order("DELETE", "/sandbox/faults") == (200, [])
    assert (await order("POST", "/sandbox/faults", {"rates": {"lying_empty": 1}}))[0] == 200
    assert await client.klines() == []
    _, log = await order("GET", "/sandbox/requests?path=/api/v3/klines")
    assert (log["count"], log["requests"][1]["rows"], log["requests"][1]["fault"]) == (3, 7, "short")
    _, log = await order("DELETE", "/sandbox/requests")
    assert log["count"] == 0
    span = 1_710_000_000_000, 1_710_000_600_000
    _, truth = await order("GET", f"/sandbox/candles?symbol=BTCUSDT&timeframe=1m&start={span[0]}&end={span[1]}")
    assert truth["close"] == sandbox.ledger.rows("BTCUSDT", "1m", *span)["close"].tolist()
    assert (await order("DELETE", "/sandbox/limits"))[0] == 200
    for method, path, body in (
        ("POST", "/sandbox/clock", {"sett": 1}),
        ("POST", "/sandbox/clock", {"advance": "soon"}),
        ("POST", "/sandbox/clock", [1]),
        ("POST", "/sandbox/faults", {"kind": "nothing"}),
        ("GET", "/sandbox/candles?symbol=BTCUSDT", None),
    ):
        status, answer = await order(method, path, body)
        assert status == 400
        assert answer["error"]


def test_a_sandbox_starts_stops_and_says_when_it_cannot() -> None:
    idle = Sandbox(SandboxConfig(markets=MARKETS))
    with pytest.raises(SandboxError, match="not running"):
        _ = idle.url
    idle.stop()
    with Sandbox(SandboxConfig(markets=MARKETS)) as running:
        with pytest.raises(SandboxError, match="already"):
            running.start()
        port = int(running.url.rpartition(":")[2])
        with pytest.raises(SandboxError, match="cannot listen"):
            Sandbox(SandboxConfig(markets=MARKETS, port=port)).start()
    with running:
        assert urllib.request.urlopen(f"{running.url}/api/v3/ping").read() == b"{}"
    with pytest.raises(SandboxError, match="same symbol"):
        Sandbox(SandboxConfig(markets=[MARKETS[0], MARKETS[0]]))


def test_who_comes_in_as_it_ends_is_let_out_again() -> None:
    """Else Python warns of what was not closed, in whatever test runs by then."""
    with Sandbox(SandboxConfig(markets=MARKETS)) as running:
        assert running._loop is not None
        running._loop.call_soon_threadsafe(time.sleep, 0.3)
        port = int(running.url.rpartition(":")[2])
        callers = [socket.create_connection(("127.0.0.1", port)) for _ in range(7)]
    for caller in callers:
        caller.close()
    gc.collect()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_told_to_end(number: signal.Signals) -> None:
    script = "from candle_testkit.sandbox.command import sandbox; sandbox()"
    typed = ["--json", "--markets", "3", "--clock", NOW, "--speed", "0", "--faults", "lying_empty=1", "--no-limits"]
    with subprocess.Popen([sys.executable, "-c", script, *typed], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        info = json.load(urllib.request.urlopen(f"{url}/api/v3/exchangeInfo"))
        assert [one["symbol"] for one in info["symbols"]] == ["BTCUSDT", "ETHUSDT", "BNBUSDT"]
        assert urllib.request.urlopen(f"{url}/api/v3/klines?symbol=BTCUSDT&interval=1m").read() == b"[]"
        process.send_signal(number)
        assert process.wait(120) == 0


@pytest.mark.parametrize(
    "typed", [["--clock", "noon"], ["--faults", "reset"], ["--faults", "nothing=0.1"], ["--config", "absent.toml"]]
)
def test_the_command_refuses_what_it_cannot_do(typed: list[str]) -> None:
    result = CliRunner().invoke(command, typed)
    assert result.exit_code == 2
    assert "Error:" in result.output
    assert "Traceback" not in result.output


def test_a_configuration_file(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.toml"
    path.write_text(
        """
        seed = 7
        clock = 2024-03-01T12:00:00Z
        speed = 60
        latency_ms = 5

        [limits]
        weight = 0

        [faults]
        seed = 3
        rates = { reset = 0.05 }
        script = [{ kind = "short", times = 2, rows = 5 }]

        [[markets]]
        symbol = "BTCUSDT"
        base = "BTC"
        quote = "USDT"
        listed = 2024-01-01T00:00:00Z
        holes = [["2024-02-01", "2024-02-02"]]
        off_grid = [{ timeframe = "1h", slot = "2024-02-03T09:00", offset_ms = 1000 }]
        """
    )
    config = SandboxConfig.load(path)
    sandbox = Sandbox(config)
    assert sandbox.clock.now() >= 1_709_294_400_000
    assert (config.seed, config.speed, config.latency_ms, config.limits.weight) == (7, 60, 5, 0)
    assert sandbox.faults.waiting()[0]["rows"] == 5
    market = sandbox.markets["BTCUSDT"].config
    assert market.hole_spans == [(1_706_745_600_000, 1_706_832_000_000)]
    assert market.off_grid == (OffGrid("1h", "2024-02-03T09:00", 1000),)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sede = 1", "'seed'"),
        ("seed = 'x'", "'x'"),
        ("speed = [1]", "speed"),
        ("markets = 0", "0 markets"),
        ("[limits]\nwait = 1", "'wait'"),
        ("[limits]\nweight = 'much'", "wrong type"),
        ("[[markets]]\nsymbol = 'X'", "wrong type"),
        ("[[markets]]\nsymbol = 'X'\nbase = 'X'\nquote = 'Y'\ntick = 'fine'", "'fine'"),
        ("seed = ", "not TOML"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "sandbox.toml"
    path.write_text(text)
    with pytest.raises(SandboxError, match=named):
        Sandbox(SandboxConfig.load(path))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"status": "OPEN"}, "'OPEN'"),
        ({"tick": "0.000000001"}, "8 decimals"),
        ({"tick": "0.00000001", "step": "0.1"}, "finer than 8"),
        ({"price": "0.001"}, "'0.001'"),
        ({"turnover": "9000000000"}, "turnover"),
        ({"turnover": "400000000", "price": "0.5"}, "800000000 coins a day"),
        ({"listed": "2024-01-01T00:00:00.5"}, "whole second"),
        ({"holes": [("2024-02-02", "2024-02-01")]}, "ends before"),
        ({"delisted": "2010-01-01"}, "not after"),
    ],
)
def test_impossible_markets_are_refused(values: dict[str, Any], named: str) -> None:
    with pytest.raises(SandboxError, match=named):
        MarketConfig("XUSDT", "X", "USDT", **values)


@pytest.mark.parametrize(
    ("timeframe", "slot", "offset"), [("1q", 0, 1), ("1h", 1000, 1), ("1h", 3_600_000, 3_600_000), ("1h", 0, 0)]
)
def test_impossible_off_grid_rows_are_refused(timeframe: str, slot: int, offset: int) -> None:
    with pytest.raises(SandboxError, match="off_grid"):
        OffGrid(timeframe, slot, offset)


def test_it_knows_neither_the_kernel_nor_a_plugin() -> None:
    script = (
        f"import sys, {PACKAGE}; import {PACKAGE}.command;"
        "print(sorted(n for n in sys.modules if n.startswith('candle_') and not n.startswith('candle_testkit')))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


def test_stocks_in_a_configuration_file(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.toml"
    path.write_text(
        """
        clock = 2024-03-01T12:00:00Z

        [yahoo]
        live = "merged"

        [[stocks]]
        symbol = "SPLT"
        venue = "NYQ"
        price = "40"
        splits = [{ day = "2020-08-31", ratio = "1:8" }]
        dividends = [{ day = "2021-08-06", amount = "0.82" }]
        nulls = [[2024-02-01T15:00:00Z, 2024-02-01T15:10:00Z]]
        former = [["OLD", "2019-01-02"]]
        """
    )
    config = SandboxConfig.load(path)
    assert config.yahoo.live == "merged"
    stocks = Sandbox(config).stocks
    assert [stock.config.symbol for stock in stocks] == ["SPLT"]
    assert [ratio for _, ratio in stocks.splits("OLD", 0, 1 << 60)] == [1 / 8]
    path.write_text('[[stocks]]\nsymbol = "X"\nsplit = []\n')
    with pytest.raises(SandboxError, match="did you mean 'splits'"):
        SandboxConfig.load(path)
    path.write_text('[yahoo]\nlive = "sometimes"\n')
    with pytest.raises(SandboxError, match="'sometimes'"):
        SandboxConfig.load(path)
    with pytest.raises(SandboxError, match="same symbol"):
        Sandbox(SandboxConfig(stocks=[StockConfig("A"), StockConfig("A")]))


def test_the_command_says_that_there_are_stocks() -> None:
    script = "from candle_testkit.sandbox.command import sandbox; sandbox()"
    typed = [sys.executable, "-c", script, "--stocks", "3"]
    with subprocess.Popen(typed, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(11)]
            url = json.loads(told[5].partition("=")[2])
            chart = urllib.request.urlopen(f"{url}/v8/finance/chart/AAPL").read()
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    assert told[-4::3] == ["Yahoo is there as well, with 3 stocks:\n", f'chart_url = "{url}"\n']
    assert b'"symbol":"AAPL"' in chart
