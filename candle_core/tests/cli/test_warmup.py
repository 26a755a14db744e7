"""``candle warmup``: the table, the document, the exit codes, and going on."""

import asyncio
import json
import math
import os
import signal
import subprocess
from pathlib import Path

import pytest

from candle_core.clock import SystemClock
from candle_hookspecs import to_ms
from candle_testkit.sandbox import Sandbox

from .conftest import COMMAND, Candle, seen, terminal

LISTINGS = ("/api/v3/exchangeInfo", "/v1/market/all")
DOWN = "http://127.0.0.1:9"


@pytest.fixture
def two(folder: Path, sandbox: Sandbox) -> Path:
    """./candle.toml with two exchanges, and a cache that outlasts a command."""
    file = folder / "candle.toml"
    file.write_text(
        '[cache]\nbackend = "file"\n'
        f'[providers.binance]\nrest_url = "{sandbox.url}"\n[providers.upbit]\nrest_url = "{sandbox.url}"\n'
    )
    return file


def listings(sandbox: Sandbox) -> list[int]:
    """How often each of the two listed its markets."""
    return [sandbox.ledger.count(path) for path in LISTINGS]


def rows(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


def test_the_table(two: Path, sandbox: Sandbox, candle: Candle) -> None:
    outcome = candle("warmup")
    assert (outcome.code, outcome.err) == (0, "")
    title, binance, upbit = rows(outcome.out)
    assert title == ["exchange", "state", "markets", "from", "clock", "ms", "took"]
    assert binance[:4] == ["BINANCE", "warm", "19", "exchange"]
    assert upbit[:4] == ["UPBIT", "warm", "7", "exchange"]
    assert int(binance[4].replace(",", "")) < -60_000_000_000, "the sandbox lives years ago"
    assert listings(sandbox) == [1, 1]


def test_a_second_command_asks_nothing_unless_told_to(two: Path, sandbox: Sandbox, candle: Candle) -> None:
    candle("warmup")
    sandbox.ledger.clear()
    outcome = candle("warmup")
    assert (outcome.code, sandbox.ledger.count()) == (0, 0)
    assert [row[:4] for row in rows(outcome.out)[1:]] == [
        ["BINANCE", "warm", "19", "cache,"],
        ["UPBIT", "warm", "7", "cache,"],
    ]
    assert candle("warmup", "UPBIT", "--force").code == 0
    assert listings(sandbox) == [0, 1]


def test_the_document_is_the_pages_dict(two: Path, candle: Candle) -> None:
    outcome = candle("warmup", "binance", "--json")
    document = outcome.document
    assert (outcome.code, outcome.err) == (0, "")
    assert (document["success"], document["refreshed_exchanges"], document["total_markets"]) == (True, ["binance"], 19)
    assert document["exchange_details"]["binance"]["market_count"] == 19


def test_one_that_fails_is_named_and_what_it_said_before_stands_in(two: Path, sandbox: Sandbox, candle: Candle) -> None:
    candle("warmup")
    sandbox.faults.script("status", 9, path="/v1/market/all", status=401)
    outcome = candle("warmup", "--force")
    assert outcome.code == 1
    assert rows(outcome.out)[1][:4] == ["BINANCE", "warm", "19", "exchange"]
    assert rows(outcome.out)[2][:4] == ["UPBIT", "stale", "7", "cache,"]
    assert rows(outcome.out)[2][-1] == "AuthenticationError"
    (line,) = outcome.err.splitlines()
    assert line.startswith("candle: upbit: the exchange answered 401")
    document = candle("warmup", "--json").document
    assert document["success"] is True, "what is kept is still believed, so nobody is asked"


@pytest.mark.parametrize(("names", "code"), [(["upbit"], 3), (["binance", "upbit"], 1), (["upbitt"], 2)])
def test_the_exit_code_says_how_many_failed(
    folder: Path, sandbox: Sandbox, candle: Candle, names: list[str], code: int
) -> None:
    (folder / "candle.toml").write_text(
        f'[cache]\nbackend = "file"\n'
        f'[providers.binance]\nrest_url = "{sandbox.url}"\n[providers.upbit]\nrest_url = "{DOWN}"\n'
    )
    outcome = candle("warmup", *names)
    assert outcome.code == code
    assert outcome.err.startswith(f"candle: {names[-1]}: ")
    assert "Traceback" not in outcome.err


def test_nothing_to_warm_up(folder: Path, candle: Candle) -> None:
    candle("warmup").failed_with(2, "no exchange to warm up", "[providers.")


@pytest.mark.parametrize("options", [["--every", "6x"], ["--every", "0h"], ["--timeout", "0"]])
def test_times_that_are_none(two: Path, candle: Candle, options: list[str]) -> None:
    candle("warmup", *options).failed_with(2, options[1])


def test_a_cache_that_ends_with_the_command_is_pointed_out(config: Path, candle: Candle) -> None:
    outcome = candle("warmup")
    assert outcome.code == 0
    assert '"memory" ends with this command' in outcome.err
    assert candle("warmup", "--json").err == ""


def test_verbose_logs_all_of_it(two: Path, candle: Candle) -> None:
    told = candle("warmup", "--verbose").err
    for words in ("warm-up begins: 2 exchanges", "upbit is warmed up: 7 markets in", "s, 26 markets in all"):
        assert words in told


@pytest.mark.parametrize("as_json", [False, True])
def test_again_and_again_until_a_signal(two: Path, sandbox: Sandbox, as_json: bool) -> None:
    words = [COMMAND, "warmup", "binance", "--every", "1s", *(["--json"] if as_json else [])]
    process = subprocess.Popen(words, cwd=two.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err.startswith("candle: interrupted after ")
    assert sandbox.ledger.count(LISTINGS[0]) >= 2, "each asks anew"
    for line in lines:
        if as_json:
            document = json.loads(line)
            assert (document["success"], document["total_markets"]) == (True, 19)
            assert document["at"].endswith("Z")
        else:
            assert "1 done, 0 failed, 19 markets" in line
    assert ("interrupted" in out) is as_json


def test_a_laptop_that_slept_is_late_by_a_minute_at_most(
    two: Path, sandbox: Sandbox, candle: Candle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timers of the operating system stand still meanwhile; after eight hours, one of six would have five to go."""
    start = now = 1_700_000_000_000
    awake = 0.0

    async def sleep(_: SystemClock, seconds: float) -> None:
        nonlocal now, awake
        suspended = 8 * 3_600_000 if awake < 3_600 <= awake + seconds else 0
        awake, now = awake + seconds, now + math.ceil(seconds * 1000) + suspended
        if awake > 7 * 3_600:
            signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0)

    monkeypatch.setattr(SystemClock, "now", lambda _: now)
    monkeypatch.setattr(SystemClock, "sleep", sleep)
    outcome = candle("warmup", "binance", "--every", "6h", "--json")
    assert outcome.code == 130
    runs = [json.loads(line) for line in outcome.out.splitlines()]
    ended = [(to_ms(one["at"]) - start) / 3_600_000 for one in runs if "at" in one]
    assert ended == pytest.approx([0, 9, 15], abs=1 / 60)
    assert listings(sandbox) == [3, 0]


def test_on_a_terminal_it_says_who_is_awaited(two: Path, sandbox: Sandbox) -> None:
    sandbox.faults.script("slow", path=LISTINGS[1], seconds=3_600)
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with terminal(100) as (ours, theirs):
        process = subprocess.Popen(
            [COMMAND, "warmup", "--json"], stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True
        )
        os.close(theirs)
        drawn = seen(ours, until="1 of 2 exchanges, binance just now")
        process.send_signal(signal.SIGINT)
        seen(ours)
        out, _ = process.communicate(timeout=120)
    assert "1 of 2 exchanges, binance just now" in drawn, drawn
    assert process.returncode == 130
    assert json.loads(out)["error"]["type"] == "Interrupted"
