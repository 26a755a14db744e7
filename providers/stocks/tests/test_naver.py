"""Days from Naver through finance-datareader, over the sandbox: the truth, what it costs, what the library hides."""

import asyncio
import builtins
import importlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from candle_hookspecs import (
    BadRequestError,
    MalformedAnswerError,
    MarketGoneError,
    PluginError,
    RateLimitedError,
    TransientError,
    to_ms,
)
from candle_stocks.naver import source
from candle_stocks.naver.source import MOST, Naver
from candle_testkit.context import OpenGate, make_context
from candle_testkit.sandbox import Sandbox, SandboxConfig, Split, StockConfig

# The library's, about pandas 4.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:FinanceDataReader.naver.data")

DAYS = "/sise.nhn"
NOW = "2024-03-15T15:00:00"
SAMSUNG = StockConfig(
    "005930.KS", "KSC", "Samsung Electronics Co., Ltd.", "70000", "100", listed="2018-03-02",
    splits=[Split("2018-05-04", "50:1")],
)  # fmt: skip
HALTED = StockConfig(
    "247540.KQ", "KOE", "Halted", "20000", "10", listed="2024-01-02",
    halts=[("2024-02-05T00:00", "2024-02-08T00:00")],
)  # fmt: skip
COLUMNS = ("open", "high", "low", "close", "volume")


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(markets=1, stocks=[SAMSUNG, HALTED], clock=NOW, speed=0)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: Sandbox) -> Iterator[Sandbox]:
    shared.faults.clear()
    shared.ledger.clear()
    shared.forgive()
    yield shared
    shared.clock.set(NOW)


@pytest.fixture
def gate() -> OpenGate:
    return OpenGate()


@pytest.fixture
def naver(sandbox: Sandbox, tmp_path: Path, gate: OpenGate) -> Naver:
    return Naver(sandbox.url, 2, make_context(tmp_path, "krx", budget=gate))


def truth(sandbox: Sandbox, symbol: str) -> dict[str, Any]:
    return sandbox.stocks.candles(symbol, "1d", 0, sandbox.clock.now(), scale="split")


def local_days(times: Any) -> list[str]:
    """Of the opens in Seoul, which lie after midnight UTC."""
    days: list[str] = times.astype("datetime64[ms]").astype("datetime64[D]").astype(str).tolist()
    return days


def test_days_are_the_truth_in_whole_won_of_today(naver: Naver, sandbox: Sandbox, gate: OpenGate) -> None:
    days, expected = naver.days("005930"), truth(sandbox, "005930.KS")
    # It is past midnight there: the 15th is over.
    assert days.dates.astype(str).tolist() == local_days(expected["open_time"])
    assert str(days.dates[-1]) == "2024-03-15"
    for name in COLUMNS:
        np.testing.assert_array_equal(days.columns[name], np.rint(expected[name]), name)
    assert days.columns["close"][0] < 100_000, "two and a half million, fifty shares for one"
    assert days.complete
    assert days.moment == to_ms(NOW)
    (asked,) = sandbox.ledger.requests()
    assert (asked.path, dict(asked.params)) == (
        DAYS, {"timeframe": "day", "count": str(MOST), "requestType": "0", "symbol": "005930"},
    )  # fmt: skip
    assert [costs["requests"] for costs in gate.spent] == [1]


def test_today_is_left_out_until_it_is_over_in_seoul(naver: Naver, sandbox: Sandbox) -> None:
    for now, last in (("2024-03-14T23:59", "2024-03-14"), ("2024-03-15T14:59", "2024-03-14"), (NOW, "2024-03-15")):
        sandbox.clock.set(now)
        assert str(naver.days("005930").dates[-1]) == last


def test_the_date_of_this_machine_does_not_matter(naver: Naver, sandbox: Sandbox) -> None:
    """The library ends with the machine's own date, if nobody tells it another."""
    sandbox.clock.set("2030-06-04T15:00")
    assert str(naver.days("005930").dates[-1]) == "2030-06-04", "a day that this machine has not seen"


