"""What a warm-up costs and what it saves: CPU, requests and hits for 4,500 markets of three exchanges; a first page.

    python -m bench.warmup [markets of each exchange] [latency ms]

The exchanges are a process of their own; whoever asks them is a fresh one for each figure. ccxt, of which Kraken is
read, is imported first and counted apart: that is once for each process, whatever it does.
"""

import gc
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

from bench.collect import sandbox

ROOT: Final = Path(__file__).resolve().parent.parent
MARKETS: Final = 1_500
LATENCY: Final = 40
NAMES: Final = 1_000
CPU_BAR: Final = 2.0
"""Seconds of our own CPU for a first warm-up."""
HIT_BAR: Final = 0.99
LISTINGS: Final = ("/api/v3/exchangeInfo", "/v1/market/all", "/0/public/AssetPairs")


def run(markets: int = MARKETS, latency: int = LATENCY) -> None:
    """Measure and print.

    Raises:
        SystemExit: a figure misses its bar.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "sandbox.toml"
        config.write_text(_world(markets))
        with sandbox("--config", str(config), "--speed", "0", "--clock", "2024-06-01T00:00:30") as url:
            print(f"{3 * markets:,} markets of 3 exchanges\n")
            print(f"{'accounts':>9}{'':>24}{'s':>8}{'CPU s':>8}{'listings':>10}{'requests':>10}{'ccxt CPU s':>12}")
            figures = [_warm(url, accounts) for accounts in (1, 5)]
        with sandbox("--config", str(config), "--speed", "0", "--latency", str(latency)) as url:
            print(f"\na first page of 1,000 candles, every answer {latency} ms late\n")
            print(f"{'':24}{'s':>8}{'requests':>10}")
            for case in ("cold", "warm"):
                page = _ask(url, "page", case)
                print(f"{case:24}{page['seconds']:8.3f}{page['requests']:10}")
    cpu, rate = max(one["cpu"] for one in figures), min(one["hit_rate"] for one in figures)
    print(f"\n{cpu:.2f} s of CPU, the bar is {CPU_BAR:g}; {rate:.1%} hits, the bar is {HIT_BAR:.0%}")
    if cpu > CPU_BAR or rate < HIT_BAR:
        raise SystemExit(f"a warm-up takes {cpu:.2f} s of CPU, and {rate:.1%} of names are hits")


def _warm(url: str, accounts: int) -> dict[str, Any]:
    figures = _ask(url, "warm", str(accounts))
    print(
        f"{accounts:9}{'first warm-up':>24}{figures['seconds']:8.2f}{figures['cpu']:8.2f}"
        f"{figures['listings']:10}{figures['requests']:10}{figures['ccxt']:12.2f}"
    )
    print(
        f"{'':9}{'second one':>24}{figures['again']:8.2f}{figures['again_cpu']:8.2f}"
        f"{figures['again_listings']:10}{figures['again_requests']:10}"
    )
    print(f"{'':9}{f'{NAMES:,} names, each':>24}{figures['each'] * 1e6:6.1f} µs")
    return figures


def _ask(url: str, *words: str) -> dict[str, Any]:
    """The figures of a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.warmup", "--process", url, folder, *words]
        told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    figures: dict[str, Any] = json.loads(told)
    return figures


# ── in that process ──────────────────────────────────────────────────────────────────────────────────────────────────


