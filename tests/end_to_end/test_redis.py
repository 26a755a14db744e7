"""Processes with caches of their own and one Redis: one asks the exchange, all see what it said."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from candle_testkit.redis import RedisServer, running
from candle_testkit.sandbox import Sandbox, SandboxConfig
from tests.end_to_end.processes import CANDLE
from tests.end_to_end.world import KLINES, bitcoin, write_toml

LISTING = "/api/v3/exchangeInfo"
COLLECT = ("collect", "BINANCE", "SPOT", "BTC/USDT", "1h")


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running() as server:
        yield server


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(markets=(bitcoin(),), clock="2024-06-01T00:00:30", speed=0)) as sandbox:
        yield sandbox


class Machine:
    """A folder with a configuration, a database and a cache folder; commands run in processes of their own."""

    def __init__(self, folder: Path, sandbox: Sandbox, redis: RedisServer) -> None:
        folder.mkdir()
        self.file = write_toml(sandbox.url, folder / "candles.sqlite3")
        with self.file.open("a") as toml:
            toml.write('[cache]\nbackend = "redis"\n[extensions.redis]\nurl = { env = "REDIS_URL" }\ntimeout = 60.0\n')
        self.environment = {**os.environ, "CANDLE_CACHE_DIR": str(folder / "cache"), "REDIS_URL": redis.url}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        command = [*CANDLE, *words, "--json", "--config", str(self.file)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, *words: str) -> Any:
        return answer(self.start(*words))


def answer(process: "subprocess.Popen[str]") -> Any:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.fixture
def machines(tmp_path: Path, sandbox: Sandbox, redis: RedisServer) -> list[Machine]:
    return [Machine(tmp_path / name, sandbox, redis) for name in ("one", "other", "third")]


def listings(sandbox: Sandbox) -> int:
    """How often the exchange was asked for its markets, by its own account."""
    return sum(request.path == LISTING for request in sandbox.ledger.requests())


def markets(result: Any) -> int:
    assert result["success"] is True
    return int(result["total_markets"])


def inserted(result: Any) -> int:
    (symbol,) = result["symbols"]
    assert symbol["state"] == "complete"
    return int(symbol["saved"]["inserted"])


def test_one_calls_the_exchange_and_all_see_the_data(sandbox: Sandbox, machines: list[Machine]) -> None:
    one, other, third = machines
    count = markets(one.run("warmup", "BINANCE"))
    assert (listings(sandbox), count > 0) == (1, True)
    assert markets(other.run("warmup", "BINANCE")) == count
    assert inserted(third.run(*COLLECT, "--start", "2024-05-01", "--end", "2024-05-02")) == 24
    assert listings(sandbox) == 1


def test_of_all_who_begin_at_once_one_asks(sandbox: Sandbox, machines: list[Machine]) -> None:
    counts = [markets(answer(process)) for process in [machine.start("warmup", "BINANCE") for machine in machines]]
    assert len(set(counts)) == 1
    assert listings(sandbox) == 1


def test_a_restart_of_redis_loses_nothing_but_warmth(
    sandbox: Sandbox, redis: RedisServer, machines: list[Machine]
) -> None:
    one, other, _ = machines
    count = markets(one.run("warmup", "BINANCE"))
    first = one.run(*COLLECT, "--start", "2024-05-01", "--end", "2024-05-02")
    redis.kill()
    second = one.run(*COLLECT, "--start", "2024-05-02", "--end", "2024-05-03")
    redis.start()
    before = listings(sandbox)
    assert markets(other.run("warmup", "BINANCE")) == markets(one.run("warmup", "BINANCE")) == count
    assert listings(sandbox) == before + 1, "asked for again by one"
    asked = [request for request in sandbox.ledger.requests() if request.path == KLINES]
    again = one.run(*COLLECT, "--start", "2024-05-01", "--end", "2024-05-03")
    assert [inserted(result) for result in (first, second, again)] == [24, 24, 0], "what was collected is there"
    assert [request for request in sandbox.ledger.requests() if request.path == KLINES] == asked
