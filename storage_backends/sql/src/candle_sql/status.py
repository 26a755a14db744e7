"""How a database stands, told without looking at a candle."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Table, func, inspect, select

from candle_hookspecs import StorageStatus
from candle_sql.migrations import Migration, needs_upgrade, stored_version
from candle_sql.tables import coverage, meta, revisions, symbols


def holds_candles(connection: Connection) -> bool:
    """Whether it has the candle tables, of any version. A database with a user's own tables alone has none."""
    return meta.name in inspect(connection).get_table_names()


def read(
    connection: Connection,
    migrations: Sequence[Migration],
    place: str,
    size: int | None,
    details: Mapping[str, int | float | str],
) -> StorageStatus:
    """The status of a database as it is, not brought up to date.

    Rows of candles are not counted: every save and forget keeps their number. Of a database without candle tables there
    are size and details alone.

    Args:
        connection: in a read transaction.
        migrations: the steps this program knows.
        place: the database as messages name it.
        size: bytes on disk; None where that cannot be told.
        details: what else the backend has to say.

    Raises:
        StorageSchemaError: a newer program wrote it.
    """
    if not holds_candles(connection):
        return StorageStatus(place=place, size=size, details=details)
    version = stored_version(connection, place)
    needs_upgrade(version, migrations, place)
    counted, rows = connection.execute(select(func.count(), func.coalesce(func.sum(symbols.c.candle_count), 0))).one()
    return StorageStatus(
        place=place,
        schema=version,
        size=size,
        symbols=counted,
        candles=int(rows),  # a sum is a Decimal where the database says so
        facts=_count(connection, coverage),
        revisions=_count(connection, revisions) if inspect(connection).has_table(revisions.name) else 0,
        details=details,
    )


def _count(connection: Connection, of: Table) -> int:
    return connection.scalar(select(func.count()).select_from(of)) or 0
