"""A dozen exchanges that have no plugin of their own: what is asked, paid, listed and read, and one row that is odd."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from candle_ccxt.provider import CcxtProvider
from candle_hookspecs import FetchRequest, Kind, MarketQuery, Span
from candle_testkit.context import OpenGate, make_context
from providers.ccxt.tests.servers import served
from providers.ccxt.tests.wires import WIRES, Candle, Wire

DAY: Final = Span.of("2024-03-10", "2024-03-11")
CANDLES: Final[list[Candle]] = [
    (DAY.end - (3 - number) * 60_000, f"{number}1.5", f"{number}4", f"{number}0.25", f"{number}2", f"{number}7")
    for number in range(3)
]


@asynccontextmanager
async def serving(wire: Wire, changes: Mapping[str, Any] = {}) -> AsyncIterator[tuple[str, list[str]]]:
    """The exchange, and what it was asked."""
    answers, (candles, told) = {**wire.answers, **changes}, wire.candles
    sent: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked = await request.text() or request.path_qs
        sent.append(asked)
        if asked.startswith(candles) and asked not in answers:
            return web.json_response(told(CANDLES))
        found = [
            body
            for question, body in answers.items()
            if asked == question or (question.endswith("/") and asked.startswith(question))
        ]
        return web.json_response(found[0]) if found else web.json_response({"asked": asked}, status=404)

    async with served(handle) as url:
        yield url, sent


def build(tmp_path: Path, name: str, url: str, gate: OpenGate | None = None, **table: Any) -> CcxtProvider:
    settings = CcxtProvider.Settings.model_validate({"rest_url": url, "timeout": 60, **table})
    return CcxtProvider(settings, make_context(tmp_path, name, budget=gate))


def told(markets: list[Any]) -> dict[str, tuple[str, str]]:
    return {market.ccxt_symbol: (market.tradetype, market.native_id) for market in markets}


@pytest.mark.parametrize("name", WIRES)
async def test_a_listing_is_asked_for_once_and_paid(tmp_path: Path, name: str) -> None:
    wire, gate = WIRES[name], OpenGate()
    async with serving(wire) as (url, sent):
        provider = build(tmp_path, name, url, gate)
        for _ in range(2):
            sent.clear()
            gate.spent.clear()
            assert told(await provider.candle_markets(MarketQuery())) == wire.markets
            assert len(sent) == len(set(sent)) == wire.requests
            assert sum(costs["cost"] for costs in gate.spent) == pytest.approx(wire.cost)
        await provider.candle_close()


@pytest.mark.parametrize(
    ("name", "requests"),
    {"bybit": (1, 4, 4), "bitget": (1, 6, 6), "gate": (1, 2, 1), "htx": (1, 3, 3), "kucoin": (1, 1, 1)}.items(),
)
async def test_a_kind_of_market_costs_as_many_requests_as_it_has_lists(
    tmp_path: Path, name: str, requests: tuple[int, ...]
) -> None:
    """The table of docs/exchanges.md. Perpetual and dated contracts are in the same lists, but for Gate's."""
    for tradetype, lists in zip(("SPOT", "SWAP", "FUTURE"), requests, strict=True):
        gate = OpenGate()
        async with serving(WIRES[name]) as (url, sent):
            provider = build(tmp_path, name, url, gate, tradetypes=[tradetype])
            wanted = {one: (kind, own) for one, (kind, own) in WIRES[name].markets.items() if kind == tradetype}
            assert told(await provider.candle_markets(MarketQuery())) == wanted
            await provider.candle_close()
        assert len(sent) == len(set(sent)) == len(gate.spent) == lists, tradetype


@pytest.mark.parametrize("name", WIRES)
async def test_a_row_that_ccxt_cannot_read_costs_no_other(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    wire = WIRES[name]
    caplog.set_level(logging.WARNING)
    async with serving(wire, wire.broken) as (url, sent):
        provider = build(tmp_path, name, url)
        assert told(await provider.candle_markets(MarketQuery())) == wire.markets
        await provider.candle_close()
        assert len(sent) == wire.requests, "what is odd is found without asking again"
    (warned,) = [one.getMessage() for one in caplog.records if one.name == f"candle.{name}"]
    assert wire.named in warned
    assert name in warned


@pytest.mark.parametrize("name", WIRES)
async def test_candles_come_with_every_number_in_its_column(tmp_path: Path, name: str) -> None:
    wire = WIRES[name]
    async with serving(wire) as (url, _):
        provider = build(tmp_path, name, url)
        (market,) = await provider.candle_markets(MarketQuery(name=wire.collected))
        anchor = provider.capabilities.anchors[0]
        span = Span(CANDLES[0][0], DAY.end)
        page = await provider.candle_fetch(
            FetchRequest(kind=Kind.CANDLES, markets=(market,), timeframe="1m", span=span, anchor=anchor, limit=3)
        )
        await provider.candle_close()
    columns = [column.tolist() for column in page.batch.columns().values()][:6]
    assert [list(row) for row in zip(*columns, strict=True)] == [
        [at, *(float(number) for number in numbers)] for at, *numbers in CANDLES
    ]
