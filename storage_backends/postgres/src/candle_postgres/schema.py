"""What Postgres has besides the tables that every SQL backend shares: partitions, and fewer foreign keys."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, inspect

from candle_sql import Migration
from candle_sql.migrations import upgrade
from candle_sql.tables import candles

PARTITIONS: Final = tuple(f"candles_p{number:02}" for number in range(32))
"""By the hash of the symbol: docs/decisions/0012 says why, and why so many."""

PER_CANDLE: Final = ("candles", "candle_extras", "revisions", "revision_extras")
"""Tables with a row for each candle or more. To check a row's two references costs four times what inserting it does,
so they are left to `MaintenanceTask.CHECK`."""


def prepare(connection: Connection, migrations: Sequence[Migration], place: str) -> None:
    """Bring the database up to date, inside the caller's transaction, which keeps others from doing the same.

    Raises:
        StorageSchemaError: not a candle database, or one of a newer program.
    """
    if not upgrade(connection, migrations, place):
        return
    for number, name in enumerate(PARTITIONS):
        connection.exec_driver_sql(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {candles.name} "
            f"FOR VALUES WITH (MODULUS {len(PARTITIONS)}, REMAINDER {number})"
        )
    inspector, quote = inspect(connection), connection.dialect.identifier_preparer.quote
    for table in PER_CANDLE:
        for key in inspector.get_foreign_keys(table):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {quote(str(key['name']))}")
