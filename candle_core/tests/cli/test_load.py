"""`candle load`: every format says the same, in order, and a file is whole or not there."""

import csv
import json
import os
import subprocess
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
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


def test_a_table_shows_sums_as_decimals_have_them(candle: Candle) -> None:
    minutes = csv.DictReader(candle(*BTC, "--count", "1440", "--format", "csv").out.splitlines())
    hours: dict[str, Decimal] = defaultdict(Decimal)
    for row in minutes:
        hours[row["open_time"][:13]] += Decimal(row["volume"])  # floats, added up, have digits that these have not
    lines = candle(*BTC[:4], "1h", *BTC[5:], "--count", "24").out.splitlines()[1:]
    assert {line.split()[0][:13]: Decimal(line.split()[5]) for line in lines} == hours


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


def test_parquet_without_pyarrow_names_the_line_that_installs_it(shell: Candle, folder: Path) -> None:
    site = folder / "site"
    site.mkdir()
    (site / "pyarrow.py").write_text("raise ImportError('not installed')\n")
    outcome = shell(*BTC, "-o", "btc.parquet", PYTHONPATH=str(site))
    outcome.failed_with(2, "'parquet'", "pip install 'candle-core[arrow]'")
    assert not (folder / "btc.parquet").exists()


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("form", [("--format", "csv"), ("--json",)])
def test_a_full_disk_is_one_line(form: tuple[str, ...], unbuffered: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
        words = [COMMAND, *BTC, *form]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert done.stderr == "candle: cannot read or write 'standard output': No space left on device\n"


# ── several symbols, other timeframes ────────────────────────────────────────────────────────────────────────────────

BOTH = (
    "load",
    "BINANCE",
    "SPOT",
    "BTC/USDT",
    "ETH/USDT",
    "1m",
    "--start",
    "2024-02-01T11:50",
    "--end",
    "2024-02-01T12:30",
)


@pytest.fixture
def both(day: None, candle: Candle, truth: dict[str, Any], sandbox: Sandbox) -> list[tuple[str, int, float]]:
    """Name, open time and close of what `BOTH` reads: of the second market half an hour is stored."""
    words = ("collect", "BINANCE", "SPOT", "ETH/USDT", "1m", "--start", "2024-02-01T12:00", "--end", "2024-02-01T12:30")
    assert candle(*words).code == 0
    noon = FEBRUARY + 12 * 3_600_000
    ether = sandbox.ledger.candles("ETHUSDT", "1m", noon, noon + 1_800_000)
    bitcoin = [("BTC/USDT", *row) for row in zip(truth["open_time"].tolist(), truth["close"].tolist(), strict=True)]
    second = [("ETH/USDT", *row) for row in zip(ether["open_time"].tolist(), ether["close"].tolist(), strict=True)]
    return [*bitcoin[710:750], *second]


@pytest.mark.usefixtures("_pieces")
def test_several_symbols_as_text(candle: Candle, both: list[tuple[str, int, float]]) -> None:
    wanted = [(symbol, iso(at), close) for symbol, at, close in both]
    rows = list(csv.DictReader(StringIO(candle(*BOTH, "--format", "csv").out)))
    assert tuple(rows[0]) == ("symbol", *COLUMNS)
    assert [(row["symbol"], row["open_time"], float(row["close"])) for row in rows] == wanted
    lines = [json.loads(line) for line in candle(*BOTH, "--format", "ndjson").out.splitlines()]
    assert [(row["symbol"], row["open_time"], row["close"]) for row in lines] == wanted
    document = candle(*BOTH, "--json").document
    assert {name: document[name] for name in ("exchange", "tradetype", "timeframe")} == {
        "exchange": "BINANCE", "tradetype": "SPOT", "timeframe": "1m",
    }  # fmt: skip
    found = [(one["name"], row["open_time"], row["close"]) for one in document["symbols"] for row in one["candles"]]
    assert found == wanted


@pytest.mark.usefixtures("_pieces")
@pytest.mark.parametrize("name", ["both.parquet", "both.feather"])
def test_several_symbols_in_a_file(candle: Candle, both: list[tuple[str, int, float]], name: str) -> None:
    outcome = candle(*BOTH, "-o", name, "--json")
    assert outcome.document == {
        "file": name, "format": name.partition(".")[2], "rows": 70, "first": "2024-02-01T11:50:00Z",
        "last": "2024-02-01T12:29:00Z",
    }  # fmt: skip
    read = pyarrow.parquet.read_table if name.endswith("parquet") else pyarrow.feather.read_table
    table = read(name)
    assert tuple(table.column_names) == ("symbol", *COLUMNS)
    times = table["open_time"].cast("int64").to_pylist()
    assert list(zip(table["symbol"].to_pylist(), times, table["close"].to_pylist(), strict=True)) == both


@pytest.mark.usefixtures("_pieces")
def test_several_symbols_as_a_table(candle: Candle, both: list[tuple[str, int, float]]) -> None:
    lines = [line.split() for line in candle(*BOTH).out.splitlines()]
    assert lines[0] == ["symbol", *COLUMNS]
    shown = [*both[:10], *both[-10:]]
    assert [(row[0], row[1], float(row[5])) for row in (*lines[1:11], *lines[12:])] == [
        (symbol, iso(at), close) for symbol, at, close in shown
    ]
    newest = [line.split() for line in candle(*BOTH[:6], "--count", "2").out.splitlines()]
    assert [row[:2] for row in newest[1:]] == [
        ["BTC/USDT", "2024-02-01T23:58:00Z"], ["BTC/USDT", "2024-02-01T23:59:00Z"],
        ["ETH/USDT", "2024-02-01T12:28:00Z"], ["ETH/USDT", "2024-02-01T12:29:00Z"],
    ]  # fmt: skip


@pytest.mark.usefixtures("both")
def test_one_without_candles_in_the_range_is_there(candle: Candle) -> None:
    words = ("--start", "2024-02-01T23:58", "--json")
    symbols = candle(*BOTH[:6], *words).document["symbols"]
    assert [(one["name"], len(one["candles"])) for one in symbols] == [("BTC/USDT", 2), ("ETH/USDT", 0)]


def test_an_unknown_symbol_among_several(candle: Candle) -> None:
    outcome = candle("load", "BINANCE", "SPOT", "BTC/USDT", "ETH/USDT", "1m", "--format", "csv")
    outcome.failed_with(2, "'ETH/USDT' 1m")


@pytest.mark.usefixtures("_pieces")
def test_a_timeframe_that_is_not_stored(candle: Candle, truth: dict[str, Any]) -> None:
    words = ("load", "BINANCE", "SPOT", "BTC/USDT", "7m", "--end", "2024-02-01T23:00")
    rows = list(csv.DictReader(StringIO(candle(*words, "--format", "csv").out)))
    first = -FEBRUARY // 60_000 % 7
    assert rows[0]["open_time"] == iso(FEBRUARY + first * 60_000)
    assert len(rows) == (23 * 60 - first + 6) // 7
    for number, row in enumerate(rows):
        inside = slice(first + 7 * number, first + 7 * number + 7)
        assert float(row["open"]) == truth["open"][inside][0]
        assert float(row["high"]) == truth["high"][inside].max()
        assert int(row["trades"]) == truth["trades"][inside].sum()
    newest = candle(*words, "--count", "9", "--json").document["candles"]
    assert [row["open_time"] for row in newest] == [row["open_time"] for row in rows[-9:]]


def test_flat_candles(candle: Candle) -> None:
    """The exchange stood still for some hours."""
    words = ("BINANCE", "SPOT", "BTC/USDT", "30m", "--start", "2020-02-19T10:00", "--end", "2020-02-19T19:00")
    assert candle("collect", *words).code == 0
    plain = candle("load", *words, "--json").document["candles"]
    filled = candle("load", *words, "--fill", "flat", "--json").document["candles"]
    times = [row["open_time"] for row in plain]
    halves = [f"2020-02-19T{half // 2}:{half % 2 * 3}0:00Z" for half in range(20, 38)]
    assert times == [*halves[:4], *halves[15:]]
    assert [row["open_time"] for row in filled] == halves
    close = None
    for row in filled:
        if row["open_time"] not in times:
            assert {row[name] for name in ("open", "high", "low", "close")} == {close}
            assert {row[name] for name in ("volume", "quote_volume", "trades", "taker_buy_volume")} == {0}
        close = row["close"]
    candle("load", *words, "--fill", "round").failed_with(2, "'round'", "'none', 'flat'")
