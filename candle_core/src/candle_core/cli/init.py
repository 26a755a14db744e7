"""``candle init``: a first candle.toml."""

import os
from pathlib import Path
from typing import Final

import click

from candle_core.cli.common import Session, command
from candle_core.config import DEFAULT_FILE, ENVIRONMENT
from candle_hookspecs import BadInputError

TEMPLATE: Final = """\
# Settings of the candle data manager. Everything here may be left out. Lines that begin with # are examples.
# Relative paths start at the folder of this file. Every table and key: docs/configuration.md.

[storage]
backend = "sqlite"            # `candle plugins` shows which databases are installed
path = "candles.sqlite3"

[defaults]                    # what Python calls may leave out
# exchange = "BINANCE"
# tradetype = "SPOT"
# timeframes = ["1d"]         # in which an update of a whole exchange keeps each market

[collect]
# concurrency = 4             # most requests of one symbol under way at once; left out: as many as pay

# An exchange needs no table to be used; its name is what `candle plugins` shows.
[providers.binance]
# rest_url = "https://data-api.binance.vision"   # market data only, for places where api.binance.com is closed
# timeout = 20.0                                 # seconds until an unanswered request is given up

# A secret is best not written here, and a key of an account never is: { env = "NAME" } takes it from the environment,
# { file = "path" } from a file, { keyring = "service", user = "name" } from the keyring of the system.
# Candles need no account. `candle accounts` shows where keys are kept, and whether they are found.
# [[accounts]]
# name = "main"
# exchange = "OKX"
# active = true
# api_key = { env = "OKX_KEY" }
# api_secret = { env = "OKX_SECRET" }
# passphrase = { env = "OKX_PASSPHRASE" }
"""


@command
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
def init(session: Session, force: bool) -> int:
    """Write a commented candle.toml.

    It is written to --config FILE, else to where CANDLE_CONFIG points, else to ./candle.toml. A file that is there
    already stays as it is, unless --force is given.
    """
    file = session.config or Path(os.environ.get(ENVIRONMENT) or DEFAULT_FILE)
    try:
        with file.open("w" if force else "x", encoding="utf-8") as target:
            target.write(TEMPLATE)
    except FileExistsError:
        raise BadInputError(f"{str(file)!r} is there already; --force replaces it") from None
    if session.as_json:
        session.emit({"file": str(file)})
    else:
        click.echo(f"wrote {file}")
        session.note("next: candle markets BINANCE SPOT --quote USDT")
    return 0
