"""Secrets from the environment, from files and from the system's keyring; what is not there is told with its remedy."""

import copy
import importlib.metadata
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, SecretBytes, SecretStr

from candle_core.config import load_config
from candle_core.discovery import PluginKind, find_plugin
from candle_core.secrets import MASK, REDACTOR, SecretSource
from candle_hookspecs import ConfigError, MissingPluginError, Settings

SECRET = "planted-0c3d-secret"


class Example(Settings):
    """What a plugin may be told."""

    url: str = ""
    timeout: float = 5.0
    attempts: int = 3
    path: Path = Path()
    key: SecretStr | None = None
    raw: SecretBytes | None = None
    keys: dict[str, SecretStr] = Field(default_factory=dict)
    several: tuple[SecretStr, ...] = ()
    address: SecretStr = SecretStr("redis://localhost:6379/0")


def settings(**values: Any) -> Example:
    config = load_config({"providers": {"example": values}})
    return config.settings(config.provider("example"), Example)


# ── where it is kept ────────────────────────────────────────────────────────────────────────────────────────────────


def test_from_a_keyring(ring: Any, tmp_path: Path) -> None:
    ring.set_password("candle", "example", SECRET)
    ring.set_password("candle", "somebody", SECRET + "2")
    found = settings(key={"keyring": "candle"}, keys={"main": {"keyring": "candle", "user": "somebody"}})
    assert found.key is not None
    assert (found.key.get_secret_value(), found.keys["main"].get_secret_value()) == (SECRET, SECRET + "2")
    assert [*(tmp_path / "data").rglob("*.cfg")], "a real keyring was asked"


def test_in_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", SECRET)
    assert [one.get_secret_value() for one in settings(several=[{"env": "ONE"}, SecretStr("two")]).several] == [
        SECRET, "two",
    ]  # fmt: skip


def test_no_entry_in_the_keyring(ring: Any) -> None:
    with pytest.raises(ConfigError, match=r"no entry of 'example' for 'candle'.*`keyring set candle example`"):
        settings(key={"keyring": "candle"})


