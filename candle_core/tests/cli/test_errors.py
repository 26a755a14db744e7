"""Every way to go wrong: one clear line, the right exit code, no traceback, nothing half-written."""

import shutil
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest

from candle_testkit.sandbox import Sandbox

from .conftest import COMMAND, KLINES, Candle, Outcome

BTC = ("collect", "BINANCE", "SPOT", "BTC/USDT", "1m")
DAY = ("--start", "2024-02-01", "--end", "2024-02-02")
DATABASE = "candles.sqlite3"


# ── what was typed ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["BINANCE", "SPOT", "NO/SUCH", "1m", *DAY], ["'NO/SUCH'", "`candle markets BINANCE SPOT`"]),
        (["BINANCE", "FUTURE", "BTC/USDT", "1m", *DAY], ["FUTURE", "'BTC/USDT'"]),
        (["BINANCE", "SPOT", "BTC/USDT", "7m", *DAY], ["'7m'", "5m, 15m"]),
        (["BINANCE", "SPOT", "BTC/USDT", "ETH/USDT", *DAY], ["'ETH/USDT' is not a timeframe", "'1m'"]),
        (["BINANCE", "SPOT", "BTC/USDT", "1m", "--start", "2024-02-02", "--end", "2024-02-01"], ["end", "start"]),
        (["BINANCE", "SPOT", "BTC/USDT", "1m", "--start", "2024-02-01", "--end", "2024-02-01"], ["end", "start"]),
        (["BINANCE", "SPOT", "BTC/USDT", "1m", "--start", "yesterday"], ["'yesterday'", "'2024-01-31'"]),
        (["BINANCE", "SPOT", "BTC/USDT", "1m"], ["--start", "--count"]),
        (["BINANCE", "SPOT", "BTC/USDT", "1m", "--count", "ten"], ["--count", "'ten'"]),
        (["BINANCE", "1m", *DAY], ["'BINANCE 1m' is not enough", "BINANCE SPOT BTC/USDT 1m"]),
        (["BINNANCE", "SPOT", "BTC/USDT", "1m", *DAY], ["'binnance'", "did you mean 'binance'?"]),
    ],
    ids=" ".join,
)
def test_bad_input(candle: Candle, config: Path, sandbox: Sandbox, words: list[str], said: list[str]) -> None:
    candle("collect", *words).failed_with(2, *said)
    assert sandbox.ledger.count(KLINES) == 0
    document = candle("collect", *words, "--json").document
    assert {"type", "message"} == set(document["error"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[storage]\npath = 'x.sqlite3'\n\n[storag]\n", ["line 4", "'storag'", "did you mean 'storage'?"]),
        ("[providers.binance]\n\nrest_ulr = 'http://x'\n", ["line 3", "'rest_ulr'", "did you mean 'rest_url'?"]),
        ("[defaults]\nexchnage = 'BINANCE'\n", ["line 2", "'exchnage'", "did you mean 'exchange'?"]),
        ("[storage\n", ["'candle.toml'", "line 1"]),
        ("[providers.binance]\ntimeout = 'soon'\n", ["line 2", "'timeout'", "'soon'"]),
    ],
)
def test_a_typo_in_the_toml(candle: Candle, folder: Path, text: str, said: list[str]) -> None:
    (folder / "candle.toml").write_text(text)
    candle(*BTC, *DAY).failed_with(2, "candle.toml", *said)
    assert [file.name for file in folder.iterdir() if file.name != DATABASE] == ["candle.toml"]


def test_a_configuration_that_is_not_there(candle: Candle, folder: Path) -> None:
    candle(*BTC, *DAY, "--config", "no.toml").failed_with(2, "'no.toml'", "`candle init`")
    assert list(folder.iterdir()) == []


def test_the_environment_names_the_configuration(
    candle: Candle, folder: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "bad.toml").write_text("[storag]\n")
    monkeypatch.setenv("CANDLE_CONFIG", "bad.toml")
    candle(*BTC, *DAY).failed_with(2, "'bad.toml', line 1")
    assert candle(*BTC, *DAY, "--config", "candle.toml").code == 0


# ── the exchange ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_reachable(candle: Candle, folder: Path) -> None:
    with socket.socket() as nobody:  # bound, but not listening: whoever connects is refused
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        (folder / "candle.toml").write_text(f'[providers.binance]\nrest_url = "{url}"\n')
        candle("markets", "BINANCE", "SPOT").failed_with(3, url)


