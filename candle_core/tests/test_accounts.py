"""[[accounts]]: which is used, when its keys are looked up, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from candle_core.budget import Remote, host_of
from candle_core.config import load_config
from candle_core.kernel import Kernel
from candle_hookspecs import ConfigError, Limit, Scope, Settings

KEY = "planted-9e8d-account-key"
MEMORY = {"storage": {"backend": "memory"}}


def account(**values: Any) -> dict[str, Any]:
    return {"name": "main", "exchange": "FAKE"} | values


# ── which is used ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_active_one_of_an_exchange_is_used() -> None:
    config = load_config(
        {
            "accounts": [
                account(name="old", active=False),
                account(name="other", exchange="elsewhere"),
                account(name="first", exchange="Fake "),
                account(name="second"),
            ]
        }
    )
    used = config.account("fake")
    assert used is not None
    assert (used.name, used.exchange, used.active, used.api_key) == ("first", "fake", True, None)
    assert config.account("nowhere") is None
    assert [(one.name, one.used) for one in config.check_accounts()] == [
        ("old", False), ("other", True), ("first", True), ("second", False),
    ]  # fmt: skip


async def test_a_plugin_is_given_its_account(clock: Any, exchange: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", KEY)
    keys = {"api_key": {"env": "KEY"}, "api_secret": SecretStr("given"), "passphrase": None}
    kernel = Kernel(load_config(MEMORY | {"accounts": [account(**keys)]}), clock)
    kernel.provider("fake")
    (provider,) = exchange.instances
    given = provider.context.account
    assert (given.name, given.api_key.get_secret_value()) == ("main", KEY)
    assert (given.api_secret.get_secret_value(), given.passphrase) == ("given", None)


async def test_a_plugin_without_an_account_is_given_none(clock: Any, exchange: Any) -> None:
    accounts = [account(exchange="elsewhere"), account(name="old", active=False)]
    Kernel(load_config(MEMORY | {"accounts": accounts}), clock).provider("fake")
    assert exchange.instances[0].context.account is None


async def test_keys_are_looked_up_when_their_exchange_is_built(
    clock: Any, exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = {"api_key": {"env": "NO_SUCH_KEY"}}
    accounts = [account(**missing), account(name="spare", exchange="other", **missing)]
    tables = MEMORY | {"accounts": accounts, "providers": {"kraken": {"plugin": "fake"}}}
    kernel = Kernel(load_config(tables), clock)
    kernel.storage()
    kernel.provider("kraken")
    with pytest.raises(ConfigError, match="the environment variable 'NO_SUCH_KEY' is not set"):
        kernel.provider("fake")
    monkeypatch.setenv("NO_SUCH_KEY", KEY)
    assert kernel.provider("fake").name == "fake", "it is looked for again"


def test_limits_of_an_account_count_by_its_key(clock: Any, exchange: Any) -> None:
    def pool(limit: Limit, name: str, **keys: SecretStr) -> str:
        config = load_config({"accounts": [account(name=name, **keys)]})
        return Remote.of("fake", Settings(), config.account("fake")).pool(limit)

    of_account, of_address = Limit("a", 1, 1.0, scope=Scope.ACCOUNT), Limit("b", 1, 1.0)
    one, other = SecretStr(KEY), SecretStr(KEY + "2")
    assert pool(of_account, "a", api_key=one) == pool(of_account, "b", api_key=one, passphrase=other)
    assert pool(of_account, "a", api_key=one) != pool(of_account, "a", api_key=other)
    assert pool(of_account, "a", api_key=one) != Remote.of("fake", Settings()).pool(of_account)
    assert pool(of_account, "a") == Remote.of("fake", Settings()).pool(of_account)
    assert pool(of_address, "a", api_key=one) == pool(of_address, "a", api_key=other) == "fake"
    assert KEY not in pool(of_account, "a", api_key=one)


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────────

HEAD = '[[accounts]]\nname = "main"\nexchange = "binance"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[accounts]\nname = "a"\n', ["line 1", "write [[accounts]]"]),
        ("accounts = 3\n", ["line 1", "write [[accounts]]"]),
        ('[[accounts]]\nname = "a"\nexchange = 3\n', ["line 3", "'exchange'", "it is 3"]),
        ('[[accounts]]\nname = "a"\n', ["line 1", "'exchange'", "required"]),
        ('[[accounts]]\nname = ""\nexchange = "a"\n', ["line 2", "'name'", "at least 1"]),
        ('[[accounts]]\nname = "a"\nexchange = " "\n', ["line 3", "'exchange'", "at least 1"]),
        (f'{HEAD}active = "maybe"\n', ["line 4", "'active'", "it is 'maybe'"]),
        (f'{HEAD}api_kye = {{ env = "A" }}\n', ["line 4", "unknown key 'api_kye'", "did you mean 'api_key'"]),
        (f"{HEAD}{HEAD}", ["line 5", "another account called 'main'"]),
        (f"{HEAD}\n{HEAD.replace('main', 'b')}api_kye = 1\n", ["line 8", "'api_kye'"]),
        (f'{HEAD}api_key = "{KEY}"\n', ["line 4", "'api_key'", "in clear", '{ env = "NAME" }', "keyring"]),
        (f'{HEAD}[accounts.api_key]\nenf = "{KEY}"\n', ["line 4", "'api_key'", '{ env = "NAME" }']),
        (f'{HEAD}passphrase = ["{KEY}"]\n', ["line 4", "'passphrase'", '{ env = "NAME" }']),
        (f'{HEAD}api_kye = "{KEY}"\n', ["line 4", "'api_kye'"]),
    ],
    ids=[
        "one table", "no table", "exchange", "no exchange", "no name", "blank", "active", "typo", "twice", "second",
        "clear", "misspelled source", "list", "clear under a typo",
    ],
)  # fmt: skip
def test_a_wrong_account(tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "candle.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert [word for word in (*words, "candle.toml") if word not in str(caught.value)] == [], str(caught.value)
    assert KEY not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_key_that_is_not_found_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "candle.toml"
    file.write_text(HEAD + 'active = true\napi_key = { file = "no-such-file" }\n')
    with pytest.raises(ConfigError, match="line 5: cannot read the file 'no-such-file'"):
        load_config(file).account("binance")


def test_a_key_that_begins_like_a_host_is_not_counted_as_one() -> None:
    clear = "//planted/base64+key=="
    assert host_of(clear) == ""
    assert host_of(f"https://me:{clear[2:9]}@api.example.com/x") == "api.example.com"
