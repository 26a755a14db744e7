"""``[[accounts]]``: who the user is at the exchanges, and where his keys are kept."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, PlainValidator, SecretStr, StringConstraints

from candle_core.config.source import Keys, Source
from candle_core.config.tables import Values
from candle_core.config.validation import check, look_up
from candle_core.secrets import FORMS, REDACTOR, SecretSource
from candle_hookspecs import Account, ConfigError

KEYS: Final = ("api_key", "api_secret", "passphrase")
"""What an account may have, as an exchange calls it."""


def _read_key(written: object) -> SecretSource | SecretStr:
    if isinstance(written, SecretStr):
        return written
    if isinstance(written, str):
        raise ValueError(f"a key must not be written here in clear; write {FORMS}")
    if (source := SecretSource.read(written)) is None:
        raise ValueError(f"this tells not where the key is kept; write {FORMS}")
    return source


_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Key = Annotated[SecretSource | SecretStr, PlainValidator(_read_key)]


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    name: _Name
    exchange: _Name
    active: bool = True
    api_key: _Key | None = None
    api_secret: _Key | None = None
    passphrase: _Key | None = None


@dataclass(frozen=True, slots=True)
class KeyState:
    """One key of an account, without the key.

    Attributes:
        key: one of `KEYS`.
        kept: ``env``, ``file`` or ``keyring``; ``program``: it was given by one.
        name: of the variable, path of the file, service in the keyring.
        user: whose entry in the keyring.
        error: why it is not found; empty: it is.
    """

    key: str
    kept: str
    name: str = ""
    user: str = ""
    error: str = ""

    @property
    def found(self) -> bool:
        """Whether it is."""
        return not self.error


@dataclass(frozen=True, slots=True)
class AccountState:
    """How an account fares.

    Attributes:
        name, exchange, active: as in `AccountTable`.
        used: whether it is the one that stands for all of its exchange.
    """

    name: str
    exchange: str
    active: bool
    used: bool
    keys: tuple[KeyState, ...]


@dataclass(frozen=True, slots=True)
class AccountTable:
    """One of ``[[accounts]]``.

    Attributes:
        name: the user's own name for it.
        exchange: lower case, the provider's name.
        active: an account that is not is never used.
        keys: of `KEYS` those that it has: where each is kept, or what a program gave; never printed.
        path: the table's keys in the file.
    """

    name: str
    exchange: str
    active: bool
    keys: Values
    path: Keys

    def find(self, key: str, source: Source) -> SecretStr:
        """One of its keys, looked up.

        Raises:
            ConfigError: it is not found.
        """
        kept = self.keys[key]
        if isinstance(kept, SecretSource):
            kept = SecretStr(look_up(kept, (*self.path, key), source, self.name))
        REDACTOR.remember(kept.get_secret_value())
        return SecretStr(kept.get_secret_value())

    def reveal(self, source: Source) -> Account:
        """The account with its keys looked up.

        Raises:
            ConfigError: one is not found.
        """
        found = {key: self.find(key, source) for key in self.keys}
        return Account(name=self.name, exchange=self.exchange, active=self.active, **found)

    def check(self, source: Source) -> tuple[KeyState, ...]:
        """Where each of its keys is kept, and whether it is found."""
        return tuple(self._state(key, kept, source) for key, kept in self.keys.items())

    def _state(self, key: str, kept: SecretSource | SecretStr, source: Source) -> KeyState:
        if isinstance(kept, SecretStr):
            return KeyState(key, "program")
        error = ""
        try:
            self.find(key, source)
        except ConfigError as missing:
            error = str(missing)
        user = (kept.user or self.name) if kept.kind == "keyring" else ""
        return KeyState(key, kept.kind, kept.name, user, error)


def read_accounts(written: object, source: Source) -> Iterator[AccountTable]:
    """The accounts, in the order of the file.

    Raises:
        ConfigError: no list of tables, an unknown key, a key in clear, a name given twice.
    """
    if not isinstance(written, list | tuple) or not all(isinstance(one, Mapping) for one in written):
        raise ConfigError(f"{source.place(('accounts',))}: 'accounts' is a list of tables; write [[accounts]]")
    names = set()
    for number, values in enumerate(written):
        path = ("accounts", str(number))
        account = check(_Written, values, values, path, source)
        if account.name in names:
            raise ConfigError(f"{source.place((*path, 'name'))}: there is another account called {account.name!r}")
        names.add(account.name)
        keys: dict[str, Any] = {key: kept for key in KEYS if (kept := getattr(account, key)) is not None}
        yield AccountTable(account.name, account.exchange.lower(), account.active, Values(keys), path)
