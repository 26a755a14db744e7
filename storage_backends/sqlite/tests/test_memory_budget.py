"""A process that collects must stay small."""

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
from pathlib import Path
from candle_hookspecs import Registration, SaveWrite
from candle_sqlite import SqliteStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import BTC, answer, candles, span

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

storage = SqliteStorage(SqliteStorage.Settings(), make_context(Path(sys.argv[1]), "sqlite"))
storage.candle_register([Registration(market=BTC, timeframes=("1m",))])
storage.candle_save(SaveWrite(answers=(answer(candles(range(1_000))),)))
before = peak()
for first in range(1_000, 400_000, 50_000):
    batch = candles(range(first, first + 50_000))
    storage.candle_save(SaveWrite(answers=(answer(batch, proven=span(first, first + 9)),)))
storage.candle_close()
print(before, peak())
"""


def test_saving_large_batches_needs_little_memory(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CODE, str(tmp_path)], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    # A batch of 50,000 rows is 3.6 MB itself, and making it takes as much again; all rows as Python objects are 18 MB.
    assert after - before < 14_000_000
    assert after < 100_000_000
