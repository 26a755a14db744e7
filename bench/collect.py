"""What collecting costs, from an exchange on loopback into SQLite: candles a second, requests, memory at the peak.

    python -m bench.collect [candles]

Exchange and collector are processes of their own, so that the peak is the collector's alone. The sandbox computes
every candle it sends, and takes about as much of the machine as the collector does.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CANDLES: Final = 1_000_000
PEAK_BAR: Final = 10**8
"""Bytes resident that collecting 1,000,000 candles must stay below."""
START: Final = datetime(2021, 1, 1, tzinfo=UTC)
"""Every default market of the sandbox is dense from here on for years."""


@dataclass(frozen=True)
class Figures:
    """What one collection took; `peak` in bytes resident, `idle` the same before it began."""

    candles: int
    requests: int
    seconds: float
    idle: int
    peak: int
    file: int


def run(candles: int = CANDLES) -> None:
    """Measure and print.

    Raises:
        SystemExit: the peak is above the bar.
    """
    figures = measure(candles)
    rate = figures.candles / figures.seconds
    print(f"{figures.candles:,} candles of one listed market, 1m, over HTTP into SQLite\n")
    print(f"{'candles/s':>12}{'requests':>12}{'requests/s':>12}{'peak MB':>12}{'of it idle':>12}{'file MB':>12}")
    print(
        f"{rate:12,.0f}{figures.requests:12,}{figures.requests / figures.seconds:12,.0f}"
        f"{figures.peak / 1e6:12,.1f}{figures.idle / 1e6:12,.1f}{figures.file / 1e6:12,.1f}"
    )
    held = figures.peak < PEAK_BAR
    print(f"\npeak {figures.peak / 1e6:.1f} MB, the bar is {PEAK_BAR / 1e6:.0f} MB: {'held' if held else 'MISSED'}")
    if not held:
        raise SystemExit(f"collecting peaks at {figures.peak:,} bytes resident; the bar is {PEAK_BAR:,}")


def measure(candles: int) -> Figures:
    """Collect so many candles in a fresh process from a sandbox in another.

    Raises:
        subprocess.CalledProcessError: the collector failed.
    """
    with tempfile.TemporaryDirectory() as folder, sandbox() as url:
        command = [sys.executable, "-m", "bench.collect", "--collector", url, folder, str(candles)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return Figures(**json.loads(done.stdout))


@contextmanager
def sandbox(*options: str) -> Iterator[str]:
    """A sandbox exchange in a process of its own; its URL."""
    command = [sys.executable, "-c", "from candle_core.cli import main; main()", "sandbox", "--json", "--no-limits"]
    command += options
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.send_signal(signal.SIGINT)


def collect(url: str, folder: Path, candles: int) -> Figures:
    """The collector's own process: one `collect_candles_only`, as a user would call it."""
    from candle_core import blocking

    database = folder / "candles.sqlite3"
    tables = {
        "defaults": {"exchange": "BINANCE", "tradetype": "SPOT"},
        "storage": {"path": str(database)},
        "providers": {"binance": {"rest_url": url}},
    }
    with blocking.open(tables) as manager:
        manager.collect_candles_only("BTC/USDT", "1m", start=START - timedelta(minutes=1), end=START)
        idle = peak_memory()
        began = time.perf_counter()
        summary = manager.collect_candles_only(
            "BTC/USDT", "1m", start=START, end=START + timedelta(minutes=candles), progress_callback=lambda _: None
        )
        seconds = time.perf_counter() - began
    assert summary.complete
    return Figures(
        candles=summary.db_records_count,
        requests=summary.api_calls_made,
        seconds=seconds,
        idle=idle,
        peak=peak_memory(),
        file=database.stat().st_size,
    )


def peak_memory() -> int:
    """The most bytes resident so far in this process."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would also tell of the parent, before it became this process
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--collector"]:
        print(json.dumps(asdict(collect(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))))
    else:
        run(*map(int, sys.argv[1:2]))