def test_a_day_without_a_trade_is_no_candle(naver: Naver, sandbox: Sandbox) -> None:
    days = naver.days("247540")
    assert days.dates.astype(str).tolist() == local_days(truth(sandbox, "247540.KQ")["open_time"])
    assert {"2024-02-05", "2024-02-06", "2024-02-07"}.isdisjoint(days.dates.astype(str).tolist())
    assert (days.columns["low"] > 0).all()


def test_what_was_paid_for_is_not_paid_again(naver: Naver, gate: OpenGate) -> None:
    naver.days("005930", paid=True)
    assert gate.spent == []
    naver.days("005930")
    assert len(gate.spent) == 1


def test_threads_do_not_mix(naver: Naver, sandbox: Sandbox, gate: OpenGate) -> None:
    expected = {code: len(naver.days(code).dates) for code in ("005930", "247540")}
    sandbox.faults.script("slow", times=4, seconds=0.2)
    codes = ["005930", "247540"] * 4
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda code: len(naver.days(code).dates), codes))
    assert found == [expected[code] for code in codes]
    assert len(gate.spent) == sandbox.ledger.count() == 10


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "options", "error", "told"),
    [
        ("status", {"status": 500}, TransientError, "Naver answered 500"),
        ("status", {"status": 403}, BadRequestError, "Naver answered 403.* naver_url"),
        ("status", {"status": 404}, BadRequestError, "Naver answered 404"),
        ("html", {}, MalformedAnswerError, "not Naver's document"),
        ("truncated", {}, MalformedAnswerError, "or cut"),
        ("truncated", {"keep": 0.0}, MalformedAnswerError, "or cut"),
        ("reset", {}, TransientError, "127.0.0.1"),
        ("slow", {"seconds": 5.0}, TransientError, "127.0.0.1"),
        ("lying_empty", {}, MarketGoneError, "no day of '005930'"),
        ("duplicates", {"rows": 3}, MalformedAnswerError, "twice"),
        ("nan", {"column": 4}, MalformedAnswerError, "cannot be"),
        ("nan", {"column": 0}, MalformedAnswerError, "no table of days"),
        ("wrong_shape", {"shape": "short_row"}, MalformedAnswerError, "cannot be"),
        ("wrong_shape", {"shape": "null_price"}, MalformedAnswerError, "cannot be"),
        ("wrong_shape", {"shape": "object"}, MalformedAnswerError, "not Naver's document"),
    ],
)
def test_what_the_library_swallows_is_an_error(
    naver: Naver, sandbox: Sandbox, gate: OpenGate, capsys: pytest.CaptureFixture[str], kind: str,
    options: dict[str, Any], error: type[Exception], told: str,
) -> None:  # fmt: skip
    sandbox.faults.script(kind, **options)
    with pytest.raises(error, match=told):
        naver.days("005930")
    assert len(gate.spent) == 1
    assert capsys.readouterr() == ("", "")
    assert len(naver.days("005930").dates) == len(truth(sandbox, "005930.KS")["open_time"]), "and nothing is kept of it"


def test_a_rate_limit_pauses_everything_and_is_not_repeated(naver: Naver, sandbox: Sandbox, gate: OpenGate) -> None:
    sandbox.faults.script("rate_limited", times=9)
    with pytest.raises(RateLimitedError) as caught:
        naver.days("005930")
    assert caught.value.retry_after == source.PAUSE
    assert gate.paused == [source.PAUSE]
    assert len(gate.spent) == 1


def test_order_does_not_matter(naver: Naver, sandbox: Sandbox) -> None:
    sandbox.faults.script("reordered")
    assert naver.days("005930").dates.astype(str).tolist() == local_days(truth(sandbox, "005930.KS")["open_time"])


def test_a_stock_that_nobody_knows(naver: Naver, gate: OpenGate) -> None:
    with pytest.raises(MarketGoneError, match="'999999'"):
        naver.days("999999")
    spent = len(gate.spent)
    for code in ("", "5930", "005930.KS", "005930,000660", "../../x", "00593O "):
        with pytest.raises(BadRequestError, match="six characters"):
            naver.days(code)
    assert len(gate.spent) == spent


