"""Kept fresh, close after close: nothing lost, nothing asked twice or too early, and ended in good order."""

import asyncio
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

import candle_core
from candle_core.update.every import Turn, update_every
from candle_hookspecs import UpdateResult
from candle_testkit.sandbox import Limits, MarketConfig
from tests.end_to_end.backends import BACKENDS
from tests.end_to_end.clocks import FastClock
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.processes import CANDLE
from tests.end_to_end.world import MINUTE, World, assert_equal, bitcoin, ms, tables, write_toml

AT = "2024-06-01T00:05:20"
START = "2024-06-01T00:00"
SPEED = 30.0
BEATS = 6
SETTLE = 2_000  # of Binance, as its plugin declares it
LAG = SETTLE + 1_000  # the exchange's clock is trusted to a second
BASES = [f"C{number:02}" for number in range(20)]


def markets() -> list[MarketConfig]:
    return [MarketConfig(f"{base}USDT", base, "USDT", listed="2023-06-01") for base in BASES]


async def keep(world: World, turns: int) -> list[Turn]:
    """Collect everything once, then update at every minute, so many times."""
    told: list[Turn] = []
    enough = asyncio.Event()

    def tell(turn: Turn) -> None:
        told.append(turn)
        if len(told) == turns:
            enough.set()

    async with candle_core.open(tables(world.sandbox.url, world.path), clock=world.clock) as candles:
        await candles.active_update("CRYPTO", "BINANCE", "SPOT", timeframes=["1m"], start=START)
        world.forget()

        async def run(exchange: str) -> UpdateResult:
            return await candles.passive_update(exchange=exchange)

        keeping = asyncio.create_task(update_every(candles.kernel, "1m", ["BINANCE"], run, tell))
        waiting = asyncio.create_task(enough.wait())
        await asyncio.wait((keeping, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
    return told


async def test_every_candle_by_one_request_and_none_too_early(make_world: MakeWorld) -> None:
    world = make_world(*markets(), at=AT, speed=SPEED, limits=Limits(weight=None))
    world.clock = FastClock(world.sandbox.clock.now(), SPEED)
    turns = await keep(world, 1 + BEATS)
    requests = 0
    for turn in turns:
        assert isinstance(turn.result, UpdateResult)
        assert turn.result.failed_symbols == []
        assert turn.result.requests == len(turn.result.success_symbols)
        requests += turn.result.requests
    assert requests >= len(BASES) * BEATS
    asked = [(one.params["symbol"], int(one.params["startTime"]), one.at) for one in world.asked()]
    assert len(asked) == requests
    assert len({(symbol, start) for symbol, start, _ in asked}) == requests, "no moment is asked for twice"
    assert [one for one in asked if one[2] < one[1] + MINUTE + SETTLE] == []
    last = turns[-1]
    end = last.following - LAG - MINUTE * (1 + last.missed)
    assert end >= ms(AT) + (BEATS - 1) * MINUTE
    for base in BASES:
        truth = world._between(ms(START), end, "1m", f"{base}USDT")
        stored = world.stored(START, base=base)
        assert_equal({name: column[: len(truth["open_time"])] for name, column in stored.items()}, truth)
        assert stored["open_time"][-1] + MINUTE + SETTLE <= world.sandbox.clock.now()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["INT", "KILL"])
def test_a_process_that_keeps_seconds_fresh(make_world: MakeWorld, number: signal.Signals) -> None:
    world = make_world(bitcoin(), at=AT, speed=1.0)
    config = ["--config", str(write_toml(world.sandbox.url, world.path))]
    words = ["update", "active", "BINANCE", "SPOT", "--timeframe", "1s", "--start", "2024-06-01T00:05", *config]
    with subprocess.Popen(
        [*CANDLE, *words, "--every", "1s", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=world.path.parent,
    ) as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        world.sandbox.faults.script("slow", seconds=2.5)
        while not lines[-1]["missed"]:
            lines.append(json.loads(process.stdout.readline()))
        world.sandbox.faults.script("reset", times=5)  # as often as one request is repeated
        while not lines[-1]["failed"]:
            lines.append(json.loads(process.stdout.readline()))
        lines.append(json.loads(process.stdout.readline()))
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    assert "of 1s passed during this run" in err
    assert err.count("candle: CRYPTO-BINANCE-SPOT-BTC-USDT-1s: ") == 1
    assert (lines[-1]["done"], lines[-1]["failed"]) == (1, 0), "a failure ends nothing"
    if number is signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert process.returncode == 128 + number
        assert json.loads(out.splitlines()[-1])["error"]["type"] == "Interrupted"
    end = ms(lines[-1]["next"].removesuffix("Z")) - LAG - 1_000 * (1 + lines[-1]["missed"])
    truth = world._between(ms("2024-06-01T00:05"), end, "1s")
    stored = world.stored("2024-06-01T00:05", timeframe="1s")
    assert_equal({name: column[: len(truth["open_time"])] for name, column in stored.items()}, truth)
    assert len(truth["open_time"]) > 20
    done = subprocess.run([*CANDLE, "update", "passive", *config], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_at_a_time_in_any_database(make_world: MakeWorld, tmp_path: Path, backend: Any) -> None:
    world = make_world(bitcoin(), at=AT)
    with backend(tmp_path) as databases:
        storage = databases.tables["storage"]
        lines = [f"{name} = {json.dumps(value)}" for name, value in storage.items()]
        file = tmp_path / "candle.toml"
        file.write_text("\n".join(["[storage]", *lines, "[providers.binance]", f'rest_url = "{world.sandbox.url}"']))
        words = [*CANDLE, "update", "active", "BINANCE", "--start", "2024-05-01", "--config", str(file)]
        with subprocess.Popen([*words, "--every", "1d"], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert "1 done, 0 failed, 0 skipped, 31 rows" in process.stdout.readline()
            second = subprocess.run(words, capture_output=True, text=True, check=False)
            process.kill()
        assert (second.returncode, second.stdout) == (4, "")
        assert f"candle: process {process.pid}, since " in second.stderr
        third = subprocess.run(words, capture_output=True, text=True, check=False)
        assert third.returncode == 0, third.stderr
