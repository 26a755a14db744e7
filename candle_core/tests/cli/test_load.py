"""`candle load`: every format says the same, in order, and a file is whole or not there."""

import csv
import json
import subprocess
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.feather
import pyarrow.parquet
import pytest

from candle_core.cli import load as load_module
from candle_hookspecs import COLUMNS
from candle_testkit.sandbox import Sandbox

from .conftest import COMMAND, Candle

FEBRUARY = 1_706_745_600_000  # 2024-02-01T00:00Z
BTC = ("load", "BINANCE", "SPOT", "BTC/USDT", "1m", "--end", "2024-02-02")

pytestmark = pytest.mark.usefixtures("day")


@pytest.fixture
def truth(sandbox: Sandbox) -> dict[str, Any]:
    """The day's candles as the exchange knows them."""
    return sandbox.ledger.candles("BTCUSDT", "1m", FEBRUARY, FEBRUARY + 86_400_000)


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(params=[7, 20_000], ids=["in small pieces", "in one piece"])
def _pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_module, "CHUNK", request.param)


@pytest.mark.usefixtures("_pieces")
def test_csv(candle: Candle, truth: dict[str, Any]) -> None:
    rows = list(csv.DictReader(StringIO(candle(*BTC, "--format", "csv").out)))
    assert tuple(rows[0]) == COLUMNS
    assert [row["open_time"] for row in rows] == [iso(ms) for ms in truth["open_time"]]
    for name in COLUMNS[1:]:
        assert [float(row[name]) for row in rows] == truth[name].tolist()


@pytest.mark.usefixtures("_pieces")
def test_ndjson(candle: Candle, truth: dict[str, Any]) -> None:
    rows = [json.loads(line) for line in candle(*BTC, "--format", "ndjson").out.splitlines()]
    assert [row["close"] for row in rows] == truth["close"].tolist()
    assert [row["trades"] for row in rows] == truth["trades"].tolist()


@pytest.mark.usefixtures("_pieces")
def test_one_json_document(candle: Candle, truth: dict[str, Any]) -> None:
    document = candle(*BTC, "--json").document
    candles = document.pop("candles")
    assert document == {"exchange": "BINANCE", "tradetype": "SPOT", "name": "BTC/USDT", "timeframe": "1m"}
    assert [row["volume"] for row in candles] == truth["volume"].tolist()


@pytest.mark.usefixtures("_pieces")
@pytest.mark.parametrize("name", ["btc.parquet", "btc.feather"])
def test_files_of_columns(candle: Candle, truth: dict[str, Any], name: str) -> None:
    outcome = candle(*BTC, "-o", name)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"wrote 1,440 candles to {name}\n")
    read = pyarrow.parquet.read_table if name.endswith("parquet") else pyarrow.feather.read_table
    table = read(name)
    assert tuple(table.column_names) == COLUMNS
    assert str(table.schema.field("open_time").type) == "timestamp[ms, tz=UTC]"
    assert table["open_time"].cast("int64").to_pylist() == truth["open_time"].tolist()
    for column in COLUMNS[1:]:
        assert table[column].to_pylist() == truth[column].tolist()


def test_a_short_table_is_whole(candle: Candle, truth: dict[str, Any]) -> None:
    outcome = candle(*BTC, "--start", "2024-02-01T12:00", "--end", "2024-02-01T12:03")
    header, *rows = [line.split() for line in outcome.out.splitlines()]
    assert tuple(header) == COLUMNS
    assert [row[0] for row in rows] == ["2024-02-01T12:00:00Z", "2024-02-01T12:01:00Z", "2024-02-01T12:02:00Z"]
    assert [float(row[4]) for row in rows] == truth["close"][720:723].tolist()


def test_a_long_table_shows_both_ends(candle: Candle) -> None:
    outcome = candle(*BTC)
    times = [line.split()[0] for line in outcome.out.splitlines()]
    assert len(times) == 1 + 10 + 1 + 10
    assert (times[1], times[11], times[-1]) == ("2024-02-01T00:00:00Z", "...", "2024-02-01T23:59:00Z")
    assert outcome.err == "1,440 candles, 20 of them shown; --format csv gives all\n"


def test_columns_are_aligned(candle: Candle) -> None:
    lines = candle(*BTC, "--count", "20").out.splitlines()
    assert len({len(line) for line in lines}) == 1


