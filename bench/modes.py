"""The three modes side by side: the same candles as a summary, a stream, a batch, and a batch turned into objects.

    python -m bench.modes [candles ...]

Every figure is a process of its own on a fresh database, against a sandbox exchange in another process; the modes take
turns, so that whatever else the machine does falls on all of them. ``objects`` is `get_candles` and then
``.to_candles()``, what the others avoid. The candles are of one second, of which there are enough for any size.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from bench.collect import ROOT, START, peak_memory, sandbox

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
MODES: Final = ("storage-only", "stream", "batch", "objects")
ROUNDS: Final = {1_000: 5, 10_000: 5, 100_000: 3}
"""Rounds of a size, of which the median is told; the greatest size is run once."""
PEAK_BAR: Final = 10**8


@dataclass(frozen=True)
class Figures:
    """What one run took; `peak` in bytes resident."""

    candles: int
    seconds: float
    cpu: float
    peak: int


def run(sizes: tuple[int, ...] = SIZES) -> None:
    """Measure and print.

    Raises:
        SystemExit: a summary or a stream peaks above 10⁸ bytes resident.
    """
    print(f"{'candles':>10}  {'mode':<14}{'wall s':>9}{'CPU s':>9}{'of objects':>12}{'peak MB':>9}")
    highest = 0
    with sandbox() as url:
        for size in sizes:
            runs = {mode: list[Figures]() for mode in MODES}
            for _ in range(ROUNDS.get(size, 1)):
                for mode in MODES:
                    runs[mode].append(measure(url, mode, size))
            objects = statistics.median(one.seconds for one in runs["objects"])
            for mode in MODES:
                seconds, cpu = (
                    statistics.median(getattr(one, name) for one in runs[mode]) for name in ("seconds", "cpu")
                )
                peak = max(one.peak for one in runs[mode])
                print(f"{size:>10,}  {mode:<14}{seconds:>9.2f}{cpu:>9.2f}{seconds / objects:>12.2f}{peak / 1e6:>9.1f}")
                if mode in ("storage-only", "stream"):
                    highest = max(highest, peak)
    if highest >= PEAK_BAR:
        raise SystemExit(f"a flat mode peaks at {highest:,} bytes resident; the bar is {PEAK_BAR:,}")


def measure(url: str, mode: str, candles: int) -> Figures:
    """One run in a fresh process.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    # The exchange forgets what was spent: each run shall have the whole minute's allowance.
    urllib.request.urlopen(urllib.request.Request(f"{url}/sandbox/limits", method="DELETE")).close()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.modes", "--mode", mode, url, folder, str(candles)]
        # A cache folder of its own: the runs shall not share what the exchange allows in a minute.
        surroundings = os.environ | {"CANDLE_CACHE_DIR": folder}
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env=surroundings)
    return Figures(**json.loads(done.stdout))


def collect(mode: str, url: str, folder: Path, candles: int) -> Figures:
    """The run itself, as a user would write it."""
    from candle_core import CollectionConfig, blocking

    tables = {
        "defaults": {"exchange": "BINANCE", "tradetype": "SPOT"},
        "storage": {"path": str(folder / "candles.sqlite3")},
        "providers": {"binance": {"rest_url": url}},
    }
    with blocking.open(tables) as manager:
        manager.collect_candles_only("BTC/USDT", "1s", start=START - timedelta(seconds=1), end=START)
        end = START + timedelta(seconds=candles)
        began, busy = time.perf_counter(), time.process_time()
        match mode:
            case "storage-only":
                count = manager.collect_candles_only("BTC/USDT", "1s", start=START, end=end).db_records_count
            case "stream":
                count = sum(len(chunk) for chunk, _ in manager.stream_candles("BTC/USDT", "1s", start=START, end=end))
            case _:
                whole = CollectionConfig(max_memory_objects=candles)
                batch = manager.get_candles("BTC/USDT", "1s", start=START, end=end, config=whole)
                count = len(batch.to_candles()) if mode == "objects" else len(batch)
        seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    return Figures(candles=count, seconds=seconds, cpu=cpu, peak=peak_memory())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--mode"]:
        print(json.dumps(asdict(collect(sys.argv[2], sys.argv[3], Path(sys.argv[4]), int(sys.argv[5])))))
    else:
        run(tuple(map(int, sys.argv[1:])) or SIZES)
