"""`candle accounts`."""

from pathlib import Path

import pytest

from .conftest import Candle

KEY = "planted-51c0-key"
TOML = """\
[[accounts]]
name = "main"
exchange = "BINANCE"
api_key = { env = "BINANCE_KEY" }
api_secret = { file = "secret.txt" }

[[accounts]]
name = "spare"
exchange = "binance"

[[accounts]]
name = "old"
exchange = "upbit"
active = false
api_key = { env = "NO_SUCH_KEY" }
"""


@pytest.fixture
def accounts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (folder / "candle.toml").write_text(TOML)
    (folder / "secret.txt").write_text(KEY + "-secret\n")
    monkeypatch.setenv("BINANCE_KEY", KEY)
    return folder


def test_it_shows_where_each_key_is_kept(candle: Candle, accounts: Path) -> None:
    outcome = candle("accounts")
    assert outcome.code == 0
    assert [line.split("  ")[0] for line in outcome.out.splitlines()] == ["account", "main", "main", "spare", "old"]
    rows = [[cell.strip() for cell in line.split("  ") if cell] for line in outcome.out.splitlines()]
    assert rows[1] == ["main", "BINANCE", "yes", "api_key", "env BINANCE_KEY", "yes", "-"]
    assert rows[2] == ["main", "BINANCE", "yes", "api_secret", "file secret.txt", "yes", "-"]
    assert rows[3][:3] == ["spare", "BINANCE", "yes, not used"]
    assert rows[4][:6] == ["old", "UPBIT", "no", "api_key", "env NO_SUCH_KEY", "no"]
    assert KEY not in outcome.out + outcome.err


def test_as_a_document(candle: Candle, accounts: Path) -> None:
    outcome = candle("accounts", "--json")
    main, spare, old = outcome.document["accounts"]
    assert (main["name"], main["exchange"], main["active"], main["used"]) == ("main", "BINANCE", True, True)
    assert main["keys"][0] == {
        "key": "api_key", "kept": "env", "name": "BINANCE_KEY", "user": None, "found": True, "error": None,
    }  # fmt: skip
    assert (spare["active"], spare["used"], spare["keys"]) == (True, False, [])
    assert (old["active"], old["used"], old["keys"][0]["found"]) == (False, False, False)
    assert "'NO_SUCH_KEY' is not set" in old["keys"][0]["error"]
    assert KEY not in outcome.out


def test_a_missing_key_of_an_active_account_is_a_failure(candle: Candle, accounts: Path) -> None:
    (accounts / "secret.txt").unlink()
    outcome = candle("accounts")
    assert outcome.code == 1
    assert "line 5: cannot read the file 'secret.txt'" in outcome.out
    assert candle("accounts", "--json").code == 1


def test_no_accounts(candle: Candle, folder: Path) -> None:
    outcome = candle("accounts")
    assert (outcome.code, outcome.out) == (0, "")
    assert "[[accounts]]" in outcome.err
    assert candle("accounts", "--json").document == {"accounts": []}


def test_a_key_in_clear_is_refused(candle: Candle, folder: Path) -> None:
    (folder / "candle.toml").write_text(f'[[accounts]]\nname = "a"\nexchange = "b"\napi_key = "{KEY}"\n')
    candle("accounts").failed_with(2, "line 4", "in clear")