def test_a_system_without_a_keyring(ring: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    with pytest.raises(ConfigError, match="no keyring that the library 'keyring' knows"):
        settings(key={"keyring": "candle"})


def test_a_keyring_that_is_out_of_order(ring: Any, tmp_path: Path) -> None:
    ring.set_password("candle", "example", SECRET)
    (file,) = (tmp_path / "data").rglob("*.cfg")
    file.write_text("no such format\n")
    with pytest.raises(ConfigError, match="cannot read the entry of 'example' for 'candle' in the keyring: ") as caught:
        settings(key={"keyring": "candle"})
    assert caught.value.__cause__ is not None


def test_the_library_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "candle.toml").write_text('[providers.example]\nkey = { keyring = "candle" }\n')
    script = (
        "import sys; sys.modules['keyring'] = None\n"  # how Python says that a module is not to be had
        "from candle_core.config import load_config; from candle_hookspecs import Settings\n"
        "config = load_config('candle.toml'); config.settings(config.provider('example'), Settings)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    line = done.stderr.splitlines()[-1]
    assert "ConfigError: 'candle.toml', line 2" in line
    assert "pip install 'candle-core[keyring]'" in line


def test_the_library_is_imported_only_when_named(tmp_path: Path) -> None:
    script = (
        "import os, sys; os.environ['K'] = 'from-the-environment'\n"
        "from candle_core.config import load_config; from candle_hookspecs import Settings\n"
        "class Own(Settings): key: str\n"
        "config = load_config({'providers': {'example': {'key': {'env': 'K'}}}})\n"
        "config.settings(config.provider('example'), Own); config.check_accounts()\n"
        "print(sorted({'keyring', 'jeepney', 'secretstorage'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_comes_with_the_library_leaves_plugins_as_they_are(ring: Any, install: Any, tmp_path: Path) -> None:
    backport = pytest.importorskip("importlib_metadata", reason="keyring needs it before Python 3.12 only")
    install("candle-whole", "[candle.providers]\nwhole = whole_plugin:Plugin\n", whole_plugin="class Plugin: pass\n")
    install("candle-torn", "[candle.providers]\ntorn = torn_plugin:Plugin\n")
    next((tmp_path / "site-candle-torn-1.0").rglob("METADATA")).unlink()
    found = importlib.metadata.distributions()
    assert any(isinstance(one, backport.Distribution) for one in found), "it takes the place of Python's own"
    assert find_plugin(PluginKind.PROVIDER, "whole").load().__name__ == "Plugin"
    with pytest.raises(MissingPluginError):
        find_plugin(PluginKind.PROVIDER, "torn")


@pytest.mark.parametrize("kept", ["env", "file"])
def test_an_empty_one_is_none(kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    (tmp_path / "empty").write_text("\n")
    name = {"env": "EMPTY", "file": str(tmp_path / "empty")}[kept]
    with pytest.raises(ConfigError, match="is empty"):
        settings(key={kept: name})


@pytest.mark.parametrize("name", ["~no-such-user/key", "a\0b", "/proc/self"])
def test_a_path_that_is_none(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot read the file"):
        settings(key={"file": name})


@pytest.mark.parametrize("written", ["text", 3, {}, {"env": "A", "file": "b"}, {"user": "u"}, {"keyring": "a", "x": 1}])
def test_what_is_no_source(written: Any) -> None:
    assert SecretSource.read(written) is None


# ── what is remembered ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_settings_call_secret_is_one_however_it_came() -> None:
    settings(key=SECRET, raw=b"planted-bytes", keys={"a": "planted-in-a-table"}, several=["planted-in-a-list"])
    told = REDACTOR.scrub(f"{SECRET} planted-bytes planted-in-a-table planted-in-a-list")
    assert told.split() == [MASK] * 4


def test_what_was_looked_up_is_one_unless_it_is_a_number_or_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"URL": "http://x/?key=1", "NUMBER": "1234567", "FLOAT": "12.0625", "DB": "/data/x.db"}.items():
        monkeypatch.setenv(name, value)
    settings(url={"env": "URL"}, attempts={"env": "NUMBER"}, timeout={"env": "FLOAT"}, path={"env": "DB"})
    assert REDACTOR.scrub("http://x/?key=1 1234567 12.0625 /data/x.db") == f"{MASK} 1234567 12.0625 /data/x.db"


def test_what_was_looked_up_for_the_wrong_key_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", SECRET)
    with pytest.raises(ConfigError):
        settings(timeout={"env": "KEY"})
    assert REDACTOR.scrub(SECRET) == MASK


def test_what_a_plain_table_says_is_none_and_neither_is_a_default() -> None:
    settings(url="http://localhost:8080")
    assert not REDACTOR.finds("http://localhost:8080 redis://localhost:6379/0")
    settings(address="redis://localhost:6379/0")
    assert REDACTOR.finds("redis://localhost:6379/0")


# ── what a configuration shows ──────────────────────────────────────────────────────────────────────────────────────

WAYS: dict[str, Callable[[Any], str]] = {
    "repr": repr,
    "str": str,
    "format": lambda value: f"{value}",
    "asdict": lambda value: repr(asdict(value)),
    "deepcopy": lambda value: repr(copy.deepcopy(value)),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_way_of_showing_it_shows_a_key(
    way: Callable[[Any], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", SECRET)
    file = tmp_path / "candle.toml"
    file.write_text(
        f'[storage]\npassword = "{SECRET}"\n[providers.example]\nkey = "{SECRET}"\nkeys = {{ a = "{SECRET}" }}\n'
        f'[[accounts]]\nname = "main"\nexchange = "example"\napi_key = {{ env = "KEY" }}\n'
    )
    config = load_config(file)
    account = config.account("example")
    assert account is not None
    assert account.api_key is not None
    assert account.api_key.get_secret_value() == SECRET
    for shown in (config, config.storage, config.provider("example"), *config.accounts, *config.check_accounts()):
        assert SECRET not in way(shown)
    assert SECRET not in repr(account) + str(account) + account.model_dump_json()


def test_what_may_hold_a_key_is_not_pickled() -> None:
    config = load_config({"storage": {"password": SECRET}, "accounts": [{"name": "a", "exchange": "b"}]})
    for one in (config, config.storage, *config.accounts):
        with pytest.raises(TypeError, match="may hold a key and cannot be pickled"):
            pickle.dumps(one)
