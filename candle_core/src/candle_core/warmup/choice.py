"""Which exchanges are meant: those of the accounts, once each, however many accounts there are."""

from collections.abc import Iterable, Mapping

from candle_core.config import AccountTable, Config
from candle_core.discovery import PluginKind, installed_plugins
from candle_hookspecs import Account, BadInputError, ConfigError


def chosen(config: Config, exchanges: Iterable[str] = ()) -> Mapping[str, tuple[str, ...]]:
    """The exchanges to warm up, in lower case, each with the names of its active accounts.

    Those that are named; if none is, those of the active accounts, else those that have a table under ``[providers]``,
    else that of ``[defaults]``.

    Raises:
        ConfigError: there is none of all these. BadInputError: something that is named is no name.
    """
    accounts = by_exchange(config)
    default = config.defaults.exchange
    if not isinstance(exchanges, Iterable):
        raise BadInputError(f"{exchanges!r} are no names of exchanges; give a list such as ['binance'], or nothing")
    named = [exchanges] if isinstance(exchanges, str) else [*exchanges]
    for name in named:
        if not name or name != str(name).strip():
            raise BadInputError(f"{name!r} is no name of an exchange; write one such as 'binance'")
    names = named or [*accounts] or [*config.providers] or ([default] if default else [])
    if not names:
        raise ConfigError(
            "no exchange to warm up; name one, or write [[accounts]], [providers.…] or [defaults] exchange in the TOML"
        )
    return {name.lower(): accounts.get(name.lower(), ()) for name in names}


def by_exchange(config: Config) -> dict[str, tuple[str, ...]]:
    """The names of the active accounts, by exchange, in the order of the configuration."""
    found: dict[str, tuple[str, ...]] = {}
    for account in config.accounts:
        if account.active:
            found[account.exchange] = (*found.get(account.exchange, ()), account.name)
    return found


def supported(config: Config) -> list[str]:
    """The exchanges that can be asked, in lower case: those that plugins stand for, and those that are configured."""
    installed = installed_plugins()
    own = {one.name for one in installed if one.kind is PluginKind.PROVIDER and not one.family}
    return sorted({*own, *config.providers, *by_exchange(config)})


def account_of(config: Config, account: Account | str) -> str:
    """The exchange of an account, in lower case.

    Args:
        config: whose accounts there are.
        account: the name of one of them, or any account.

    Raises:
        BadInputError: there is none of that name, or it is not active.
    """
    found: Account | AccountTable
    if not isinstance(account, str | Account):
        raise BadInputError(f"{account!r} is no account; give its name in [[accounts]], or an Account")
    if isinstance(account, str):
        known = {one.name: one for one in config.accounts}
        if account not in known:
            there = f"there are: {', '.join(known)}" if known else "write [[accounts]] in the TOML"
            raise BadInputError(f"no account {account!r} is configured; {there}")
        found = known[account]
    else:
        found = account
    if not found.active:
        raise BadInputError(f"the account {found.name!r} is not active; write active = true in its [[accounts]]")
    return found.exchange.lower()
