"""candle.toml: every error names the place and the remedy, and no secret is ever shown."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, SecretStr, field_validator

from candle_core.config import Config, load_config
from candle_hookspecs import ConfigError, Settings

SECRET = "hunter2-the-secret"


class Inner(Settings):
    """A table in the table."""

    key: SecretStr = SecretStr("")
    depth: int = 0


class ExampleSettings(Settings):
    """What a plugin may be told."""

    rest_url: str = "https://api.example.com"
    timeout: float = 5.0
    api_key: SecretStr | None = None
    keys: dict[str, SecretStr] = Field(default_factory=dict)
    inner: Inner = Inner()
    inners: tuple[Inner, ...] = ()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CANDLE_CONFIG", raising=False)
    return tmp_path


def write(folder: Path, text: str, name: str = "candle.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def settings_of(config: Config, name: str = "example") -> ExampleSettings:
    return config.settings(config.provider(name), ExampleSettings)


# ── where it comes from ─────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_needed(folder: Path) -> None:
    config = load_config()
    assert (config.file, config.storage.plugin, config.base_dir) == (None, "sqlite", folder)
    assert config.defaults.exchange is None


def test_the_file_named_wins_over_the_environment_over_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, '[defaults]\nexchange = "HERE"')
    assert load_config().defaults.exchange == "HERE"
    (folder / "elsewhere").mkdir()
    monkeypatch.setenv("CANDLE_CONFIG", str(write(folder / "elsewhere", '[defaults]\nexchange = "ENV"', "a.toml")))
    assert load_config().defaults.exchange == "ENV"
    assert load_config().base_dir == folder / "elsewhere", "relative paths start where the file is"
    assert load_config(write(folder, '[defaults]\nexchange = "NAMED"', "b.toml")).defaults.exchange == "NAMED"


def test_a_mapping_is_a_file_that_needs_no_disk() -> None:
    config = load_config({"storage": {"backend": "memory", "size": 3}, "providers": {"Kraken": {"plugin": "ccxt"}}})
    assert (config.storage.plugin, dict(config.storage.values)) == ("memory", {"size": 3})
    table = config.provider("kraken")
    assert (table.name, table.plugin, table.header) == ("kraken", "ccxt", "[providers.Kraken]")


def test_a_provider_needs_no_table(folder: Path) -> None:
    table = load_config().provider("upbit")
    assert (table.name, table.plugin, dict(table.values)) == ("upbit", "upbit", {})


def test_settings_are_the_plugins_own(folder: Path) -> None:
    write(folder, '[providers.example]\nrest_url = "http://localhost"\ntimeout = 2')
    assert settings_of(load_config()) == ExampleSettings(rest_url="http://localhost", timeout=2.0)


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n[provider.binance]\n", ["line 2", "'provider'", "did you mean 'providers'"]),
        (
            "[banana]\n",
            [
                "line 1",
                "'banana'",
                "valid here: accounts, batch, budget, cache, collect, defaults, extensions, providers",
            ],
        ),
        ("defaults = 3\n", ["line 1", "[defaults]"]),
        ('[defaults]\n\nexchnage = "BINANCE"\n', ["line 3", "'exchnage'", "did you mean 'exchange'"]),
        ("[defaults]\ntimeframes = 5\n", ["line 2", "'timeframes'", "it is 5"]),
        ('[defaults]\ntimeframes = ["1d", "1x"]\n', ["line 2", "'timeframes'", "'1x' is not a timeframe", "'4h'"]),
        ("[defaults]\ntimeframes = []\n", ["line 2", "'timeframes'", "at least 1 item"]),
        ("[providers]\nbinance = 5\n", ["line 2", "[providers.binance]"]),
        ("[defaults\n", ["not valid TOML", "line 1"]),
        ("a = 1\na = 2\n", ["not valid TOML"]),
        ("[storage]\nbackend = 3\n", ["line 2", "'backend'"]),
        ("[providers.binance]\nplugin = 3\n", ["line 2", "'plugin'"]),
        ("[providers.binance]\n[providers.BINANCE]\n", ["line 2", "another table [providers.binance]"]),
    ],
    ids=[
        "near",
        "far",
        "no-table",
        "typo",
        "type",
        "no-timeframe",
        "no-timeframes",
        "no-plugin-table",
        "no-toml",
        "twice",
        "backend",
        "plugin",
        "two-spellings",
    ],
)
def test_a_wrong_file(folder: Path, text: str, words: list[str]) -> None:
    write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_config()
    assert [word for word in (*words, "candle.toml") if word not in str(caught.value)] == [], str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[providers.example]\nrest_ulr = "x"\n', ["line 2", "'rest_ulr'", "did you mean 'rest_url'"]),
        ("[providers.example]\n\ntimeout = 'long'\n", ["line 3", "'timeout'", "it is 'long'"]),
        ("providers.example.timeout = 'long'\n", ["line 1", "'timeout'"]),
        ("[providers.example.inner]\ndept = 3\n", ["line 2", "'dept'", "did you mean 'depth'"]),
        ("[providers.example.inner]\ndepth = 'x'\n", ["line 2", "'inner.depth'"]),
        ("[[providers.example.inners]]\ndept = 3\n", ["line 2", "'dept'", "did you mean 'depth'"]),
        (
            "[[providers.example.inners]]\n[[providers.example.inners]]\ndept = 3\n",
            ["line 3", "'dept'", "did you mean 'depth'"],
        ),
    ],
    ids=["typo", "type", "dotted", "nested-typo", "nested-type", "listed-typo", "typo-in-the-second"],
)
def test_a_wrong_table(folder: Path, text: str, words: list[str]) -> None:
    write(folder, text)
    with pytest.raises(ConfigError) as caught:
        settings_of(load_config())
    assert [word for word in (*words, "candle.toml") if word not in str(caught.value)] == [], str(caught.value)


def test_every_problem_is_named(folder: Path) -> None:
    write(folder, "[providers.example]\nrest_ulr = 'x'\ntimeout = 'y'\n")
    with pytest.raises(ConfigError, match=r"timeout.*; .*rest_ulr|rest_ulr.*; .*timeout"):
        settings_of(load_config())


def test_a_file_that_is_not_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for source in ("nowhere.toml", Path("nowhere.toml"), folder):
        with pytest.raises(ConfigError, match=r"cannot read .*candle init"):
            load_config(source)
    monkeypatch.setenv("CANDLE_CONFIG", "gone.toml")
    with pytest.raises(ConfigError, match=r"'gone\.toml'"):
        load_config()


def test_a_file_that_is_no_text(folder: Path) -> None:
    (folder / "candle.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read"):
        load_config()


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_secrets_are_looked_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    write(folder, SECRET + "\n", "key.txt")
    for value in ('{ env = "MY_KEY" }', '{ file = "key.txt" }', f'{{ file = "{folder / "key.txt"}" }}'):
        write(folder, f"[providers.example]\napi_key = {value}\nkeys = {{ main = {value} }}\n")
        settings = settings_of(load_config())
        assert settings.api_key is not None
        assert settings.api_key.get_secret_value() == settings.keys["main"].get_secret_value() == SECRET


def test_what_editors_and_shells_put_around_a_secret_is_none_of_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", f"{SECRET}\r\n")
    (folder / "key.txt").write_bytes(b"\xef\xbb\xbf" + SECRET.encode() + b"\r\n")
    for value in ('{ env = "MY_KEY" }', '{ file = "key.txt" }'):
        (folder / "candle.toml").write_bytes(f"\ufeff[providers.example]\r\napi_key = {value}\r\n".encode())
        key = settings_of(load_config()).api_key
        assert key is not None
        assert key.get_secret_value() == SECRET


def test_a_secret_file_lies_beside_the_toml(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, SECRET, "key.txt")
    file = write(folder, '[providers.example]\napi_key = { file = "key.txt" }\n')
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    found = settings_of(load_config(file)).api_key
    assert found is not None
    assert found.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('{ env = "NO_SUCH_KEY" }', ["'NO_SUCH_KEY'", "not set", "line 2"]),
        ('{ file = "no-such-file" }', ["'no-such-file'", "line 2"]),
        ('{ file = "binary" }', ["'binary'", "line 2"]),
        ("{ env = 3 }", ["line 2"]),
        ('{ env = "BLANK" }', ["'BLANK' is empty", "line 2"]),
        ('{ file = "blank" }', ["'blank' is empty", "line 2"]),
    ],
)
def test_a_secret_that_is_not_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, value: str, words: list[str]
) -> None:
    monkeypatch.setenv("BLANK", "  ")
    write(folder, "\n", "blank")
    (folder / "binary").write_bytes(b"\xff\xfe")
    write(folder, f"[providers.example]\napi_key = {value}\n")
    with pytest.raises(ConfigError) as caught:
        settings_of(load_config())
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    "table",
    [
        f'api_key = "{SECRET}"\ntimeout = "x"',
        f'api_key = ["{SECRET}"]',
        f'api_kye = "{SECRET}"',
        f'keys = "{SECRET}"',
        f'keys = {{ main = ["{SECRET}"] }}',
        f'inner = {{ key = ["{SECRET}"] }}',
        f'inner = {{ key = "{SECRET}", depth = "x" }}',
    ],
    ids=["beside", "wrong-type", "typo", "no-table", "in-a-table", "nested", "beside-nested"],
)
def test_no_error_shows_a_secret(folder: Path, table: str) -> None:
    write(folder, f"[providers.example]\n{table}\n")
    with pytest.raises(ConfigError) as caught:
        settings_of(load_config())
    assert SECRET not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None), "pydantic's own error shows its input"


def test_no_error_shows_what_a_plugins_own_validation_repeats(folder: Path) -> None:
    class Strict(Settings):
        url: SecretStr

        @field_validator("url")
        @classmethod
        def _is_an_address(cls, url: SecretStr) -> SecretStr:
            raise ValueError(f"{url.get_secret_value()!r} is no address")

    write(folder, f'[providers.example]\nurl = "{SECRET}"\n')
    config = load_config()
    with pytest.raises(ConfigError, match=r"line 2: 'url': '\*+' is no address"):
        config.settings(config.provider("example"), Strict)


def test_no_error_shows_a_secret_that_was_looked_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    write(folder, '[providers.example]\ntimeout = { env = "MY_KEY" }\n')
    with pytest.raises(ConfigError) as caught:
        settings_of(load_config())
    assert SECRET not in str(caught.value)


def test_no_representation_shows_a_secret(folder: Path) -> None:
    write(folder, f'[storage]\npassword = "{SECRET}"\n[providers.example]\napi_key = "{SECRET}"\n')
    config = load_config()
    shown: list[Any] = [config, config.storage, config.provider("example"), settings_of(config)]
    assert [one for one in shown if SECRET in repr(one) or SECRET in str(one)] == []
