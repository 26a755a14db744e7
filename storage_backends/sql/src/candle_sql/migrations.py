"""From an empty database to the present schema, one numbered step after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, insert, inspect, select, text, update
from sqlalchemy.schema import CreateIndex

from candle_hookspecs import StorageSchemaError
from candle_sql.tables import MARKETS_BY_NAME, V_CANDLES, actions, meta, metadata, revision_extras, revisions

_VERSION: Final = "schema_version"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: brings a database from the version before to `version`, inside the caller's transaction."""

    version: int
    apply: Callable[[Connection], None]


_SECOND: Final = (revisions, revision_extras, actions)


def _create(connection: Connection) -> None:
    first = [table for table in metadata.sorted_tables if table not in _SECOND]
    metadata.create_all(connection, first, checkfirst=False)
    connection.execute(text(V_CANDLES))


def _keep_revisions_and_actions(connection: Connection) -> None:
    metadata.create_all(connection, _SECOND, checkfirst=False)


def _find_markets_by_name(connection: Connection) -> None:
    for index in MARKETS_BY_NAME:
        connection.execute(CreateIndex(index, if_not_exists=True))  # a new table has come with them


MIGRATIONS: Final[Sequence[Migration]] = (
    Migration(1, _create),
    Migration(2, _keep_revisions_and_actions),
    Migration(3, _find_markets_by_name),
)
"""All steps in order. The tables of `candle_sql.tables` are those after the last step."""


def stored_version(connection: Connection, place: str) -> int:
    """The schema version found; 0 when the database is empty.

    Args:
        connection: in a transaction.
        place: the database as messages name it.

    Raises:
        StorageSchemaError: there are tables, but not ours.
    """
    names = inspect(connection).get_table_names()
    if not names:
        return 0
    if meta.name not in names:
        raise StorageSchemaError(
            f"{place!r} is not a candle database: it has tables {sorted(names)[:3]!r} but no {meta.name!r}; "
            "choose another place under [storage]"
        )
    value = connection.scalar(select(meta.c.value).where(meta.c.key == _VERSION))
    if value is None or not value.isdecimal():
        raise StorageSchemaError(f"{place!r} is not a candle database: its {_VERSION!r} is {value!r}")
    return int(value)


def needs_upgrade(version: int, migrations: Sequence[Migration], place: str) -> bool:
    """Whether steps are still to be taken.

    Raises:
        StorageSchemaError: a newer program wrote it.
    """
    newest = migrations[-1].version
    if version > newest:
        raise StorageSchemaError(
            f"{place!r} has schema version {version}, and this program knows versions up to {newest}; "
            "upgrade it: pip install --upgrade candle-sql"
        )
    return version < newest


def upgrade(connection: Connection, migrations: Sequence[Migration], place: str) -> bool:
    """Take the steps that are missing, inside the caller's transaction, which keeps other writers out.

    Returns:
        Whether any was.

    Raises:
        StorageSchemaError: not a candle database, or one of a newer program.
    """
    version = stored_version(connection, place)
    if not needs_upgrade(version, migrations, place):
        return False
    for step in migrations:
        if step.version > version:
            step.apply(connection)
    newest = str(migrations[-1].version)
    if version:
        connection.execute(update(meta).where(meta.c.key == _VERSION).values(value=newest))
    else:
        connection.execute(insert(meta).values(key=_VERSION, value=newest))
    return True
