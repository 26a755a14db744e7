"""Every fault does what it says, as often as it says, and to whom."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from candle_testkit.sandbox import Fault, Faults, Sandbox, SandboxConfig, SandboxError

from .conftest import MARKETS, NOW, Client

START = int(datetime(2024, 1, 10, tzinfo=UTC).timestamp() * 1000)
ASK: dict[str, Any] = {"symbol": "BTCUSDT", "interval": "1m", "startTime": START, "limit": 10}


async def struck(client: Client, sandbox: Sandbox, kind: str, **options: Any) -> tuple[Any, list[list[Any]]]:
    """The struck answer's rows and the true ones, which come right afterwards."""
    sandbox.faults.script(kind, **options)
    reply = await client.get("/api/v3/klines", **ASK)
    assert sandbox.ledger.requests()[-1].fault == kind
    after = await client.klines(**ASK)
    assert sandbox.ledger.requests()[-1].fault is None
    return (reply.json if reply.status == 200 else reply), after


async def test_rows_are_withheld_repeated_or_shuffled(client: Client, sandbox: Sandbox) -> None:
    lie, truth = await struck(client, sandbox, "lying_empty")
    assert (lie, len(truth)) == ([], 10)
    assert (await struck(client, sandbox, "one_row"))[0] == truth[-1:]
    assert (await struck(client, sandbox, "one_row", keep="first"))[0] == truth[:1]
    assert (await struck(client, sandbox, "short"))[0] == truth[:-1]
    assert (await struck(client, sandbox, "short", rows=2, side="first"))[0] == truth[2:]
    assert (await struck(client, sandbox, "duplicates"))[0] == [row for row in truth for _ in range(2)]
    assert (await struck(client, sandbox, "duplicates", rows=1))[0] == [truth[0], *truth]
    shuffled, _ = await struck(client, sandbox, "reordered")
    assert shuffled != truth
    assert sorted(shuffled) == truth


async def test_rows_of_another_range(client: Client, sandbox: Sandbox) -> None:
    elsewhere, truth = await struck(client, sandbox, "other_range")
    assert [row[0] for row in elsewhere] == [row[0] - 600_000 for row in truth]


async def test_a_final_row_revised_later(client: Client, sandbox: Sandbox) -> None:
    early, late = await struck(client, sandbox, "stale_open", at=START + 250_000)
    assert [i for i in range(10) if early[i] != late[i]] == [4]
    assert float(early[4][5]) < float(late[4][5])
    early, late = await struck(client, sandbox, "stale_open")
    assert [i for i in range(10) if early[i] != late[i]] == [9]


async def test_bodies_that_are_no_candles(client: Client, sandbox: Sandbox) -> None:
    wrong, truth = await struck(client, sandbox, "wrong_shape")
    assert wrong == {"rows": truth}
    assert (await struck(client, sandbox, "wrong_shape", shape="short_row"))[0][-1] == truth[-1][:4]
    assert (await struck(client, sandbox, "wrong_shape", shape="null_price"))[0][-1][4] is None
    assert (await struck(client, sandbox, "nan", row=2, column=1))[0][2][1] == "NaN"
    sandbox.faults.script("truncated")
    reply = await client.get("/api/v3/klines", **ASK)
    assert reply.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.text)


@pytest.mark.parametrize(
    ("kind", "options", "status", "html"),
    [
        ("html", {}, 200, True),
        ("html", {"status": 403}, 403, True),
        ("status", {}, 500, False),
        ("status", {"status": 502}, 502, True),
    ],
)
async def test_servers_that_fail(
    client: Client, sandbox: Sandbox, kind: str, options: dict[str, Any], status: int, html: bool
) -> None:
    sandbox.faults.script(kind, **options)
    reply = await client.get("/api/v3/klines", **ASK)
    assert reply.status == status
    assert reply.headers["Content-Type"].startswith("text/html" if html else "application/json")
    assert reply.text.startswith("<html>") if html else reply.json["code"] == -1000


