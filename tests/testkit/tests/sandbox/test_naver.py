"""Naver's days over plain HTTP, and as finance-datareader reads them. Expected is what the ledger or a hand says."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest

from candle_testkit.sandbox import Sandbox, SandboxConfig, Split, StockConfig

from .conftest import Client

DAYS = "/sise.nhn"
NOW = "2024-03-15T05:00:00"
SAMSUNG = StockConfig(
    "005930.KS", "KSC", "Samsung Electronics Co., Ltd.", "70000", "100", listed="2018-03-02",
    splits=[Split("2018-05-04", "50:1")],
)  # fmt: skip
HALTED = StockConfig(
    "247540.KQ", "KOE", "Halted", "20000", "10", listed="2024-01-02",
    halts=[("2024-02-05T00:00", "2024-02-08T00:00")],
)  # fmt: skip
APPLE = StockConfig("AAPL")


@pytest.fixture
def config() -> SandboxConfig:
    return SandboxConfig(markets=1, stocks=[SAMSUNG, HALTED, APPLE], clock=NOW, speed=0)


async def items(client: Client, symbol: str = "005930", count: int = 6000, **more: str) -> list[list[str]]:
    asked: dict[str, Any] = {"timeframe": "day", "count": count, "requestType": 0, **more}
    reply = await client.get(DAYS, symbol=symbol, **asked)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/xml;charset=EUC-KR"
    (chart,) = ElementTree.fromstring(reply.text.replace(' encoding="EUC-KR"', ""))
    assert chart.attrib["symbol"] == symbol
    return [one.attrib["data"].split("|") for one in chart]


async def test_days_are_in_shares_of_now_and_whole_won(client: Client, sandbox: Sandbox) -> None:
    told = await items(client)
    truth = sandbox.stocks.candles("005930.KS", "1d", 0, sandbox.clock.now(), scale="split", include_open=True)
    days = truth["open_time"].astype("M8[ms]").astype("M8[D]").astype(str)
    assert [row[0] for row in told] == [day.replace("-", "") for day in days]
    for place, name in enumerate(("open", "high", "low", "close", "volume"), 1):
        assert [int(row[place]) for row in told] == np.rint(truth[name]).astype(int).tolist()
    assert told[-1][0] == "20240315", "today, as far as it has come"
    assert sandbox.ledger.requests()[-1].rows == len(told)


async def test_only_the_newest_are_told(client: Client, sandbox: Sandbox) -> None:
    everything = await items(client)
    assert await items(client, count=10) == everything[-10:]
    assert await items(client, count=9000) == everything
    sandbox.clock.set("2018-05-03T05:00")
    before = await items(client)
    assert int(before[0][4]) > 40 * int(everything[0][4]), "before the split it was told in the shares of then"


async def test_a_day_without_a_trade_has_its_last_close_alone(client: Client) -> None:
    told = {row[0]: row[1:] for row in await items(client, "247540")}
    close = told["20240202"][3]
    for day in ("20240205", "20240206", "20240207"):
        assert told[day] == ["0", "0", "0", close, "0"]


async def test_what_it_does_not_know_has_no_days(client: Client) -> None:
    for symbol in ("999999", "AAPL", ""):
        assert await items(client, symbol) == []
    assert await items(client, timeframe="minute") == []


async def test_faults_strike_its_rows_and_its_text(client: Client, sandbox: Sandbox) -> None:
    everything = await items(client)
    for kind, options, expected in (
        ("lying_empty", {}, []),
        ("short", {"rows": 2}, everything[:-2]),
        ("duplicates", {"rows": 1}, [everything[0], *everything]),
        ("nan", {"column": 2}, [*everything[:-1], [*everything[-1][:2], "NaN", *everything[-1][3:]]]),
        ("wrong_shape", {"shape": "short_row"}, [*everything[:-1], everything[-1][:-1]]),
        ("wrong_shape", {"shape": "null_price"}, [*everything[:-1], [*everything[-1][:4], "null", everything[-1][5]]]),
    ):
        sandbox.faults.script(kind, symbol="005930.KS", **options)
        assert await items(client) == expected, kind
    for kind, status in (("truncated", 200), ("html", 200), ("status", 500), ("rate_limited", 429)):
        sandbox.faults.script(kind, path=DAYS)
        reply = await client.get(DAYS, symbol="005930", timeframe="day", count="6000")
        assert reply.status == status
        assert "</protocol>" not in reply.text
    sandbox.faults.script("wrong_shape", path=DAYS)
    assert (await client.get(DAYS, symbol="005930", timeframe="day", count="6000")).text == '{"rows": []}'


@pytest.mark.filterwarnings("ignore::DeprecationWarning:FinanceDataReader.naver.data")
async def test_the_library_reads_the_truth(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    library: Any = pytest.importorskip("FinanceDataReader")
    requests: Any = pytest.importorskip("requests")
    original = requests.get

    def get(url: str) -> Any:
        asked = urlsplit(url)
        assert asked.netloc == "fchart.stock.naver.com"
        return original(f"{sandbox.url}{asked.path}?{asked.query}", timeout=120)

    monkeypatch.setattr(requests, "get", get)
    frame = await asyncio.to_thread(library.DataReader, "NAVER:005930", "2018-04-01", "2018-06-01")
    start, end = (int(np.datetime64(day, "ms").astype(int)) for day in ("2018-04-01", "2018-06-02"))
    truth = sandbox.stocks.candles("005930.KS", "1d", start, end, scale="split")
    assert frame.index.strftime("%Y-%m-%d").tolist() == [
        str(day) for day in truth["open_time"].astype("M8[ms]").astype("M8[D]")
    ]
    for name in ("open", "high", "low", "close", "volume"):
        assert frame[name.capitalize()].tolist() == np.rint(truth[name]).tolist()
    assert [one.params["count"] for one in sandbox.ledger.requests()] == ["6000"]
