"""What is imported is paid for by everybody; yfinance, pandas and the calendars are paid for by who needs them."""

import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from candle_hookspecs import Span
from candle_stocks.calendars import Calendar
from candle_testkit.sandbox import Sandbox, SandboxConfig
from providers.stocks.tests.stand import NOW, STOCKS, chart_body

LARGE = {"yfinance", "pandas", "exchange_calendars", "curl_cffi", "FinanceDataReader"}
SPAN = Span.of("2024-01-01", "2024-03-01")

BUILD = """
import pathlib, sys
from candle_hookspecs import MarketQuery, Span
from candle_stocks.provider import StocksProvider
from candle_testkit.context import make_context

settings = StocksProvider.Settings.model_validate({"chart_url": sys.argv[1]})
provider = StocksProvider(settings, make_context(pathlib.Path(sys.argv[2]), "nasdaq"))
"""
DECODE = "assert len(provider.candle_decode((pathlib.Path(sys.argv[2]) / 'chart.json').read_bytes())) > 20\n"
QUOTES = """
from candle_stocks.yahoo.quotes import parse

(quote,) = parse(b'{"quoteResponse":{"result":[{"symbol":"AAPL","regularMarketPrice":190.5}],"error":null}}')
assert str(quote.regular_market_price) == "190.5"
"""
SESSIONS = 'assert len(provider.candle_calendar(Span.of("2024-01-01", "2024-03-01"))) == 41\n'
ONE_MARKET = 'assert len(provider.candle_markets(MarketQuery(name="AAPL"))) == 1\nprovider.candle_close()\n'
ALL_MARKETS = "assert len(provider.candle_markets(MarketQuery())) > 1\nprovider.candle_close()\n"


def modules_after(code: str, *arguments: str | Path) -> set[str]:
    """The top-level modules of a fresh interpreter after the code."""
    program = textwrap.dedent(code) + "\nimport sys\nprint(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(run.stdout.splitlines()[-1].split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder whose cache knows the sessions; a chart lies in it."""
    Calendar("XNYS", tmp_path / "cache" / "nasdaq", logger=logging.getLogger("candle.test")).sessions(SPAN)
    with Sandbox(SandboxConfig(markets=1, stocks=STOCKS, clock=NOW, speed=0)) as sandbox:
        (tmp_path / "chart.json").write_bytes(chart_body(sandbox, "AAPL", "1d", "2024-01-01", "2024-03-01"))
    return tmp_path


def test_importing_the_plugin_imports_nothing_large() -> None:
    found = modules_after("import candle_stocks.provider")
    assert not found & (LARGE | {"polars", "pyarrow", "candle_core", "candle_testkit"})
    assert "msgspec" in found, "else this test looks at nothing"


def test_decoding_and_known_sessions_import_nothing_large(folder: Path) -> None:
    assert not modules_after(BUILD + DECODE + QUOTES + SESSIONS, "http://127.0.0.1:9", folder) & LARGE


def test_who_needs_it_imports_it(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with Sandbox(SandboxConfig(markets=1, stocks=STOCKS, clock=NOW, speed=0)) as sandbox:
        assert modules_after(BUILD + ONE_MARKET, sandbox.url, folder) & LARGE == {"curl_cffi"}
        assert {"yfinance", "pandas"} <= modules_after(BUILD + ALL_MARKETS, sandbox.url, folder)
    cold = tmp_path_factory.mktemp("cold")
    assert {"exchange_calendars", "pandas"} <= modules_after(BUILD + SESSIONS, "http://127.0.0.1:9", cold)


def test_a_listing_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    settings = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    with Sandbox(SandboxConfig(markets=1, clock="2024-03-15", speed=0)) as sandbox:
        program = BUILD + ALL_MARKETS + 'assert "yfinance" in sys.modules, "else this looks at nothing"'
        command = [sys.executable, "-c", program, sandbox.url, str(tmp_path / "cache")]
        subprocess.run(command, env={**settings, "HOME": str(home)}, check=True)
    assert list(home.rglob("*")) == [], "yfinance keeps cookies and time zones there, if it is let"