def warm(url: str, folder: Path, accounts: int) -> dict[str, Any]:
    """Warm up twice, then look names up."""
    began = time.process_time()
    import ccxt.async_support.kraken  # noqa: F401

    figures: dict[str, Any] = {"ccxt": time.process_time() - began}
    from candle_core import blocking

    exchanges = ("binance", "upbit", "kraken")
    people = [{"name": f"{name} {number}", "exchange": name} for name in exchanges for number in range(accounts)]
    with blocking.open(_tables(url, folder) | {"accounts": people}) as candles:
        for prefix in ("", "again_"):
            order(url, "DELETE", "/sandbox/requests")
            began, cpu = time.perf_counter(), time.process_time()
            result = candles.warm_up()
            assert result.success, result
            figures[prefix + "cpu"] = time.process_time() - cpu
            figures["again" if prefix else "seconds"] = time.perf_counter() - began
            sent = order(url, "GET", "/sandbox/requests")["requests"]
            figures[prefix + "requests"] = len(sent)
            figures[prefix + "listings"] = sum(one["path"] in LISTINGS for one in sent)
        directory = candles.asynchronous.kernel.directory
        names = [("UPBIT", f"KRW-C{number}") for number in range(NAMES // 2)]
        names += [("KRAKEN", f"K{number}/USD") for number in range(NAMES // 2)]
        before = _wishes(candles)

        async def look_up() -> float:
            gc.collect()  # what was allocated before is not for these to tidy up
            began = time.perf_counter()
            for exchange, name in names:
                assert await directory.find(exchange, "SPOT", name), name
            return time.perf_counter() - began

        figures["each"] = candles.portal.call(look_up) / len(names)
        hits, misses = (after - earlier for after, earlier in zip(_wishes(candles), before, strict=True))
        figures["hit_rate"] = hits / (hits + misses)
    return figures


def page(url: str, folder: Path, case: str) -> dict[str, Any]:
    """Collect one page, cold or after a warm-up; only the collecting counts."""
    from candle_core import blocking

    with blocking.open(_tables(url, folder)) as candles:
        if case == "warm":
            assert candles.warm_up(["binance"]).success
        candles.status()  # the database is open in either case
        order(url, "DELETE", "/sandbox/requests")
        began = time.perf_counter()
        candles.collect_candles_only("BTC/USDT", "1m", exchange="BINANCE", tradetype="SPOT", count=1_000)
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "requests": order(url, "GET", "/sandbox/requests")["count"]}


def _wishes(candles: Any) -> tuple[int, int]:
    found = [one for one in candles.statistics().entries if one.kind == "markets"]
    return sum(one.hits for one in found), sum(one.misses for one in found)


def order(url: str, method: str, path: str) -> Any:
    """What the sandbox's control answers."""
    with urllib.request.urlopen(urllib.request.Request(url + path, method=method), timeout=30) as answer:
        return json.load(answer)


def _tables(url: str, folder: Path) -> dict[str, Any]:
    return {
        "storage": {"path": str(folder / "candles.sqlite3")},
        "providers": {
            "binance": {"rest_url": url},
            "upbit": {"rest_url": url},
            "kraken": {"plugin": "ccxt", "rest_url": url},
        },
    }


def _world(each: int) -> str:
    """A sandbox's TOML with so many markets of each of the three exchanges; one of Binance's is BTC/USDT."""
    bitcoin = _market("BTCUSDT", "BTC", "USDT", "BINANCE")
    binance = [_market(f"C{number}USDT", f"C{number}", "USDT", "BINANCE") for number in range(each - 1)]
    upbit = [_market(f"KRW-C{number}", f"C{number}", "KRW", "UPBIT") for number in range(each)]
    kraken = [_market(f"K{number}USD", f"K{number}", "USD", "KRAKEN") for number in range(each)]
    return "\n".join([bitcoin, *binance, *upbit, *kraken])


def _market(symbol: str, base: str, quote: str, exchange: str) -> str:
    return (
        f'[[markets]]\nsymbol = "{symbol}"\nbase = "{base}"\nquote = "{quote}"\nexchange = "{exchange}"\n'
        'tick = "0.01"\nstep = "0.001"\nprice = "100"\nlisted = "2020-01-01"'
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--process"]:
        address, place, what, how = sys.argv[2:]
        print(json.dumps(warm(address, Path(place), int(how)) if what == "warm" else page(address, Path(place), how)))
    else:
        run(*map(int, sys.argv[1:3]))
