"""Weight a calendar minute, refusals, bans."""

from __future__ import annotations

import aiohttp
import pytest

from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig

from .conftest import MARKETS, NOW, Client


@pytest.fixture
def config() -> SandboxConfig:
    return SandboxConfig(markets=MARKETS, clock=NOW, speed=0, limits=Limits(weight=10, ban_after=3, ban_seconds=120))


async def test_beyond_the_weight_429_then_418_and_back(client: Client, sandbox: Sandbox) -> None:
    for used in range(2, 11, 2):
        reply = await client.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", limit=1)
        assert (reply.status, reply.headers["x-mbx-used-weight-1m"]) == (200, str(used))
    for _ in range(3):
        reply = await client.get("/api/v3/ping")
        assert reply.status == 429
        # The clock stands at second 20.5 of its minute.
        assert reply.headers["Retry-After"] == "40"
        assert reply.json["code"] == -1003
        assert "current limit is 10 request weight per 1 MINUTE" in reply.json["msg"]
    banned = await client.get("/api/v3/ping")
    assert (banned.status, banned.headers["Retry-After"]) == (418, "120")
    assert f"IP banned until {sandbox.clock.now() + 120_000}." in banned.json["msg"]
    sandbox.clock.advance(100_000)
    assert (await client.get("/api/v3/ping")).headers["Retry-After"] == "20"
    sandbox.clock.advance(20_000)
    free = await client.get("/api/v3/ping")
    # Refused in the same minute, and counted all the same.
    assert (free.status, free.headers["x-mbx-used-weight"]) == (200, "2")


async def test_a_new_minute_is_a_new_budget(client: Client, sandbox: Sandbox) -> None:
    assert [(await client.get("/api/v3/ping")).status for _ in range(11)] == [200] * 10 + [429]
    sandbox.clock.advance(40_000)
    assert (await client.get("/api/v3/ping")).status == 200


async def test_a_second_ban_lasts_twice_as_long(client: Client, sandbox: Sandbox) -> None:
    waits = []
    for _ in range(2):
        replies = [await client.get("/api/v3/ping") for _ in range(14)]
        assert [reply.status for reply in replies] == [200] * 10 + [429] * 3 + [418]
        waits.append(int(replies[-1].headers["Retry-After"]))
        sandbox.clock.advance(waits[-1] * 1000)
    assert waits == [120, 240]


async def test_errors_weigh_as_well_and_forgive_forgets(client: Client, sandbox: Sandbox) -> None:
    await client.get("/api/v3/klines", symbol="NOPE", interval="1m")
    assert (await client.get("/api/v3/ping")).headers["x-mbx-used-weight"] == "3"
    sandbox.forgive()
    assert (await client.get("/api/v3/ping")).headers["x-mbx-used-weight"] == "1"


@pytest.mark.parametrize("weight", [0, None])
async def test_lifted_limits_count_and_never_refuse(weight: int | None) -> None:
    config = SandboxConfig(markets=MARKETS, clock=NOW, speed=0, limits=Limits(weight=weight))
    with Sandbox(config) as sandbox:
        async with aiohttp.ClientSession() as session:
            client = Client(session, sandbox.url)
            replies = [await client.get("/api/v3/ticker/24hr") for _ in range(76)]
    assert {reply.status for reply in replies} == {200}
    assert replies[-1].headers["x-mbx-used-weight"] == str(76 * 80)
