"""What is imported is paid for by everybody; aiohttp is paid for by who asks, ccxt by who lists all markets."""

import subprocess
import sys
import textwrap

from candle_testkit.sandbox import Sandbox, SandboxConfig


def modules_after(code: str, *arguments: str) -> set[str]:
    """The top-level modules of a fresh interpreter after the code."""
    program = textwrap.dedent(code) + "\nimport sys\nprint(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return set(run.stdout.splitlines()[-1].split())


def test_importing_the_plugin_imports_no_ccxt_and_nothing_to_ask_with() -> None:
    found = modules_after("import candle_binance.provider")
    assert not found & {"aiohttp", "ccxt", "pandas", "polars", "pyarrow", "candle_core", "candle_testkit"}
    assert "msgspec" in found, "else this test looks at nothing"


FETCH = """
import asyncio, logging, pathlib, sys
from candle_binance.provider import BinanceProvider
from candle_hookspecs import FetchRequest, MarketQuery, Span
from candle_testkit.context import make_context

async def main():
    settings = BinanceProvider.Settings.model_validate({"rest_url": sys.argv[1]})
    provider = BinanceProvider(settings, make_context(pathlib.Path(), "binance"))
    (market,) = await provider.candle_markets(MarketQuery(name="BTC/USDT"))
    request = FetchRequest(markets=(market,), timeframe="1m", span=Span.of("2024-01-01", "2024-01-02"), limit=10)
    assert len((await provider.candle_fetch(request)).batch) == 10
    if sys.argv[2] == "all":
        assert len(await provider.candle_markets(MarketQuery())) == 2
    await provider.candle_close()

asyncio.run(main())
"""


def test_collecting_a_market_imports_no_ccxt() -> None:
    with Sandbox(SandboxConfig(markets=2, clock="2024-03-01")) as sandbox:
        assert modules_after(FETCH, sandbox.url, "one") & {"aiohttp", "ccxt"} == {"aiohttp"}
        assert "ccxt" in modules_after(FETCH, sandbox.url, "all")
