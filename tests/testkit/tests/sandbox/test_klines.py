"""Klines as the wire has them."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from candle_testkit.sandbox import Sandbox

from .conftest import Client


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


async def test_a_row_has_twelve_elements_of_the_wires_types(client: Client) -> None:
    (row,) = await client.klines(interval="1h", startTime=ms("2024-01-10T05:00"), limit=1)
    assert [type(element) for element in row] == [int, str, str, str, str, str, int, str, int, str, str, str]
    assert row[0] == ms("2024-01-10T05:00")
    assert row[6] == row[0] + 3_600_000 - 1
    assert row[11] == "0"
    for text in (*row[1:6], row[7], row[9], row[10]):
        assert re.fullmatch(r"\d+\.\d{8}", text)
    low, high, volume, quote = (Decimal(row[i]) for i in (3, 2, 5, 7))
    assert low * volume <= quote <= high * volume


async def test_what_the_wire_says_is_what_the_ledger_holds(client: Client, sandbox: Sandbox) -> None:
    start, end = ms("2024-02-03T09:00"), ms("2024-02-03T16:00")
    rows = await client.klines(interval="1m", startTime=start, endTime=end - 1, limit=1000)
    truth = sandbox.ledger.candles("BTCUSDT", "1m", start, end)
    names = (
        "open_time", "open", "high", "low", "close", "volume", "close_time",
        "quote_volume", "trades", "taker_buy_volume", "taker_buy_quote_volume",
    )  # fmt: skip
    assert len(rows) == 7 * 60 - (3 * 60 + 44)
    for column, name in enumerate(names):
        assert [float(row[column]) for row in rows] == truth[name].tolist()


async def test_both_ends_are_inclusive_on_the_open_time(client: Client) -> None:
    start = ms("2024-01-10T05:00")
    assert [row[0] for row in await client.klines(startTime=start, endTime=start)] == [start]
    rows = await client.klines(startTime=start + 1, endTime=start + 120_000)
    assert [row[0] for row in rows] == [start + 60_000, start + 120_000]
    assert await client.klines(startTime=start, endTime=start - 1) == []


async def test_start_anchors_forward_and_its_absence_backward(client: Client) -> None:
    start, end = ms("2024-01-10"), ms("2024-01-11")
    forward = await client.klines(startTime=start, endTime=end, limit=3)
    assert [row[0] for row in forward] == [start, start + 60_000, start + 120_000]
    backward = await client.klines(endTime=end, limit=3)
    assert [row[0] for row in backward] == [end - 120_000, end - 60_000, end]
    newest = await client.klines(limit=2)
    assert [row[0] for row in newest] == [ms("2024-03-15T10:29"), ms("2024-03-15T10:30")]


async def test_a_page_reaches_across_a_hole(client: Client) -> None:
    forward = await client.klines(interval="1h", startTime=ms("2024-02-29T22:00"), limit=4)
    hours = [row[0] for row in forward]
    assert hours == [ms(t) for t in ("2024-02-29T22:00", "2024-02-29T23:00", "2024-03-05T06:00", "2024-03-05T07:00")]
    backward = await client.klines(interval="1h", endTime=ms("2024-03-05T07:30"), limit=4)
    assert backward == forward


async def test_before_the_listing_there_is_nothing_and_then_the_first_candle(client: Client) -> None:
    (first,) = await client.klines(startTime=0, limit=1)
    assert first[0] == ms("2023-12-30T17:23")
    assert await client.klines(startTime=0, endTime=first[0] - 1) == []
    assert await client.klines(endTime=first[0] - 1) == []
    assert len(await client.klines(symbol="OLDUSDT", interval="1d")) == 51
    assert await client.klines(symbol="OLDUSDT", startTime=ms("2024-02-20T08:00")) == []
    # Seconds sent by mistake are milliseconds of January 1970.
    assert await client.klines(startTime=1_704_067_200, endTime=1_704_153_600) == []


async def test_limits_default_to_500_and_are_clamped_to_1000(client: Client) -> None:
    assert len(await client.klines()) == 500
    assert len(await client.klines(limit=5000)) == 1000


async def test_the_unfinished_candle_comes_last_and_grows(client: Client, sandbox: Sandbox) -> None:
    opened = ms("2024-03-15T10:00")
    rows = await client.klines(interval="1h", startTime=opened - 3_600_000)
    assert [row[0] for row in rows] == [opened - 3_600_000, opened]
    young = rows[-1]
    assert young[6] > sandbox.clock.now()
    sandbox.clock.advance(10 * 60_000)
    older = (await client.klines(interval="1h", limit=1))[-1]
    assert Decimal(older[5]) > Decimal(young[5])
    assert older[1] == young[1]
    sandbox.clock.set(opened + 3_600_000)
    final, after = await client.klines(interval="1h", limit=2)
    assert Decimal(final[5]) > Decimal(older[5])
    assert (final[0], after[0], after[5]) == (opened, opened + 3_600_000, "0.00000000")
    closed = sandbox.ledger.candles("BTCUSDT", "1h", opened, opened + 7_200_000)
    assert closed["open_time"].tolist() == [opened]


@pytest.mark.parametrize(
    ("interval", "opened", "closed"),
    [
        ("1s", "2024-02-14T11:22:33", "2024-02-14T11:22:33.999"),
        ("12h", "2024-02-14T00:00", "2024-02-14T11:59:59.999"),
        ("1d", "2024-02-14", "2024-02-14T23:59:59.999"),
        ("3d", "2024-02-14", "2024-02-16T23:59:59.999"),
        ("1w", "2024-02-12", "2024-02-18T23:59:59.999"),
        ("1M", "2024-02-01", "2024-02-29T23:59:59.999"),
    ],
)
async def test_the_grids_are_the_calendars(client: Client, interval: str, opened: str, closed: str) -> None:
    (row,) = await client.klines(interval=interval, endTime=ms("2024-02-14T11:22:33"), limit=1)
    assert (row[0], row[6] / 1000) == (ms(opened), datetime.fromisoformat(closed).replace(tzinfo=UTC).timestamp())


async def test_microseconds_on_request(client: Client) -> None:
    start = ms("2024-01-10")
    plain = await client.klines(startTime=start, limit=1)
    reply = await client.get(
        "/api/v3/klines", {"X-MBX-TIME-UNIT": "MICROSECOND"},
        symbol="BTCUSDT", interval="1m", startTime=start * 1000, limit=1,
    )  # fmt: skip
    assert reply.json[0][0] == start * 1000
    assert reply.json[0][6] == plain[0][6] * 1000 + 999
    assert (await client.get("/api/v3/time", {"X-MBX-TIME-UNIT": "DAY"})).json["code"] == -1194


async def test_gzip_headers_and_the_exchanges_own_date(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/api/v3/klines?symbol=BTCUSDT&interval=1m"
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        async with session.get(url, headers={"Accept-Encoding": "gzip"}) as packed:
            assert packed.headers["Content-Encoding"] == "gzip"
            body = gzip.decompress(await packed.read())
        async with session.get(url, headers={"Accept-Encoding": "identity"}) as plain:
            assert "Content-Encoding" not in plain.headers
            assert await plain.read() == body
            assert plain.headers["Date"] == "Fri, 15 Mar 2024 10:30:20 GMT"
            names = [name.decode() for name, _ in plain.raw_headers]
    assert "x-mbx-used-weight-1m" in names
    assert "x-mbx-used-weight" in names


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"interval": "1m"}, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        ({"symbol": "BTCUSDT"}, -1102, "Mandatory parameter 'interval' was not sent, was empty/null, or malformed."),
        ({"symbol": "", "interval": "1m"}, -1105, "Parameter 'symbol' was empty."),
        ({"symbol": "NOPE", "interval": "1m"}, -1121, "Invalid symbol."),
        ({"symbol": "NEWUSDT", "interval": "1m"}, -1121, "Invalid symbol."),
        ({"symbol": "btcusdt", "interval": "1m"}, -1100, None),
        ({"symbol": "BTCUSDT", "interval": "1H"}, -1120, "Invalid interval."),
        ({"symbol": "BTCUSDT", "interval": "1m", "limit": "-1"}, -1100, None),
        ({"symbol": "BTCUSDT", "interval": "1m", "limit": "0"}, -1130, "Data sent for parameter 'limit' is not valid."),
        ({"symbol": "BTCUSDT", "interval": "1m", "startTime": "today"}, -1100, None),
        (
            {"symbol": "BTCUSDT", "interval": "1m", "from": "1", "to": "2"},
            -1104,
            "Not all sent parameters were read; read '2' parameter(s) but was sent '4'.",
        ),
        ({"symbol": "BTCUSDT", "interval": "1m", "timeZone": "8"}, -1020, "This operation is not supported."),
    ],
)
async def test_errors_are_binances(client: Client, params: dict[str, Any], code: int, message: str | None) -> None:
    reply = await client.get("/api/v3/klines", **params)
    assert (reply.status, reply.json["code"]) == (400, code)
    assert message in (None, reply.json["msg"])
    assert "x-mbx-used-weight" in reply.headers


async def test_doubled_parameters_and_unknown_paths(client: Client) -> None:
    reply = await client.get("/api/v3/klines?symbol=BTCUSDT&symbol=BTCUSDT&interval=1m")
    assert reply.json["code"] == -1101
    reply = await client.get("/api/v1/klines")
    assert (reply.status, reply.headers["Content-Type"].split(";")[0]) == (404, "text/html")