@pytest.mark.usefixtures("_pieces")
@pytest.mark.parametrize(
    ("options", "first", "last"),
    [
        (["--count", "10"], "2024-02-01T23:50:00Z", "2024-02-01T23:59:00Z"),
        (["--count", "10", "--end", "2024-02-01T12:00"], "2024-02-01T11:50:00Z", "2024-02-01T11:59:00Z"),
        (["--count", "10", "--start", "2024-02-01T12:00"], "2024-02-01T12:00:00Z", "2024-02-01T12:09:00Z"),
        (["--count", "9999"], "2024-02-01T00:00:00Z", "2024-02-01T23:59:00Z"),
        (["--start", "2024-02-01T23:58+02:00", "--count", "1"], "2024-02-01T21:58:00Z", "2024-02-01T21:58:00Z"),
        (["--end", "2024-02-01T00:05"], "2024-02-01T00:00:00Z", "2024-02-01T00:04:00Z"),
    ],
    ids=" ".join,
)
def test_ranges(candle: Candle, options: list[str], first: str, last: str) -> None:
    candles = candle(*BTC, *options, "--json").document["candles"]
    assert (candles[0]["open_time"], candles[-1]["open_time"]) == (first, last)


def test_an_empty_range_is_said(candle: Candle) -> None:
    outcome = candle(*BTC[:5], "--start", "2025-01-01", "--format", "csv")
    assert (outcome.code, outcome.out) == (0, ",".join(COLUMNS) + "\n")
    assert "no candles are stored in this range" in outcome.err


def test_a_file_and_a_document(candle: Candle) -> None:
    outcome = candle(*BTC, "-o", "day.csv", "--json")
    assert outcome.document == {
        "file": "day.csv",
        "format": "csv",
        "rows": 1440,
        "first": "2024-02-01T00:00:00Z",
        "last": "2024-02-01T23:59:00Z",
    }
    assert outcome.err == ""


def test_an_old_file_is_replaced_at_once(candle: Candle, folder: Path) -> None:
    (folder / "day.csv").write_text("old")
    before = {file.name for file in folder.iterdir()}
    assert candle(*BTC, "-o", "day.csv").code == 0
    assert {file.name for file in folder.iterdir()} == before
    assert (folder / "day.csv").read_text().count("\n") == 1441


# ── what cannot be ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_error_leaves_no_file_and_keeps_the_old_one(candle: Candle, folder: Path) -> None:
    (folder / "day.csv").write_text("old")
    before = {file.name for file in folder.iterdir()}
    candle("load", "BINANCE", "SPOT", "ETH/USDT", "1m", "-o", "day.csv").failed_with(2, "'ETH/USDT'", "candle collect")
    assert {file.name for file in folder.iterdir()} == before
    assert (folder / "day.csv").read_text() == "old"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "candles.xyz"], ["'candles.xyz'", "--format"]),
        (["-o", "no/such/day.csv"], ["'no/such/day.csv'", "No such file"]),
        (["--json", "--format", "csv"], ["--json", "--format csv", "-o FILE"]),
        (["--format", "excel"], ["'excel'", "'parquet'"]),
        (["--count", "0"], ["--count", "0"]),
    ],
    ids=" ".join,
)
def test_contradictions(candle: Candle, options: list[str], words: list[str]) -> None:
    outcome = candle(*BTC, *options)
    assert outcome.code == 2
    assert [word for word in words if word not in outcome.err] == []
    assert "Traceback" not in outcome.err


def test_a_folder_is_no_file(candle: Candle, folder: Path) -> None:
    (folder / "out.csv").mkdir()
    candle(*BTC, "-o", "out.csv").failed_with(2, "'out.csv' is a folder")


def test_two_symbols(candle: Candle) -> None:
    words = ("load", "BINANCE", "SPOT", "BTC/USDT", "ETH/USDT", "1m")
    candle(*words).failed_with(2, "'BTC/USDT', 'ETH/USDT'", "one symbol at a time")


def test_parquet_without_pyarrow_names_the_line_that_installs_it(shell: Candle, folder: Path) -> None:
    site = folder / "site"
    site.mkdir()
    (site / "pyarrow.py").write_text("raise ImportError('not installed')\n")
    outcome = shell(*BTC, "-o", "btc.parquet", PYTHONPATH=str(site))
    outcome.failed_with(2, "'parquet'", "pip install candle-core[arrow]")
    assert not (folder / "btc.parquet").exists()


def test_a_full_disk_is_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        words = [COMMAND, *BTC, "--format", "csv"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "candle: cannot read or write 'standard output': No space left on device\n"
