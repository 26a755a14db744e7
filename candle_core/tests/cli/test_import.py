"""`candle import`, against the sandbox and a real SQLite file; the files are written by pandas, the truth is SQL's."""

import gzip
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from candle_core import retry
from candle_core.importing import files as candle_files
from candle_testkit.sandbox import Sandbox

from .conftest import COMMAND, KLINES, Candle, seen, terminal

FEBRUARY = 1_706_745_600_000  # 2024-02-01T00:00Z
DAY = 86_400_000
NAMES = ("--exchange", "BINANCE", "--tradetype", "SPOT", "--symbol", "BTC/USDT", "--timeframe", "1m")
COLLECT = ("collect", "BINANCE", "SPOT", "BTC/USDT", "1m", "--start", "2024-02-01", "--end", "2024-02-02", "--json")
VALUES = ["open", "high", "low", "close", "volume"]


@pytest.fixture(autouse=True)
def _in_the_folder(config: Path) -> None:
    """Every test here has a candle.toml."""


@pytest.fixture
def frame(sandbox: Sandbox) -> pd.DataFrame:
    """2024-02-01 of BTC/USDT as the exchange knows it, with freqtrade's columns."""
    truth = sandbox.ledger.candles("BTCUSDT", "1m", FEBRUARY, FEBRUARY + DAY)
    times = pd.to_datetime(truth["open_time"], unit="ms", utc=True)
    return pd.DataFrame({"date": times} | {name: truth[name] for name in VALUES})


def stored() -> pd.DataFrame:
    """What the database holds, as `frame`."""
    with sqlite3.connect("candles.sqlite3") as database:
        rows = pd.read_sql_query(f"select open_time as date, {', '.join(VALUES)} from v_candles order by 1", database)
    rows["date"] = pd.to_datetime(rows["date"], unit="ms", utc=True)
    return rows


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    return [list(row) for row in one.to_numpy()] == [list(row) for row in other.to_numpy()]


def collected(candle: Candle, *options: str) -> dict[str, Any]:
    """What collecting the day comes to."""
    (entry,) = candle(*COLLECT, *options).document["symbols"]
    result: dict[str, Any] = entry
    return result


def imported(candle: Candle, *words: str) -> dict[str, Any]:
    """What became of the one file."""
    outcome = candle("import", *words, "--json")
    assert outcome.code == 0, outcome
    (entry,) = outcome.document["files"]
    result: dict[str, Any] = entry
    return result


# ── every form ───────────────────────────────────────────────────────────────────────────────────────────────────────


def write_archive(frame: pd.DataFrame, path: str) -> None:
    """Binance's archives: 12 columns, no header, microseconds since 2025."""
    opens = frame["date"].astype("int64") * 1000 // (10**6 if "ns" in str(frame["date"].dtype) else 1)
    table = pd.DataFrame({"open_time": opens} | {name: frame[name] for name in VALUES})
    table["close_time"] = opens + 59_999_999
    for name in ("quote_volume", "count", "taker_buy_volume", "taker_buy_quote_volume", "ignore"):
        table[name] = 7
    table.to_csv(path, index=False, header=False)


