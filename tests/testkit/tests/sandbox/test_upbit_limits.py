"""Ten requests a second in each group, refusals in both forms, bans, and what an origin costs."""

from __future__ import annotations

from typing import Any

import pytest

from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig

from .conftest import Client
from .test_upbit import MARKETS, NOW

PATH = "/v1/candles/minutes/1"
BODIES = {"json": {"error": {"name": "too_many_requests", "message": "Too many API requests."}}, "text": None}


@pytest.fixture(params=["json", "text"])
def config(request: pytest.FixtureRequest) -> SandboxConfig:
    limits = Limits(group=10, weight=20, ban_after=3, ban_seconds=60, refusal=request.param)
    return SandboxConfig(markets=MARKETS, clock=NOW, speed=0, limits=limits)


async def spend(client: Client, times: int = 10) -> list[str]:
    replies = [await client.get(PATH, market="KRW-BTC") for _ in range(times)]
    assert {reply.status for reply in replies} == {200}
    return [reply.headers["Remaining-Req"] for reply in replies]


async def test_every_answer_says_what_is_left_of_its_group(client: Client) -> None:
    assert await spend(client) == [f"group=candles; min=600; sec={left}" for left in range(9, -1, -1)]
    assert (await client.get("/v1/market/all")).headers["Remaining-Req"] == "group=market; min=600; sec=9"
    instruments = await client.get("/v1/orderbook/instruments", markets="KRW-BTC")
    assert instruments.headers["Remaining-Req"] == "group=orderbook; min=600; sec=9"


async def test_the_eleventh_in_a_second_is_refused_in_either_form(
    client: Client, sandbox: Sandbox, config: SandboxConfig
) -> None:
    await spend(client)
    refused = await client.get(PATH, market="KRW-BTC")
    assert (refused.status, refused.headers["Remaining-Req"]) == (429, "group=candles; min=600; sec=0")
    assert "Retry-After" not in refused.headers
    body: Any = BODIES[config.limits.refusal]
    assert refused.text == "Too many API requests." if body is None else refused.json == body
    assert (await client.get("/v1/market/all")).status == 200, "another group"
    sandbox.clock.advance(499)
    assert (await client.get(PATH, market="KRW-BTC")).status == 429
    sandbox.clock.advance(1)
    assert (await spend(client, 1)) == ["group=candles; min=600; sec=9"]


async def test_who_goes_on_is_banned_from_all_groups(client: Client, sandbox: Sandbox) -> None:
    await spend(client)
    assert [(await client.get(PATH, market="KRW-BTC")).status for _ in range(4)] == [429, 429, 429, 418]
    banned = await client.get("/v1/market/all")
    assert banned.status == 418
    assert "blocked for 60 seconds" in banned.json["error"]["message"]
    assert (await client.get("/api/v3/ping")).status == 200, "another exchange"
    sandbox.clock.advance(60_000)
    await spend(client, 1)
    sandbox.clock.advance(1_000)
    await spend(client)
    *_, again = [await client.get(PATH, market="KRW-BTC") for _ in range(4)]
    assert "blocked for 120 seconds" in again.json["error"]["message"], "the next one is longer"


async def test_an_origin_has_one_request_in_ten_seconds(client: Client, sandbox: Sandbox) -> None:
    sandbox.clock.set("2024-03-15T10:30:20")
    headers = {"Origin": "https://example.com"}
    first = await client.get(PATH, headers, market="KRW-BTC")
    assert (first.status, first.headers["Remaining-Req"]) == (200, "group=origin; min=6; sec=0")
    sandbox.clock.advance(9_999)
    assert (await client.get(PATH, headers, market="KRW-BTC")).status == 429
    assert (await client.get(PATH, market="KRW-BTC")).status == 200
    sandbox.clock.advance(1)
    assert (await client.get(PATH, headers, market="KRW-BTC")).status == 200
    assert [one.limit for one in sandbox.ledger.requests()] == ["origin", "origin", "candles", "origin"]


async def test_the_two_exchanges_count_apart(client: Client, sandbox: Sandbox) -> None:
    await spend(client)
    weights = [(await client.get("/api/v3/ping")).headers["x-mbx-used-weight-1m"] for _ in range(3)]
    assert weights == ["1", "2", "3"]
    sandbox.forgive()
    assert (await spend(client, 1)) == ["group=candles; min=600; sec=9"]
