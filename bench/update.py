"""What keeping many symbols fresh costs: requests, the whole process's CPU for each symbol, and the plan of all.

    python -m bench.update [markets]

Exchange and manager are processes of their own; the manager's is a fresh one for each figure, and its CPU counts from
its first import on, every thread of it.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from bench.collect import sandbox
from candle_core.kernel import Kernel
from candle_hookspecs import (
    REQUIRED_COLUMNS,
    Answer,
    CandleBatch,
    Coverage,
    CoverageState,
    Evidence,
    Registration,
    Span,
    SymbolQuery,
    to_ms,
)

ROOT: Final = Path(__file__).resolve().parent.parent
MARKETS: Final = 1_000
TIMEFRAMES: Final = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h")
NOW: Final = "2024-06-01T08:00:30"
START: Final = "2024-06-01T00:00"
CPU_BAR: Final = 0.003
"""Seconds of CPU for each symbol with one new candle."""
PLAN_BAR: Final = 2.0
"""Seconds until a run over `MARKETS` × `TIMEFRAMES` symbols knows what is due."""


@dataclass(frozen=True)
class Figures:
    """What one run took; `seconds` of it alone, `cpu` of the process from its start."""

    asked: int
    skipped: int
    failed: int
    rows: int
    requests: int
    seconds: float
    cpu: float


def run(markets: int = MARKETS) -> None:
    """Measure and print.

    Raises:
        SystemExit: a figure is above its bar.
    """
    with tempfile.TemporaryDirectory() as folder, sandbox("--markets", str(2 * markets), "--speed", "0") as url:
        order(url, "/sandbox/clock", set=NOW)
        first = manage(url, folder, "active", str(markets))
        order(url, "/sandbox/clock", advance=60_000)
        minute = manage(url, folder, "passive")
        manage(url, folder, "widen")
        nothing = manage(url, folder, "passive")
    print(f"{'':34}{'symbols':>9}{'asked':>8}{'requests':>10}{'rows':>10}{'s':>8}{'CPU s':>8}{'ms each':>9}")
    row("new, 1m, eight hours of it", first)
    row("one candle has closed", minute)
    row("nothing is due", nothing)
    each, plan = minute.cpu / minute.asked, nothing.seconds
    assert minute.rows == minute.asked == markets, minute
    assert nothing.asked == 0, nothing
    print(f"\nrequests for each symbol with one new candle: {minute.requests / minute.asked:.2f}, the bar is 1")
    print(
        f"CPU for each of them, starting the process included: {each * 1e3:.2f} ms, the bar is {CPU_BAR * 1e3:.0f} ms"
    )
    print(f"plan of {nothing.skipped:,} symbols: {plan:.2f} s, the bar is {PLAN_BAR:.0f} s")
    if minute.requests > minute.asked or each > CPU_BAR or plan > PLAN_BAR:
        raise SystemExit(f"an update takes {each * 1e3:.2f} ms for each symbol, {plan:.2f} s to plan all")


def row(name: str, figures: Figures) -> None:
    """A line of the table."""
    symbols = figures.asked + figures.skipped + figures.failed
    print(
        f"{name:34}{symbols:9,}{figures.asked:8,}{figures.requests:10,}{figures.rows:10,}{figures.seconds:8.2f}"
        f"{figures.cpu:8.2f}{figures.cpu / symbols * 1e3:9.2f}"
    )


def manage(url: str, folder: str, *call: str) -> Figures:
    """One update in a fresh process.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", "bench.update", "--manager", url, folder, *call]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return Figures(**json.loads(done.stdout))


def order(url: str, path: str, **said: Any) -> None:
    """Tell the sandbox something."""
    request = urllib.request.Request(url + path, json.dumps(said).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        answer.read()


def update(url: str, folder: Path, kind: str, markets: str = "0") -> Figures:
    """The manager's own process: one call, as a user would make it."""
    from candle_core import blocking

    tables = {"storage": {"path": str(folder / "candles.sqlite3")}, "providers": {"binance": {"rest_url": url}}}
    with blocking.open(tables) as manager:
        if kind == "widen":
            manager.portal.call(widen, manager.asynchronous.kernel)
        began = time.perf_counter()
        if kind == "active":
            result = manager.active_update(
                "CRYPTO", "BINANCE", "SPOT", timeframes=["1m"], count=int(markets), start=START
            )
        else:
            result = manager.passive_update()
        seconds = time.perf_counter() - began
    return Figures(
        asked=len(result.success_symbols),
        skipped=len(result.skipped_symbols),
        failed=len(result.failed_symbols),
        rows=result.total_rows,
        requests=result.requests,
        seconds=seconds,
        cpu=time.process_time(),
    )


async def widen(kernel: Kernel) -> None:
    """Keep every market in ten timeframes, as if each had been collected in three runs."""
    records = await kernel.storage().symbols(SymbolQuery(timeframe="1m", coverage=True))
    timeframes = tuple(TIMEFRAMES)
    await kernel.storage().register([Registration(market=one.market, timeframes=timeframes) for one in records])
    answers = []
    for record in records:
        fact = (record.coverage or ())[0]
        marks = [0, fact.span.start, fact.span.start + 3_600_000, to_ms(NOW) + 60_000]
        states = [CoverageState.NOT_LISTED, CoverageState.ANSWERED, CoverageState.ANSWERED]
        facts = tuple(
            Coverage(Span(start, end), state, Evidence.DECLARED, fact.source, fact.answered_at)
            for (start, end), state in zip(pairwise(marks), states, strict=True)
        )
        for timeframe in timeframes[1:]:
            symbol = record.market.symbol(timeframe)
            batch = CandleBatch.from_columns({name: [1.0] for name in REQUIRED_COLUMNS} | {"open_time": [marks[1]]})
            answers.append(
                Answer(symbol=symbol, source=fact.source, answered_at=fact.answered_at, batch=batch, coverage=facts)
            )
    await kernel.writer().save_all(answers)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--manager"]:
        address, place, *rest = sys.argv[2:]
        print(json.dumps(asdict(update(address, Path(place), *rest))))
    else:
        run(*map(int, sys.argv[1:2]))
