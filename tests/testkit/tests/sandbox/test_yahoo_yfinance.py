"""yfinance's own code on the sandbox: what it makes of the answers, and how many requests that takes.

Its session is the one place that every request passes, hidden ones too; it is where a plugin counts, waits and refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import pytest

from candle_testkit.sandbox import Sandbox, SandboxConfig

from .stocks import STOCKS, ms

# Its own clock is this machine's: an end that lies further back than half an hour goes through a cache.
NOW = "2024-03-15T23:30:00"
pytestmark = pytest.mark.filterwarnings("ignore")


class RefusedError(Exception):
    """An answer that must not reach yfinance, which would ask again at once."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:80]}")
        self.status = status


def session_for(url: str, *, strict: bool) -> Any:
    """A session that asks the sandbox instead of Yahoo; a strict one lets no error answer of the chart pass."""
    requests = pytest.importorskip("curl_cffi.requests")
    target = urlsplit(url)

    class Session(requests.Session):  # type: ignore[misc, name-defined]
        def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            asked = urlsplit(url)
            here = urlunsplit((target.scheme, target.netloc, asked.path or "/", asked.query, ""))
            response = super().request(method, here, *args, **kwargs)
            if strict and response.status_code >= 400 and asked.netloc != "fc.yahoo.com":
                raise RefusedError(response.status_code, response.text)
            return response

    return Session(impersonate="chrome")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    config = SandboxConfig(markets=1, stocks=STOCKS, clock=NOW, speed=0)
    with Sandbox(config) as running:
        yield running


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the library keeps what it learns: what it has once opened it opens nowhere else."""
    return tmp_path_factory.mktemp("yfinance")


@pytest.fixture
def yfinance(kept: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The library with a cache of ours, errors shown, and nothing left of an earlier test."""
    library: Any = pytest.importorskip("yfinance")
    base, data = pytest.importorskip("yfinance.base"), pytest.importorskip("yfinance.data")
    library.set_tz_cache_location(str(kept))
    monkeypatch.setattr(base, "_tz_info_fetch_ctr", 0)
    monkeypatch.setattr(data.SingletonMeta, "_instances", {})
    data.YfData.cache_get.cache_clear()
    library.config.debug.hide_exceptions = False
    yield library
    library.config.debug.hide_exceptions = True


def ticker(yfinance: Any, session: Any, symbol: str, zone: str = "America/New_York") -> Any:
    """A ticker as a plugin makes it: nothing is asked for but what it is told to ask for."""
    data = pytest.importorskip("yfinance.data").YfData(session=session)
    data._cookie, data._crumb = True, "known"
    data.cache_get = data.get
    made = yfinance.Ticker(symbol, session=session)
    made._tz = zone
    return made


def times(frame: Any) -> list[int]:
    return [round(one.timestamp() * 1000) for one in frame.index]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_left_alone_it_asks_for_cookie_crumb_and_zone_first(sandbox: Sandbox, yfinance: Any) -> None:
    session = session_for(sandbox.url, strict=False)
    frame = yfinance.Ticker("AAPL", session=session).history(start="2020-08-24", end="2020-09-05", auto_adjust=False)
    truth = sandbox.stocks.candles("AAPL", "1d", ms("2020-08-24"), ms("2020-09-05"), scale="split")
    np.testing.assert_allclose(frame["Close"], truth["close"], rtol=1e-6)
    np.testing.assert_array_equal(frame["Volume"], truth["volume"])
    assert frame["Stock Splits"].tolist() == [0, 0, 0, 0, 0, 4, 0, 0, 0, 0]
    paths = [request.path for request in sandbox.ledger.requests()]
    assert paths.count("/v8/finance/chart/AAPL") == 2
    assert "/v1/test/getcrumb" in paths
    assert len(paths) == 6


