"""Moving house takes the same memory, however much there is to move."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from candle_core.config import load_config
from candle_core.kernel import Kernel
from candle_hookspecs import (
    COLUMNS,
    Answer,
    CandleBatch,
    Coverage,
    CoverageState,
    Evidence,
    Market,
    Registration,
    SaveWrite,
    Span,
)

MINUTE = 60_000
PAGE = 1_000
COPY = """
import sys
from bench.collect import peak_memory
from candle_core.cli.app import run
code = run(sys.argv[1:])
print(peak_memory(), file=sys.stderr)
sys.exit(code)
"""
MARKET = Market(
    archetype="CRYPTO", exchange="BINANCE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
    ccxt_symbol="BTC/USDT",
)  # fmt: skip


async def fill(config: Path, rows: int) -> None:
    """Pages of candles as a collection saves them, every tenth of them answered anew with other values."""
    kernel = Kernel(load_config(config))
    storage = kernel.storage()
    (record,) = await storage.register([Registration(market=MARKET, timeframes=("1m",))])
    for first in range(0, rows, PAGE):
        times = np.arange(first, first + PAGE, dtype=np.int64) * MINUTE
        chance = np.random.default_rng(first)
        columns: dict[str, Any] = {name: chance.random(PAGE) for name in COLUMNS}
        batch = CandleBatch.from_columns(columns | {"open_time": times, "trades": np.arange(PAGE)})
        span = Span(first * MINUTE, (first + PAGE) * MINUTE)
        for at in (10**12 + first, *([2 * 10**12 + first] if first % (10 * PAGE) == 0 else [])):
            fact = Coverage(span, CoverageState.ANSWERED, Evidence.ANCHORED, "binance:rest", at)
            changed = CandleBatch.from_columns(batch.columns() | {"volume": batch.volume + at})
            one = Answer(symbol=record.symbol, source="binance:rest", answered_at=at, batch=changed, coverage=(fact,))
            await storage.save(SaveWrite(answers=(one,)))
    await kernel.close()


def peak_of_copying(folder: Path, rows: int) -> int:
    """Most resident memory of `candle copy`, bytes."""
    source, target = (folder / f"{name}{rows}.toml" for name in ("source", "target"))
    for file in (source, target):
        file.write_text(f'[storage]\npath = "{file.stem}.sqlite3"\n')
    asyncio.run(fill(source, rows))
    words = [sys.executable, "-c", COPY, "copy", "--to", str(target), "--config", str(source), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    (symbol,) = json.loads(done.stdout)["symbols"]
    assert (symbol["rows"], symbol["revisions"], symbol["copied"]) == (rows, rows // 10, rows + rows // 10)
    return int(done.stderr)


@pytest.mark.slow
def test_ten_times_the_candles_take_no_more_memory(tmp_path: Path) -> None:
    few, many = peak_of_copying(tmp_path, 40_000), peak_of_copying(tmp_path, 400_000)
    # What the allocator keeps differs by up to 12 MB from run to run; the rows themselves would be 26 MB more.
    assert many < few + 18_000_000
    assert many < 1.25 * 10**8
