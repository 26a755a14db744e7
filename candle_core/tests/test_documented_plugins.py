"""docs/plugins.md tells the truth: its plugins run, its table has every hook, and every hook is tested."""

import importlib
import inspect
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import candle_core
from candle_core.registry import new_manager, register
from candle_hookspecs import Cache, CandleSpecs, RateLimitedError, to_ms
from candle_testkit.contracts.cache import CacheContract

Install = Callable[..., None]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
HOOKS = {name: getattr(CandleSpecs, name) for name in dir(CandleSpecs) if name.startswith("candle_")}
MINUTE = 60_000


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_hook_stands_in_the_table_with_its_exact_arguments() -> None:
    rows = re.findall(r"^\| `(candle_\w+)\((.*?)\)` \|", PAGE, re.MULTILINE)
    signatures = {name: ", ".join(list(inspect.signature(hook).parameters)[1:]) for name, hook in HOOKS.items()}
    assert dict(rows) == signatures
    assert len(rows) == len(signatures), "each once"


def test_every_hook_appears_in_a_test() -> None:
    lists = {"test_specs.py", Path(__file__).name}  # they name every hook without calling any
    files = [
        *ROOT.glob("*/tests/**/*.py"), *ROOT.glob("providers/*/tests/**/*.py"),
        *ROOT.glob("storage_backends/*/tests/**/*.py"), *ROOT.glob("tests/**/*.py"),
    ]  # fmt: skip
    texts = [file.read_text(encoding="utf-8") for file in files if file.name not in lists]
    assert [name for name in HOOKS if not any(name in text for text in texts)] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = sorted(page.name for page in folder.glob("0*.md"))
    assert re.findall(r"\]\((0.*?\.md)\)", index) == pages
    assert [int(page[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = (folder / page).read_text(encoding="utf-8")
        missing = [part for part in ("**Context.**", "**Decision.**", "**Consequence.**") if part not in text]
        assert missing == [], page


# ── the examples ────────────────────────────────────────────────────────────────────────────────────────────────────

provider_source, extension_source, cache_source = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
HOLE = range(to_ms("2023-11-01T03:00"), to_ms("2023-11-01T05:00"), MINUTE)


class ExampleExchange(BaseHTTPRequestHandler):
    """The exchange that the page's provider speaks to: one market, dense but for one hole."""

    server: "Loopback"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if self.server.refusals:
            self.server.refusals -= 1
            self.send_response(429)
            self.send_header("Retry-After", "7")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        rows = self.candles(query) if url.path == "/candles" else [
            {"base": "BTC", "quote": "USDT", "id": "BTC-USDT", "tick": "0.01"}
        ]  # fmt: skip
        body = json.dumps(rows).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @staticmethod
    def candles(query: dict[str, str]) -> list[list[float]]:
        limit = int(query["limit"])
        if "from" in query:
            first = -(-int(query["from"]) // MINUTE) * MINUTE
            times = [time for time in range(first, first + 2_000 * MINUTE, MINUTE) if time not in HOLE][:limit]
        else:
            last = int(query["to"]) // MINUTE * MINUTE
            times = [time for time in range(last - 2_000 * MINUTE, last + 1, MINUTE) if time not in HOLE][-limit:]
        return [[time, 1.0, 2.0, 0.5, time / MINUTE, 10.0] for time in times]

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


class Loopback(ThreadingHTTPServer):
    """A server that remembers what it was asked."""

    asked: list[str]
    refusals = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback(("127.0.0.1", 0), ExampleExchange) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def config(install: Install, server: Loopback) -> dict[str, Any]:
    """Both examples installed and configured."""
    install(
        "documented-example",
        "[candle.providers]\nexample = documented_example:ExampleProvider\n"
        "[candle.extensions]\ntiming = candle_timing:Timing\n",
        documented_example=provider_source,
        candle_timing=extension_source,
    )
    return {
        "storage": {"backend": "memory"},
        "defaults": {"exchange": "EXAMPLE", "tradetype": "SPOT"},
        "providers": {"example": {"rest_url": server.url}},
        "extensions": {"timing": {"warn_after": 60}},
    }


async def test_the_provider_of_the_page_collects_candles(config: dict[str, Any], server: Loopback) -> None:
    whole: dict[str, Any] = {"start": "2023-11-01", "end": "2023-11-02"}
    async with candle_core.open(config) as candles:
        (market,) = await candles.markets("EXAMPLE")
        assert (market.ccxt_symbol, str(market.price_tick)) == ("BTC/USDT", "0.01")
        summary = await candles.collect_candles_only("BTC/USDT", "1m", **whole)
        batch = await candles.load("btc-usdt", "1m")
        report = await candles.slots("BTC/USDT", "1m", **whole)
        sent = len(server.asked)
        await candles.collect_candles_only("BTC/USDT", "1m", **whole)
    assert len(server.asked) == sent, "nothing is asked twice"
    assert summary.complete
    day = range(to_ms("2023-11-01"), to_ms("2023-11-02"), MINUTE)
    assert batch.open_time.tolist() == [time for time in day if time not in HOLE]
    assert (batch.close == batch.open_time / MINUTE).all()
    assert (report.filled, report.proven_empty, report.missing) == (1440 - len(HOLE), len(HOLE), 0)


async def test_a_refusal_becomes_a_pause(config: dict[str, Any], server: Loopback, clock: Any) -> None:
    clock.ms = to_ms("2023-12-01")
    async with candle_core.open(config, clock=clock) as candles:
        server.refusals = 1
        assert len(await candles.markets("EXAMPLE")) == 1
        assert sum(clock.slept) >= 7
        server.refusals = 99
        with pytest.raises(RateLimitedError) as caught:
            await candles.markets("EXAMPLE")
        assert caught.value.retry_after == 7


async def test_the_extension_of_the_page_sees_every_request(
    config: dict[str, Any], server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("candle_timing")
    built: list[Any] = []
    original = module.Timing.__init__

    def remember(self: Any, settings: Any, context: Any) -> None:
        original(self, settings, context)
        built.append(self)

    monkeypatch.setattr(module.Timing, "__init__", remember)
    async with candle_core.open(config) as candles:
        summary = await candles.collect_candles_only("BTC/USDT", "1m", start="2023-11-01", end="2023-11-02")
    (timing,) = built
    assert {exchange: len(all_of) for exchange, all_of in timing.milliseconds.items()} == {
        "EXAMPLE": summary.api_calls_made
    }
    assert timing.events["page.fetched"] == summary.api_calls_made
    assert timing.events["collection.finished"] == 1


class TestTheCacheOfThePage(CacheContract):
    def build(self, folder: Path) -> Cache:
        scope: dict[str, Any] = {}
        exec(compile(cache_source, "docs/plugins.md", "exec"), scope)
        attic: Cache = scope["Attic"]()
        return attic


async def test_the_cache_of_the_page_is_used_when_it_is_named(config: dict[str, Any], install: Install) -> None:
    install("candle-attic", "[candle.extensions]\nattic = candle_attic:AtticExtension\n", candle_attic=cache_source)
    async with candle_core.open(config | {"cache": {"backend": "attic"}}) as candles:
        listing = await candles.kernel.directory.listing("EXAMPLE")
        kept = await candles.kernel.cache.get("market:info:example")
    assert [market.ccxt_symbol for market in listing.markets] == ["BTC/USDT"]
    assert kept is not None
    assert json.loads(kept)["value"]["markets"][0]["ccxt_symbol"] == "BTC/USDT"


def test_the_examples_of_the_specs_are_registered_as_they_stand() -> None:
    """Each hookspec's own example, put into a class, is accepted."""
    import candle_hookspecs

    for name, hook in HOOKS.items():
        text = inspect.cleandoc(hook.__doc__ or "")
        block = re.search(r"^Example:\n((?:    .*\n|\n)+)", text + "\n", re.MULTILINE)
        assert block, name
        scope: dict[str, Any] = vars(candle_hookspecs).copy()
        source = f"class Plugin:\n    capabilities = ExtensionCapabilities(contract=1)\n{block[1]}"
        exec(compile(source, name, "exec"), scope)
        assert list(vars(register(new_manager(), "example", scope["Plugin"]()))) == [name]