async def test_connections_cut_and_answers_late(client: Client, sandbox: Sandbox) -> None:
    # aiohttp's client sends a GET once more, unasked, when the connection breaks under it.
    sandbox.faults.script("reset", times=2)
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.klines(**ASK)
    assert [one.fault for one in sandbox.ledger.requests()] == ["reset", "reset"]
    began = time.monotonic()
    late, truth = await struck(client, sandbox, "slow", seconds=0.2)
    assert late == truth
    assert time.monotonic() - began >= 0.2
    sandbox.faults.script("slow", seconds=600)
    hurry = aiohttp.ClientTimeout(total=0.05)
    with pytest.raises(TimeoutError):
        await client.session.get(f"{client.url}/api/v3/klines", params=ASK, timeout=hurry)


async def test_refusals_once_or_for_as_long_as_they_say(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.script("rate_limited", retry_after=7)
    reply = await client.get("/api/v3/klines", **ASK)
    assert (reply.status, reply.headers["Retry-After"], reply.json["code"]) == (429, "7", -1003)
    await client.klines(**ASK)
    sandbox.faults.script("banned", retry_after=60, persist=True)
    until = sandbox.clock.now() + 60_000
    for _ in range(2):
        reply = await client.get("/api/v3/klines", **ASK)
        assert (reply.status, reply.headers["Retry-After"]) == (418, "60")
        assert f"IP banned until {until}." in reply.json["msg"]
    sandbox.clock.advance(60_000)
    await client.klines(**ASK)
    sandbox.faults.script("rate_limited", retry_after=5, persist=True)
    assert [(await client.get("/api/v3/klines", **ASK)).status for _ in range(2)] == [429, 429]
    sandbox.clock.advance(5_000)
    await client.klines(**ASK)


async def test_a_fault_strikes_only_what_it_is_meant_for(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.script("lying_empty", times=2, symbol="ABCBTC", at=START + 30_000)
    sandbox.faults.script("status", path="/api/v3/exchangeInfo")
    assert len(await client.klines(**ASK)) == 10
    assert len(await client.klines(**{**ASK, "symbol": "ABCBTC", "startTime": START + 600_000})) == 10
    assert await client.klines(**{**ASK, "symbol": "ABCBTC"}) == []
    assert await client.klines(symbol="ABCBTC", endTime=START + 90_000, limit=3) == []
    assert len(await client.klines(**{**ASK, "symbol": "ABCBTC"})) == 10
    assert (await client.get("/api/v3/exchangeInfo")).status == 500
    assert (await client.get("/api/v3/exchangeInfo")).status == 200
    sandbox.faults.script("lying_empty", times=5)
    sandbox.faults.clear()
    assert len(await client.klines(**ASK)) == 10


async def test_rates_are_decided_by_seed_and_number() -> None:
    async def strikes(seed: int) -> list[str | None]:
        faults = Faults(rates={"lying_empty": 0.2, "truncated": 0.1, "status": 0.1}, seed=seed)
        with Sandbox(SandboxConfig(markets=MARKETS, clock=NOW, speed=0, faults=faults)) as sandbox:
            async with aiohttp.ClientSession() as session:
                client = Client(session, sandbox.url)
                for _ in range(150):
                    await client.get("/api/v3/klines", symbol="ABCBTC", interval="1d", limit=1)
            return [one.fault for one in sandbox.ledger.requests()]

    first = await strikes(1)
    assert first == await strikes(1)
    assert first != await strikes(2)
    assert 40 <= 150 - first.count(None) <= 80
    assert set(first) == {None, "lying_empty", "truncated", "status"}


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Fault("empty"), "'empty'"),
        (lambda: Fault("short", times=0), "times 0"),
        (lambda: Fault("short", options={"row": 1}), "'row'"),
        (lambda: Fault("one_row", options={"keep": "middle"}), "'middle'"),
        (lambda: Fault.from_mapping({"times": 1}), "'kind'"),
        (lambda: Faults(rates={"reset": 1.5}), "1.5"),
        (lambda: Faults(rates={"resets": 0.5}), "'resets'"),
        (lambda: Faults(rates={"reset": 0.6, "short": 0.6}), "more than 1"),
    ],
)
def test_impossible_faults_are_refused(make: Any, named: str) -> None:
    with pytest.raises(SandboxError, match=named):
        make()
