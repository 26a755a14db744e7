"""`candle init`."""

import re
from pathlib import Path

import pytest

from candle_core.config import load_config

from .conftest import Candle


def test_it_writes_a_file_that_can_be_read(candle: Candle, folder: Path) -> None:
    assert candle("init").out == "wrote candle.toml\n"
    config = load_config(folder / "candle.toml")
    assert config.storage.name == "sqlite"
    assert dict(config.storage.values) == {"path": "candles.sqlite3"}


def test_every_example_in_it_is_a_valid_setting(candle: Candle, folder: Path) -> None:
    candle("init")
    file = folder / "candle.toml"
    text, count = re.subn(r"(?m)^# (?=\w+ = |\[\[)", "", file.read_text())
    assert count == 13
    file.write_text(text)
    states = {one["name"]: one for one in candle("plugins", "--check", "--json").document["plugins"]}
    assert [states[name]["error"] for name in ("binance", "sqlite")] == ["", ""]
    config = load_config(file)
    assert config.defaults.exchange == "BINANCE"
    (account,) = config.check_accounts()
    assert (account.name, account.exchange, account.used) == ("main", "okx", True)
    assert [(key.key, key.kept, key.name) for key in account.keys] == [
        ("api_key", "env", "OKX_KEY"), ("api_secret", "env", "OKX_SECRET"), ("passphrase", "env", "OKX_PASSPHRASE"),
    ]  # fmt: skip


def test_a_file_that_is_there_stays(candle: Candle, folder: Path) -> None:
    (folder / "candle.toml").write_text("# mine\n")
    candle("init").failed_with(2, "'candle.toml'", "--force")
    assert (folder / "candle.toml").read_text() == "# mine\n"


def test_force_replaces_it(candle: Candle, folder: Path) -> None:
    (folder / "candle.toml").write_text("# mine\n")
    assert candle("init", "--force").code == 0
    assert "[storage]" in (folder / "candle.toml").read_text()


def test_it_writes_where_the_configuration_is_looked_for(
    candle: Candle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANDLE_CONFIG", "here.toml")
    assert candle("init", "--json").document == {"file": "here.toml"}
    assert candle("init", "--config", "there.toml", "--json").document == {"file": "there.toml"}
    assert sorted(file.name for file in folder.iterdir()) == ["here.toml", "there.toml"]


def test_a_folder_that_is_not_there(candle: Candle, folder: Path) -> None:
    candle("init", "--config", "no/such/candle.toml").failed_with(2, "'no/such/candle.toml'")