async def serve(text: str, *, moved: bool = False) -> tuple[web.AppRunner, str]:
    """A server that answers this, or moves away for ever."""

    async def answer(request: web.Request) -> web.Response:
        if moved:
            raise web.HTTPFound(f"{request.path_qs}&again=1")
        return web.Response(body=text.encode("euc-kr"), content_type="text/xml")

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


DOCUMENT = '<?xml version="1.0" encoding="EUC-KR" ?>\n<protocol><chartdata name="삼성전자">{}</chartdata></protocol>'


async def ask(text: str, tmp_path: Path, *, moved: bool = False, gate: OpenGate | None = None) -> Any:
    runner, url = await serve(text, moved=moved)
    try:
        naver = Naver(f"{url}/behind/", 5, make_context(tmp_path, "krx", budget=gate or OpenGate()))
        return await asyncio.to_thread(naver.days, "005930")
    finally:
        await runner.cleanup()


async def test_a_name_in_korean_does_not_hinder(tmp_path: Path) -> None:
    days = await ask(DOCUMENT.format('<item data="20240102|78200|79800|78200|79600|17142847" />'), tmp_path)
    assert [column.tolist() for column in days.columns.values()] == [[78200], [79800], [78200], [79600], [17142847]]


async def test_six_thousand_days_are_not_all_there_are(tmp_path: Path) -> None:
    dates = np.arange(MOST) + np.datetime64("2003-01-01", "D")
    items = [f'<item data="{str(day).replace("-", "")}|2|3|1|2|5" />' for day in dates]
    assert not (await ask(DOCUMENT.format("".join(items)), tmp_path)).complete
    assert (await ask(DOCUMENT.format("".join(items[1:])), tmp_path)).complete


@pytest.mark.parametrize("row", ["20240102|100|90|95|100|5", "20240102|100|110|105|100|5", "20240102|100|110|90|100|-5",
                                 "20240102|100|110|0|100|5"])  # fmt: skip
async def test_prices_that_cannot_be(tmp_path: Path, row: str) -> None:
    with pytest.raises(MalformedAnswerError, match="2024-01-02 of '005930'"):
        await ask(DOCUMENT.format(f'<item data="{row}" />'), tmp_path)


async def test_an_address_that_moves_for_ever_is_left(tmp_path: Path) -> None:
    gate = OpenGate()
    with pytest.raises(BadRequestError, match="302"):
        await ask("", tmp_path, moved=True, gate=gate)
    assert len(gate.spent) == 1 + 3, "each paid for"


def test_a_closed_port_may_open(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:9/sise\.nhn"):
        Naver("http://127.0.0.1:9", 2, make_context(tmp_path, "krx")).days("005930")


# ── the library ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_library_itself_is_left_as_it_was(naver: Naver) -> None:
    data: Any = importlib.import_module("FinanceDataReader.naver.data")
    requests: Any = importlib.import_module("requests")
    naver.days("005930")
    assert data.requests is requests
    assert "print" not in vars(data)
    assert builtins.print is print


def test_without_the_library_it_is_told_what_to_install(naver: Naver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "FinanceDataReader"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "FinanceDataReader", None)
    with pytest.raises(PluginError, match=r"pip install 'candle-stocks\[krx\]'"):
        naver.days("005930")


def test_a_library_that_asks_by_itself_is_not_believed(naver: Naver, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    class Other:
        def __init__(self, *_: object) -> None: ...

        def days(self, _: str) -> Any:
            return pd.DataFrame()

    monkeypatch.setattr(source, "Library", Other)
    with pytest.raises(PluginError, match="past us"):
        naver.days("005930")


def test_importing_costs_no_library() -> None:
    code = "import sys, candle_stocks.naver.source as _; print({'pandas', 'FinanceDataReader'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
