from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDictProxy

from candle_testkit.sandbox import MarketConfig, OffGrid, Sandbox, SandboxConfig

NOW = "2024-03-15T10:30:20.500"

MARKET = MarketConfig(
    "BTCUSDT",
    "BTC",
    "USDT",
    "0.01",
    "0.00001",
    "30000",
    "100000000",
    trades=400_000,
    listed="2023-12-30T17:23:05",
    holes=[("2024-02-03T10:20:30", "2024-02-03T14:05:00"), ("2024-03-01", "2024-03-05T06:00")],
    quiet=[("2024-02-10T08:00", "2024-02-10T11:30:10"), ("2024-03-05T06:00", "2024-03-05T07:00")],
    off_grid=[
        OffGrid("1h", "2024-02-05T09:00", 1_694_789),
        OffGrid("1h", "2024-02-06T09:00", 1_694_789, extra=True),
    ],
    permissions=("SPOT", "MARGIN"),
)
THIN = MarketConfig("ABCBTC", "ABC", "BTC", "0.00000001", "1", "0.00002", "3", trades=300, listed="2024-01-10T00:00")
ENDED = MarketConfig(
    "OLDUSDT", "OLD", "USDT", "0.0001", "0.1", "3", "500000", trades=5_000,
    listed="2024-01-01", delisted="2024-02-20T08:00:00",
)  # fmt: skip
FUTURE = MarketConfig("NEWUSDT", "NEW", "USDT", "0.0001", "0.1", "3", listed="2024-04-01")
MARKETS = (MARKET, THIN, ENDED, FUTURE)


@dataclass
class Reply:
    status: int
    headers: CIMultiDictProxy[str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Client:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def get(self, path: str, headers: dict[str, str] | None = None, **params: Any) -> Reply:
        async with self.session.get(self.url + path, params=params, headers=headers) as reply:
            return Reply(reply.status, reply.headers, await reply.text())

    async def klines(self, symbol: str = "BTCUSDT", interval: str = "1m", **params: Any) -> list[list[Any]]:
        reply = await self.get("/api/v3/klines", symbol=symbol, interval=interval, **params)
        assert reply.status == 200, reply.text
        rows: list[list[Any]] = reply.json
        return rows


@pytest.fixture
def config() -> SandboxConfig:
    return SandboxConfig(markets=MARKETS, clock=NOW, speed=0)


@pytest.fixture
def sandbox(config: SandboxConfig) -> Iterator[Sandbox]:
    with Sandbox(config) as running:
        yield running


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(session, sandbox.url)