@pytest.mark.parametrize(
    ("symbol", "zone", "interval", "start", "end"),
    [
        ("AAPL", "America/New_York", "1m", "2024-03-08", "2024-03-13"),
        ("AAPL", "America/New_York", "1h", "2023-10-30", "2023-11-28"),
        ("AAPL", "America/New_York", "30m", "2024-03-04", "2024-03-09"),
        ("7203.T", "Asia/Tokyo", "5m", "2024-03-04", "2024-03-09"),
        ("005930.KS", "Asia/Seoul", "1h", "2023-11-13", "2023-11-18"),
    ],
)
def test_a_told_ticker_takes_one_request_and_reads_the_truth(
    sandbox: Sandbox, yfinance: Any, symbol: str, zone: str, interval: str, start: str, end: str
) -> None:
    asked = ticker(yfinance, session_for(sandbox.url, strict=True), symbol, zone)
    frame = asked.history(interval=interval, start=moment(start), end=moment(end), auto_adjust=False, actions=False)
    truth = sandbox.stocks.candles(symbol, interval, ms(start), ms(end), scale="split")
    assert times(frame) == truth["open_time"].tolist(), "the tail of a half day is gone, too"
    np.testing.assert_allclose(frame["High"], truth["high"], rtol=1e-6)
    np.testing.assert_array_equal(frame["Volume"], truth["volume"])
    assert sandbox.ledger.count() == 1


def test_a_live_row_is_taken_in(sandbox: Sandbox, yfinance: Any) -> None:
    sandbox.clock.set("2024-03-15T15:10:20")
    asked = ticker(yfinance, session_for(sandbox.url, strict=True), "AAPL")
    days = asked.history(period="5d", auto_adjust=False)
    assert times(days)[-1] == ms("2024-03-15T04:00"), "midnight: it drops the time of a day"
    minutes = asked.history(period="1d", interval="1m", auto_adjust=False)
    assert times(minutes)[-1] == ms("2024-03-15T15:10")


@pytest.mark.parametrize(
    ("symbol", "interval", "start", "status"),
    [("TWTR", "1d", "2020-01-01", 404), ("AAPL", "1m", "2024-01-02", 422), ("AAPL", "1d", "2024-03-04", 429)],
)
def test_a_refusal_costs_one_request_when_the_session_raises(
    sandbox: Sandbox, yfinance: Any, symbol: str, interval: str, start: str, status: int
) -> None:
    if status == 429:
        sandbox.faults.script("rate_limited", times=9)
    asked = ticker(yfinance, session_for(sandbox.url, strict=True), symbol)
    with pytest.raises(RefusedError) as caught:
        asked.history(interval=interval, start=moment(start), end=moment("2024-03-10"))
    assert caught.value.status == status
    assert sandbox.ledger.count() == 1


def test_a_refusal_costs_more_when_it_reaches_yfinance(sandbox: Sandbox, yfinance: Any) -> None:
    asked = ticker(yfinance, session_for(sandbox.url, strict=False), "AAPL")
    with pytest.raises(yfinance.exceptions.YFPricesMissingError, match="last 30 days"):
        asked.history(interval="1m", start=moment("2024-01-02"), end=moment("2024-01-05"))
    assert sandbox.ledger.count() == 6


def test_the_screener_pages_with_a_real_crumb(sandbox: Sandbox, yfinance: Any) -> None:
    session = session_for(sandbox.url, strict=True)
    query = yfinance.EquityQuery(
        "or", [yfinance.EquityQuery("eq", ["exchange", name]) for name in ("NMS", "NYQ", "ASE")]
    )
    found: list[str] = []
    while True:
        page = yfinance.screen(
            query, offset=len(found), size=2, count=2, sortField="ticker", sortAsc=True, session=session
        )
        found += [quote["symbol"] for quote in page["quotes"]]
        if not page["quotes"] or len(found) >= page["total"]:
            break
    assert found == ["AAPL", "HALT", "META", "NULLS", "THIN"]
    assert sandbox.ledger.count("/v1/finance/screener") == 3
    assert sandbox.ledger.count("/v1/test/getcrumb") == 1
