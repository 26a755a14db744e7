"""Keeping many symbols fresh minute by minute: how late each candle is durable, and what it costs to go on and on.

    python -m bench.every [symbols] [speed] [beats]

An exchange whose clock runs `speed` times as fast, and `candle update passive --every 1m`'s own loop in a process of
its own. Late is counted from a candle's close and the time that the exchange takes to settle it, in seconds of the
exchange's clock. One of them is the price of a clock that may be known by whole seconds only; the rest is requests,
which take the same real time at any speed. So 300 symbols are judged at speed 1.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

import candle_core
from bench.collect import peak_memory, sandbox
from candle_core.collect import DATE_RESOLUTION
from candle_core.update.every import Turn, update_every
from candle_hookspecs import Event, ExtensionCapabilities, UpdateResult, hookimpl
from tests.end_to_end.clocks import FastClock

ROOT: Final = Path(__file__).resolve().parent.parent
SYMBOLS: Final = 300
SPEED: Final = 1.0
BEATS: Final = 5
LATE_BAR: Final = 2.0
"""Seconds of the exchange's clock behind close and settle, by which every candle is to be durable."""
GROWTH_BAR: Final = 4_000_000
"""Bytes resident from the second run to the last."""
MINUTE: Final = 60_000


class Durable:
    """Hears of everything that is committed, and notes how late it is."""

    capabilities = ExtensionCapabilities(contract=1)

    def __init__(self, candles: candle_core.Candles) -> None:
        provider = candles.kernel.provider("BINANCE")
        self.clock, self.settle = provider.clock, provider.capabilities.settle
        self.newest = 0
        self.late: list[float] = []

    def begin(self) -> None:
        """A run begins: the newest candle that is final closed just now."""
        final = self.clock.now() - self.settle - DATE_RESOLUTION
        self.newest = final // MINUTE * MINUTE
        self.late = []

    @hookimpl
    def candle_event(self, event: Event) -> None:
        """One symbol's answer is durable."""
        if event.name == "save.committed":
            self.late.append((self.clock.now() - self.newest - self.settle) / 1000)


def run(symbols: int = SYMBOLS, speed: float = SPEED, beats: int = BEATS) -> None:
    """Measure and print.

    Raises:
        SystemExit: a candle was too late, or memory grew.
    """
    print(f"{symbols} symbols, the exchange's clock at {speed:g} times the real one, {beats} minutes of it\n")
    print(
        f"{'run':>4}{'done':>6}{'requests':>10}{'late p50':>10}{'p99':>8}{'max':>8}{'real s':>8}{'missed':>8}{'MB':>8}"
    )
    lines = []
    with tempfile.TemporaryDirectory() as folder, sandbox("--markets", str(symbols + 2), "--speed", str(speed)) as url:
        command = [sys.executable, "-m", "bench.every", "--keeper", url, folder, *map(str, (symbols, speed, beats))]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for text in process.stdout:
                lines.append(line := json.loads(text))
                late = "".join(f"{line[name]:{width}.2f}" for name, width in (("p50", 10), ("p99", 8), ("max", 8)))
                print(
                    f"{len(lines):4}{line['done']:6}{line['requests']:10,}{late}{line['seconds']:8.2f}{line['missed']:8}"
                    f"{line['resident'] / 1e6:8.1f}",
                    flush=True,
                )
    assert process.returncode == 0, process.returncode
    worst, growth = max(line["max"] for line in lines), lines[-1]["resident"] - lines[1]["resident"]
    print(f"\nat most {worst:.2f} s late, the bar is {LATE_BAR:g} s: {'held' if worst <= LATE_BAR else 'MISSED'}")
    print(f"memory grew by {growth / 1e6:.1f} MB since the second run, the bar is {GROWTH_BAR / 1e6:g} MB")
    if worst > LATE_BAR or growth > GROWTH_BAR:
        raise SystemExit(f"a candle was {worst:.2f} s late, memory grew by {growth / 1e6:.1f} MB")


async def keep(url: str, folder: Path, symbols: int, speed: float, beats: int) -> None:
    """The keeper's own process: an hour of each symbol, then every minute. A line of figures for each run."""
    clock = FastClock(time.time_ns() // 1_000_000, speed)
    tables = {"storage": {"path": str(folder / "candles.sqlite3")}, "providers": {"binance": {"rest_url": url}}}
    runs = 0
    enough = asyncio.Event()
    async with candle_core.open(tables, clock=clock) as candles:
        start = (clock.now() - 60 * MINUTE) // MINUTE * MINUTE
        listed = await candles.active_update("CRYPTO", "BINANCE", "SPOT", timeframes=["1m"], count=symbols, start=start)
        assert len(listed.success_symbols) == symbols, listed
        durable = Durable(candles)
        candles.kernel.dispatch.add_everywhere("bench:durable", durable)

        async def update(exchange: str) -> UpdateResult:
            durable.begin()
            return await candles.passive_update(exchange=exchange)

        def tell(turn: Turn) -> None:
            nonlocal runs
            assert isinstance(turn.result, UpdateResult), turn.result
            runs += 1
            if runs > 1:  # the first is on no beat
                print(json.dumps(figures(turn.result, durable.late, turn.missed)), flush=True)
            if runs > beats:
                enough.set()

        keeping = asyncio.create_task(update_every(candles.kernel, "1m", ["BINANCE"], update, tell))
        waiting = asyncio.create_task(enough.wait())
        await asyncio.wait((keeping, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


def figures(result: UpdateResult, late: Sequence[float], missed: int) -> dict[str, Any]:
    """What is said of a run; how late in seconds of the exchange's clock."""
    p50, p99, most = np.percentile(late, (50, 99, 100))
    return {
        "done": len(result.success_symbols),
        "requests": result.requests,
        "p50": p50,
        "p99": p99,
        "max": most,
        "seconds": result.duration_seconds,
        "missed": missed,
        "resident": resident(),
    }


def resident() -> int:
    """Bytes resident in this process now; where the system does not tell, the most there ever were."""
    status = Path("/proc/self/status")
    return int(status.read_text().split("VmRSS:")[1].split()[0]) * 1024 if status.exists() else peak_memory()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--keeper"]:
        asyncio.run(keep(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6])))
    else:
        given = sys.argv[1:]
        run(*(kind(text) for kind, text in zip((int, float, int), given, strict=False)))