def numbered(unit: str) -> Callable[[pd.DataFrame, str], None]:
    """CSV whose times are numbers of that unit."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6}[unit]

    def write(frame: pd.DataFrame, path: str) -> None:
        seconds = [round(moment.timestamp()) for moment in frame["date"]]
        frame.assign(date=[second * per_second for second in seconds]).rename(columns={"date": "Open Time"}).to_csv(
            path, index=False
        )

    return write


def texts(form: str) -> Callable[[pd.DataFrame, str], None]:
    def write(frame: pd.DataFrame, path: str) -> None:
        frame.assign(date=frame["date"].dt.strftime(form)).rename(columns=str.upper).to_csv(path, index=False)

    return write


FORMS: dict[str, Callable[[pd.DataFrame, str], object]] = {
    "pandas.csv": lambda frame, path: frame.to_csv(path, index=False),
    "semicolon.csv": lambda frame, path: frame.to_csv(path, index=False, sep=";"),
    "other-order.csv": lambda frame, path: frame[[*reversed(VALUES), "date"]].assign(note="x").to_csv(path),
    "packed.csv.gz": lambda frame, path: frame.to_csv(path, index=False, compression="gzip"),
    "seconds.csv": numbered("s"),
    "milliseconds.csv": numbered("ms"),
    "microseconds.csv": numbered("us"),
    "iso.csv": texts("%Y-%m-%dT%H:%M:%SZ"),
    "naive.csv": texts("%Y-%m-%d %H:%M"),
    "offset.csv": lambda frame, path: frame.assign(date=frame["date"].dt.tz_convert("Asia/Seoul")).to_csv(path),
    "newest-first.csv": lambda frame, path: frame[::-1].to_csv(path, index=False),
    "archive.csv": write_archive,
    "rows.parquet": lambda frame, path: frame.to_parquet(path),
    "index.parquet": lambda frame, path: frame.set_index("date").to_parquet(path),
    "freqtrade.feather": lambda frame, path: frame.to_feather(path, compression="lz4"),
    "polars.arrow": lambda frame, path: pl.from_pandas(frame).write_ipc(path),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_says_the_same(candle: Candle, frame: pd.DataFrame, name: str) -> None:
    FORMS[name](frame, name)
    entry = imported(candle, name, *NAMES)
    assert (entry["rows"], entry["saved"]["inserted"], entry["notes"]) == (1440, 1440, [])
    assert entry["time_range"] == ["2024-02-01T00:00:00Z", "2024-02-02T00:00:00Z"]
    assert same(stored(), frame)


def test_what_was_exported_comes_back(candle: Candle, folder: Path, day: None) -> None:
    assert candle("load", "BINANCE", "SPOT", "BTC/USDT", "1m", "--end", "2024-02-02", "-o", "day.csv").code == 0
    with sqlite3.connect("candles.sqlite3") as database:
        before = database.execute("select * from v_candles where open_time < ?", [FEBRUARY + DAY]).fetchall()
    for file in folder.glob("candles.sqlite3*"):
        file.unlink()
    assert imported(candle, "day.csv", *NAMES)["saved"]["inserted"] == 1440
    with sqlite3.connect("candles.sqlite3") as database:
        assert database.execute("select * from v_candles").fetchall() == before


def test_the_table(candle: Candle, frame: pd.DataFrame) -> None:
    frame.to_csv("my.csv")
    outcome = candle("import", "my.csv", *NAMES)
    assert (outcome.code, outcome.err) == (0, "")
    header, row = (line.split() for line in outcome.out.splitlines())
    assert header == ["file", "symbol", "rows", "new", "revised", "unchanged", "outdated", "left", "out", "took"]
    assert row[:8] == ["my.csv", "CRYPTO-BINANCE-SPOT-BTC-USDT-1m", "1,440", "1,440", "0", "0", "0", "0"]


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_freqtrade_names_its_files(candle: Candle, frame: pd.DataFrame) -> None:
    Path("data/binance").mkdir(parents=True)
    frame.to_feather("data/binance/BTC_USDT-1m.feather")
    assert imported(candle, "data/binance/BTC_USDT-1m.feather")["symbol"] == "CRYPTO-BINANCE-SPOT-BTC-USDT-1m"


def test_archives_name_symbol_and_timeframe(candle: Candle, frame: pd.DataFrame) -> None:
    write_archive(frame, "BTCUSDT-1m-2024-02-01.csv")
    entry = imported(candle, "BTCUSDT-1m-2024-02-01.csv", "--exchange", "binance", "--tradetype", "spot")
    assert entry["symbol"] == "CRYPTO-BINANCE-SPOT-BTC-USDT-1m"


def test_what_is_said_goes_before_the_name(candle: Candle, frame: pd.DataFrame) -> None:
    frame.to_feather("ETH_USDT-1m.feather")
    assert imported(candle, "ETH_USDT-1m.feather", *NAMES)["symbol"] == "CRYPTO-BINANCE-SPOT-BTC-USDT-1m"


@pytest.mark.parametrize("left_out", ["exchange", "tradetype", "symbol", "timeframe"])
def test_what_nobody_says_is_named(candle: Candle, frame: pd.DataFrame, left_out: str) -> None:
    frame.to_csv("my.csv")
    at = NAMES.index(f"--{left_out}")
    candle("import", "my.csv", *NAMES[:at], *NAMES[at + 2 :]).failed_with(2, "'my.csv'", f"tell its {left_out};")


def test_funding_rates_are_no_candles(candle: Candle, frame: pd.DataFrame) -> None:
    frame.to_feather("BTC_USDT_USDT-8h-funding_rate.feather")
    candle("import", "BTC_USDT_USDT-8h-funding_rate.feather").failed_with(2, "'funding_rate'", "no candles")


# ── what stands against what ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rows", [7, 50_000], ids=["in small batches", "in one batch"])
def test_what_was_imported_is_not_asked_for(
    candle: Candle, sandbox: Sandbox, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(candle_files, "BATCH_ROWS", rows)
    frame.to_feather("my.feather")
    imported(candle, "my.feather", *NAMES)
    entry = collected(candle)
    assert (entry["api_calls_made"], entry["collected_count"], entry["missing"]) == (0, 1440, [])
    assert sandbox.ledger.count(KLINES) == 0


def test_what_a_file_leaves_out_is_not_empty(candle: Candle, frame: pd.DataFrame) -> None:
    frame.drop(index=[*range(100, 130), 700]).to_csv("my.csv")
    imported(candle, "my.csv", *NAMES)
    entry = collected(candle)
    assert (entry["overlap_analysis_results"]["asked"], entry["saved"]["inserted"]) == (31, 31)
    assert same(stored(), frame)


def test_the_exchange_is_believed_whichever_comes_first(candle: Candle, frame: pd.DataFrame) -> None:
    wrong = frame.assign(high=frame["high"] + 1)
    wrong.to_csv("wrong.csv")
    imported(candle, "wrong.csv", *NAMES)
    assert same(stored(), wrong)
    assert collected(candle, "--refetch")["saved"]["revised"] == 1440
    assert same(stored(), frame)
    entry = imported(candle, "wrong.csv", *NAMES)
    assert (entry["saved"]["outdated"], entry["saved"]["revised"]) == (1440, 0)
    assert same(stored(), frame)


def test_what_the_exchange_confirmed_is_not_overwritten(candle: Candle, sandbox: Sandbox, frame: pd.DataFrame) -> None:
    pd.DataFrame(sandbox.ledger.candles("BTCUSDT", "1m", FEBRUARY, FEBRUARY + DAY)).to_csv("right.csv")
    imported(candle, "right.csv", *NAMES)
    assert collected(candle, "--refetch")["saved"]["unchanged"] >= 1440
    frame.assign(high=frame["high"] + 1).to_csv("wrong.csv")
    assert imported(candle, "wrong.csv", *NAMES)["saved"]["outdated"] == 1440
    assert same(stored(), frame)


def test_a_corrected_file_corrects(candle: Candle, frame: pd.DataFrame) -> None:
    frame.assign(high=[*frame["high"][:-1], frame["high"].iloc[-1] + 1]).to_csv("my.csv")
    imported(candle, "my.csv", *NAMES)
    frame.to_csv("my.csv")
    entry = imported(candle, "my.csv", *NAMES)
    assert (entry["saved"]["revised"], entry["saved"]["unchanged"]) == (1, 1439)
    assert same(stored(), frame)


def test_repeated_rows_are_told(candle: Candle, frame: pd.DataFrame) -> None:
    pd.concat([frame, frame[:40]]).to_csv("my.csv")
    entry = imported(candle, "my.csv", *NAMES)
    assert (entry["rows"], entry["repeated"], entry["saved"]["inserted"]) == (1480, 40, 1440)


def test_a_candle_still_open_when_the_file_was_written(candle: Candle, frame: pd.DataFrame) -> None:
    frame.to_csv("my.csv")
    written = datetime(2024, 2, 1, 23, 59, 30, tzinfo=UTC).timestamp()
    os.utime("my.csv", (written, written))
    entry = imported(candle, "my.csv", *NAMES)
    assert (entry["still_open"], entry["saved"]["inserted"]) == (1, 1439)
    assert "still open" in entry["notes"][0]
    assert same(stored(), frame[:-1])
    os.utime("my.csv", (315_532_800, 315_532_800))  # 1980, as zip files have it: not when it was written
    assert imported(candle, "my.csv", *NAMES)["saved"]["inserted"] == 1


# ── refused ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def set_to(name: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.astype({name: object}).assign(**{name: [*frame[name][:1438], value, frame[name].iloc[-1]]})

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_to("close", None), ["line 1440", "'close' is empty"]),
        (set_to("open", "abc"), ["line 1440", "'open' is 'abc', no number"]),
        (set_to("open", "inf"), ["line 1440", "'open' is inf, no number"]),
        (set_to("volume", -2.5), ["line 1440", "'volume' is -2.5, below zero"]),
        (set_to("high", 0.5), ["line 1440", "'high' is 0.5, below the low"]),
        (set_to("date", "yesterday"), ["line 1440", "'date' is 'yesterday', no time"]),
        (lambda frame: frame.drop(columns="low"), ["no column low", "'high', 'close'"]),
        (lambda frame: frame[:0], ["no candles"]),
        (lambda frame: frame[::60], ["24 rows", "60 slots of '1m'", "timeframe"]),
        (lambda frame: frame.assign(date=frame["date"] + pd.Timedelta(seconds=7)), ["0 of 1,440 rows", "'1m'"]),
    ],
    ids=["nan", "text", "infinite", "negative", "turned", "no-time", "no-column", "no-rows", "hours", "off-grid"],
)
def test_nothing_of_a_bad_file_is_stored(
    candle: Candle,
    frame: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    words: list[str],
) -> None:
    monkeypatch.setattr(candle_files, "BATCH_ROWS", 500)  # the bad row is not in the first batch
    change(frame).to_csv("bad.csv", index=False)
    candle("import", "bad.csv", *NAMES).failed_with(2, "'bad.csv'", *words)
    assert not Path("candles.sqlite3").exists()


def test_a_bad_row_of_a_parquet_file(candle: Candle, frame: pd.DataFrame) -> None:
    frame.assign(close=[*frame["close"][:-1], float("nan")]).to_parquet("bad.parquet")
    candle("import", "bad.parquet", *NAMES).failed_with(2, "row 1440", "'close'")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty"]),
        (b"PK\x03\x04....", ["zip file", "unpack"]),
        (b"[[1, 2]]", ["JSON"]),
        (b"ARROW1 and then nothing", ["cannot be read"]),
        (b"1706745600000,1,2,1,1,5\n", ["6 columns", "open_time,open,high,low,close,volume"]),
        (b"date,open,high,low,close,volume\n2024-02-01,1,2,1,1,5,6\n", ["line 2", "Expected 6 columns, got 7"]),
    ],
    ids=["empty", "zip", "json", "torn", "no-header", "ragged"],
)
def test_other_files(candle: Candle, content: bytes, words: list[str]) -> None:
    Path("some.file").write_bytes(content)
    candle("import", "some.file", *NAMES).failed_with(2, "'some.file'", *words)


def test_a_file_that_is_not_there(candle: Candle) -> None:
    candle("import", "no.csv", *NAMES).failed_with(2, "'no.csv'", "No such file")
    candle("import", "no.csv").failed_with(2, "'no.csv'", "No such file")


def test_torn_gzip(candle: Candle, frame: pd.DataFrame) -> None:
    Path("my.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode())[:-2000])
    outcome = candle("import", "my.csv.gz", *NAMES)
    outcome.failed_with(2, "'my.csv.gz'", "cannot be read")


def test_one_bad_file_does_not_stop_the_rest(candle: Candle, frame: pd.DataFrame) -> None:
    frame.to_csv("good.csv")
    Path("bad.csv").write_text("date,open\n")
    outcome = candle("import", "bad.csv", "good.csv", *NAMES, "--json")
    assert outcome.code == 1
    bad, good = outcome.document["files"]
    assert (bad["error"]["type"], good["saved"]["inserted"]) == ("BadInputError", 1440)
    assert "error" not in outcome.document
    assert "candle: 'bad.csv' has no column" in outcome.err
    assert candle("import", "bad.csv", *NAMES, "--json").document["error"]["type"] == "BadInputError"


def test_without_pyarrow_the_line_that_installs_it(shell: Candle, frame: pd.DataFrame, folder: Path) -> None:
    frame.to_csv("my.csv")
    (folder / "pyarrow.py").write_text("raise ImportError('not installed')\n")
    shell("import", "my.csv", *NAMES, PYTHONPATH=str(folder)).failed_with(2, "pip install 'candle-core[arrow]'")


# ── markets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_market_the_exchange_does_not_list(candle: Candle, frame: pd.DataFrame) -> None:
    frame.to_csv("my.csv")
    names = [*NAMES[:5], "OLD/USDT", *NAMES[6:]]
    candle("import", "my.csv", *names).failed_with(2, "'OLD/USDT'", "--offline")
    entry = imported(candle, "my.csv", *names, "--offline")
    assert entry["symbol"] == "CRYPTO-BINANCE-SPOT-OLD-USDT-1m"
    assert "by its name alone" in entry["notes"][0]


def test_offline_nobody_is_asked_and_a_collection_completes_the_market(
    candle: Candle, sandbox: Sandbox, frame: pd.DataFrame
) -> None:
    frame[:720].to_csv("my.csv")
    imported(candle, "my.csv", *NAMES, "--offline")
    assert sandbox.ledger.requests() == []
    entry = collected(candle)
    assert (entry["saved"]["inserted"], entry["missing"]) == (720, [])
    with sqlite3.connect("candles.sqlite3") as database:
        assert database.execute("select native_id, price_tick is not null from markets").fetchall() == [("BTCUSDT", 1)]
    assert same(stored(), frame)


def test_an_exchange_out_of_reach(
    candle: Candle, config: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.0)
    config.write_text('[providers.binance]\nrest_url = "http://127.0.0.1:9"\n')
    frame.to_csv("my.csv")
    entry = imported(candle, "my.csv", *NAMES)
    assert entry["saved"]["inserted"] == 1440
    assert "BINANCE cannot be asked" in entry["notes"][0]
    assert "by its name alone" in entry["notes"][1]


def test_a_name_that_says_no_base_and_quote(candle: Candle, frame: pd.DataFrame) -> None:
    frame.to_csv("my.csv")
    candle("import", "my.csv", *NAMES[:5], "BTCUSDT", *NAMES[6:], "--offline").failed_with(2, "'BTCUSDT'", "BASE/QUOTE")


# ── a terminal ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bar_is_drawn_and_the_document_stays_clean(frame: pd.DataFrame) -> None:
    frame.to_csv("my.csv")
    with terminal(100) as (ours, theirs):
        process = subprocess.Popen(
            [COMMAND, "import", "my.csv", *NAMES, "--json"],
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
            text=True,
        )
        os.close(theirs)
        drawn = seen(ours)
        out, _ = process.communicate(timeout=120)
    assert json.loads(out)["files"][0]["saved"]["inserted"] == 1440
    assert "my.csv" in drawn
    assert "rows checked" in drawn
