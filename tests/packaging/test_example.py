"""What a third party brings: the example is installed beside us, and collects candles without a change to us."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from candle_hookspecs import to_ms
from candle_testkit.sandbox import MarketConfig, Sandbox, SandboxConfig
from tests.distributions import ROOT
from tests.packaging.environments import python

SOURCES: Final = sorted((ROOT / "examples" / "candle-example" / "src").rglob("*.py"))
MARKETS: Final = [
    MarketConfig("BTCUSDT", "BTC", "USDT", holes=[("2024-03-01T06:00", "2024-03-01T07:00")]),
    MarketConfig("ETHBTC", "ETH", "BTC", tick="0.00001", step="0.001"),
]
DAY: Final = ["EXAMPLE", "SPOT", "BTC/USDT", "1m", "--start", "2024-03-01", "--end", "2024-03-02"]


def test_the_example_is_one_short_file() -> None:
    (source,) = SOURCES
    assert len(source.read_text("utf-8").splitlines()) <= 60


@pytest.fixture(scope="module")
def before(clean_python: Path, tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What the command line says of the exchange before the example is installed."""
    command: list[str | Path] = [clean_python.with_name("candle"), "markets", "EXAMPLE"]
    folder = tmp_path_factory.mktemp("before")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def candle(clean_python: Path, wheels: dict[str, Path], before: subprocess.CompletedProcess[str]) -> Iterator[Path]:
    """The `candle` of the clean environment, with the example in it for as long as this module runs."""
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", clean_python]
    python(*pip, "install", "-qq", "--no-index", wheels["candle-example"])  # all it depends on is there already
    yield clean_python.with_name("candle")
    python(*pip, "uninstall", "-qq", "--yes", "candle-example")


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """An exchange, and the example pointed to it by ./candle.toml."""
    with Sandbox(SandboxConfig(markets=MARKETS, clock="2024-03-05", speed=0)) as sandbox:
        (tmp_path / "candle.toml").write_text(f'[providers.example]\nrest_url = "{sandbox.url}"\n')
        yield sandbox


def test_nobody_knows_it_before(before: subprocess.CompletedProcess[str]) -> None:
    assert before.returncode == 2, before.stderr
    assert "'example'" in before.stderr


def test_its_markets_are_listed(candle: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    told = json.loads(python(candle, "markets", "EXAMPLE", "--json", cwd=tmp_path))["markets"]
    listed = {row["native_id"]: (row["exchange"], row["base"], row["quote"], row["price_tick"]) for row in told}
    assert listed == {one.symbol: ("EXAMPLE", one.base, one.quote, one.tick) for one in MARKETS}


def test_its_candles_are_collected(candle: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    python(candle, "collect", *DAY, cwd=tmp_path)  # a collection that is not complete ends with an error
    sent = sandbox.ledger.count("/api/v3/klines")
    python(candle, "load", *DAY, "-o", "day.csv", cwd=tmp_path)
    python(candle, "collect", *DAY, cwd=tmp_path)
    assert sandbox.ledger.count("/api/v3/klines") == sent > 0, "what is proven is not asked for again"
    with (tmp_path / "day.csv").open(newline="") as file:
        closes = [float(row["close"]) for row in csv.DictReader(file)]
    truth = sandbox.ledger.candles("BTCUSDT", "1m", to_ms("2024-03-01"), to_ms("2024-03-02"))
    assert len(closes) == 1440 - 60
    assert closes == truth["close"].tolist()