def test_a_server_that_answers_html(candle: Candle, config: Path, sandbox: Sandbox) -> None:
    sandbox.faults.script("html", times=1000)
    outcome = candle(*BTC, *DAY, "--json")
    assert outcome.code == 1
    assert outcome.document["error"]["type"] == "MalformedAnswerError"
    assert "Traceback" not in outcome.err
    with sqlite3.connect(DATABASE) as database:
        assert database.execute("select count(*) from v_candles").fetchone() == (0,)


# ── the database ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", [(*BTC, *DAY), ("load", *BTC[1:])], ids=["collect", "load"])
def test_a_file_that_is_no_database(candle: Candle, config: Path, command: tuple[str, ...]) -> None:
    text = "this is a letter and not a database\n" * 100
    Path(DATABASE).write_text(text)
    candle(*command).failed_with(1, DATABASE, "is not an SQLite database")
    assert Path(DATABASE).read_text() == text


@pytest.mark.usefixtures("day")
def test_a_damaged_database(candle: Candle) -> None:
    with sqlite3.connect(DATABASE) as database:
        database.execute("pragma wal_checkpoint(truncate)")
    database.close()
    with Path(DATABASE).open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * 16 * 4096)
    outcome = candle("load", *BTC[1:], "--format", "csv", "-o", "btc.csv")
    outcome.failed_with(1, DATABASE, "is damaged")
    assert not Path("btc.csv").exists()


def test_a_folder_that_is_not_there(candle: Candle, config: Path) -> None:
    config.write_text(config.read_text() + "[storage]\npath = 'no/such/candles.sqlite3'\n")
    candle(*BTC, *DAY).failed_with(3, "no/such", "[storage]")


def in_small_room(folder: Path, size: str, then: str, *words: str) -> Outcome:
    """Run a command where ./room is a file system of its own, `size` large, after the shell commands `then`."""
    room = f"mount -t tmpfs -o size={size} none room"
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "-rm", "sh", "-c", room], cwd=folder, capture_output=True, check=False).returncode
    ):
        pytest.skip("this system lets us mount nothing")
    script = f'{room} && {then} && exec "$0" "$@"'
    typed = ["unshare", "-rm", "sh", "-c", script, COMMAND, *words]
    done = subprocess.run(typed, cwd=folder, capture_output=True, text=True, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def room(config: Path) -> Path:
    """A configuration whose database lies in ./room."""
    (config.parent / "room").mkdir()
    config.write_text(config.read_text() + "[storage]\npath = 'room/candles.sqlite3'\n")
    return config.parent


def test_a_full_disk(room: Path) -> None:
    rescue = "trap 'cp room/candles.sqlite3 rescued' EXIT"
    wanted = ("collect", "BINANCE", "SPOT", "BTC/USDT", "1m", "--count", "40000")
    outcome = in_small_room(room, "600k", rescue, *wanted)
    outcome.failed_with(1, "room/candles.sqlite3", "no room left")


def test_a_read_only_database(room: Path, day: None) -> None:
    shutil.copy(room / "room" / DATABASE, room / "copy.sqlite3")
    prepare = f"cp copy.sqlite3 room/{DATABASE} && mount -o remount,ro room"
    in_small_room(room, "4m", prepare, *BTC, "--start", "2024-02-02", "--end", "2024-02-03").failed_with(
        1, f"room/{DATABASE}", "read"
    )


# ── defects ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_defect_is_one_line_unless_debugged(candle: Candle, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("candle_core.manager.Kernel", broken)
    candle(*BTC, *DAY).failed_with(1, "by zero", "ZeroDivisionError", "CANDLE_DEBUG=1")
    monkeypatch.setenv("CANDLE_DEBUG", "1")
    outcome = candle(*BTC, *DAY)
    assert (outcome.code, outcome.out) == (1, "")
    assert "Traceback" in outcome.err


@pytest.mark.filterwarnings("default::candle_core.budget.BudgetNotSharedWarning")
def test_a_warning_is_a_line_that_names_no_place_in_the_code(
    candle: Candle, config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "no folder").write_text("")
    monkeypatch.setenv("CANDLE_CACHE_DIR", str(folder / "no folder"))
    done = candle("markets", "BINANCE", "SPOT")
    assert done.code == 0
    warned = [line for line in done.err.splitlines() if "limits are not shared" in line]
    assert len(warned) == 1, done.err
    assert warned[0].startswith("candle: warning: limits are not shared")
    assert ".py" not in done.err
