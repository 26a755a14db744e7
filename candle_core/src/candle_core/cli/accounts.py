"""``candle accounts``: whose keys there are, where they are kept, and whether they are found."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from candle_core.cli.common import Session, command
from candle_core.cli.render import Cell, Column, fields_of, print_table

if TYPE_CHECKING:
    from candle_core.config import AccountState, KeyState


@command
def accounts(session: Session) -> int:
    """Show the accounts of the configuration, where each key is kept, and whether it is found.

    No key is shown, and none is sent anywhere. A key of an active account that is not found makes the exit code 1.
    """
    from candle_core.config import load_config

    found = load_config(session.config).check_accounts()
    if session.as_json:
        session.emit({"accounts": [_document(account) for account in found]})
    elif not found:
        session.note("no accounts; candles need none, and [[accounts]] in candle.toml names one")
    else:
        titles = ("account", "exchange", "active", "key", "kept in", "found")
        print_table([*map(Column, titles), Column("why not", spare=True)], [*_rows(found)])
    return 1 if any(not key.found for account in found if account.active for key in account.keys) else 0


def _rows(found: "list[AccountState]") -> Iterator[tuple[Cell, ...]]:
    for account in found:
        head = (account.name, account.exchange.upper(), _active(account))
        for key in account.keys:
            yield (*head, key.key, _kept(key), "yes" if key.found else "no", key.error or None)
        if not account.keys:
            yield (*head, None, None, None, None)


def _active(account: "AccountState") -> str:
    """Of several active accounts of an exchange, one is used."""
    return "no" if not account.active else "yes" if account.used else "yes, not used"


def _kept(key: "KeyState") -> str:
    return " ".join(filter(None, (key.kept, key.name, key.user and f"({key.user})")))


def _document(account: "AccountState") -> dict[str, object]:
    keys = [
        {
            "key": key.key,
            "kept": key.kept,
            "name": key.name or None,
            "user": key.user or None,
            "found": key.found,
            "error": key.error or None,
        }
        for key in account.keys
    ]
    return fields_of(account) | {"exchange": account.exchange.upper(), "keys": keys}
