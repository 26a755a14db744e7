"""Operations on a user's own tables: names are those the database itself reports, values are bound parameters."""

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, time
from importlib import import_module
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Dialect,
    Executable,
    Inspector,
    MetaData,
    String,
    Table,
    Time,
    TypeDecorator,
    and_,
    bindparam,
    delete,
    insert,
    inspect,
    text,
    update,
)
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError, StatementError
from sqlalchemy.sql import quoted_name
from sqlalchemy.types import TypeEngine

from candle_hookspecs import BadInputError, Operation, OperationType, StorageConstraintError
from candle_hookspecs.storage import Row
from candle_sql.tables import meta, metadata

_PLAIN: Final = (type(None), str, int, float, bytes)
_MOMENTS: Final = (date, time)  # a datetime is a date

_SQLITE_UNIQUE: Final = text(
    "SELECT i.name, c.name FROM pragma_index_list(:name) AS i, pragma_index_info(i.name) AS c "
    'WHERE i."unique" AND NOT i.partial'
)

_Statement: TypeAlias = Callable[["_Target", Collection[str]], Executable]


def run(connection: Connection, operation: Operation, place: str) -> int:
    """Carry out an operation, inside the caller's transaction, which is rolled back on any error.

    No name reaches a statement that the database did not report itself, and then in quotes. The schema of candles is
    neither needed nor touched.

    Args:
        connection: in a write transaction.
        operation: rows that name different columns are written in the order given, a statement for each run of rows
            that name the same ones.
        place: the database as messages name it.

    Returns:
        Rows touched.

    Raises:
        BadInputError: no such table or column, a table that is not the user's, a row without its key, or a value that
            the database cannot hold.
        StorageConstraintError: a rule of the table is broken.
    """
    target = _Target(connection, operation, place)
    for row in operation.rows:
        target.check(row)
    statement, touched = _STATEMENTS[operation.type], 0
    with _refusals(operation, place):
        for names, rows in groupby(operation.rows, key=dict.keys):
            shape = tuple(names) if operation.type is not OperationType.DELETE else target.key
            parameters = [{target.parameter(name): row[name] for name in shape} for row in rows]
            counting = connection.execution_options(preserve_rowcount=True)
            touched += counting.execute(statement(target, shape), parameters).rowcount
    return touched


class _Target:
    """The table of an operation as the database reports it.

    Columns and parameters go by numbers: hostile names are spelled out by SQLAlchemy's quoting alone.
    """

    def __init__(self, connection: Connection, operation: Operation, place: str) -> None:
        self._connection, self._operation, self._place = connection, operation, place
        self._inspector = inspector = inspect(connection)
        _refuse_table(operation.table, inspector.get_table_names(), place)
        self._columns = {column["name"]: column for column in inspector.get_columns(operation.table)}
        self._numbers = {name: number for number, name in enumerate(self._columns)}
        self.table = Table(
            quoted_name(operation.table, quote=True),
            MetaData(),
            *(
                Column(quoted_name(name, quote=True), _AsGiven(column["type"]), key=f"c{self._numbers[name]}")
                for name, column in self._columns.items()
            ),
        )
        self.key = () if operation.type is OperationType.INSERT else self._key()

    def column(self, name: str) -> Column[Any]:
        """A column of the table by the name that the user gave."""
        return self.table.c[f"c{self._numbers[name]}"]

    def parameter(self, name: str) -> str:
        """By what name its value is bound. That of a key is none of the columns', as an UPDATE requires."""
        updating = self._operation.type in (OperationType.UPDATE, OperationType.DELETE)
        return f"{'k' if updating and name in self.key else 'c'}{self._numbers[name]}"

    def conflicting(self) -> Any:
        """The dialect's own INSERT, which can be told what to do on conflict."""
        dialect = import_module(f"sqlalchemy.dialects.{self._connection.dialect.name}")
        return dialect.insert(self.table)

    def matches(self) -> ColumnElement[bool]:
        """That a stored row has the key of the given one."""
        return and_(*(self.column(name) == bindparam(self.parameter(name)) for name in self.key))

    def check(self, row: Row) -> None:
        """Refuse a row that names what is not there, or lacks its key."""
        self._refuse_columns(row)
        for name in self.key:
            if row.get(name) is None:
                raise BadInputError(
                    f"a row for table {self._operation.table!r} has no {name!r}, which is in its key "
                    f"{self.key!r}: {self._operation.type} needs the whole key"
                )
        if not row.keys() - (self.key if self._operation.type is OperationType.UPDATE else ()):
            raise BadInputError(
                f"a row for table {self._operation.table!r} names no column to write: {sorted(row)!r}; "
                f"give {self._operation.type} at least one"
            )
        if self._operation.type is not OperationType.DELETE:
            for name in row:
                if "computed" in self._columns[name]:
                    raise BadInputError(
                        f"column {name!r} of table {self._operation.table!r} is computed by the database; leave it out"
                    )

    def _key(self) -> tuple[str, ...]:
        name, given = self._operation.table, self._operation.key
        self._refuse_columns(given)
        primary = tuple(self._inspector.get_pk_constraint(name)["constrained_columns"])
        key = tuple(dict.fromkeys(given)) or primary
        if not key:
            raise BadInputError(
                f"table {name!r} in {self._place!r} has no primary key; name the columns that identify a row by key="
            )
        if self._operation.type is OperationType.UPSERT:
            self._refuse_ambiguous(key, primary)
        return key

    def _refuse_ambiguous(self, key: tuple[str, ...], primary: tuple[str, ...]) -> None:
        """An UPSERT needs the database's own word that no two rows can have one key."""
        name = self._operation.table
        if set(key) not in (set(primary), *_unique(self._connection, self._inspector, name)):
            raise BadInputError(
                f"table {name!r} in {self._place!r} has no unique constraint over {key!r}, so that UPSERT cannot tell "
                "which row is meant; add one, or use UPDATE and INSERT"
            )

    def _refuse_columns(self, names: Collection[str]) -> None:
        for name in names:
            if name not in self._columns:
                raise BadInputError(
                    f"table {self._operation.table!r} in {self._place!r} has no column {name!r}; "
                    f"{_nearest(name, self._columns)}"
                )


def _refuse_table(name: str, stored: Collection[str], place: str) -> None:
    own = metadata.tables if meta.name in stored else ()
    users = [table for table in stored if table not in own and not table.lower().startswith(("sqlite_", "pg_"))]
    if name in own or name == "v_candles":
        raise BadInputError(f"{name!r} in {place!r} belongs to the candles; save, register or forget them instead")
    if name not in users:
        raise BadInputError(f"{place!r} has no table {name!r} of your own; {_nearest(name, users)}")


def _nearest(name: object, known: Collection[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"it has {sorted(known)[:5]!r}"


def _unique(connection: Connection, inspector: Inspector, name: str) -> list[set[str | None]]:
    """The columns of each unique constraint and index that speaks of all rows; None for what is not a column."""
    if connection.dialect.name == "sqlite":  # SQLAlchemy warns of every index over an expression there
        found: dict[str, set[str | None]] = {}
        for index, column in connection.execute(_SQLITE_UNIQUE, {"name": name}):
            found.setdefault(index, set()).add(column)
        return list(found.values())
    indexes = inspector.get_indexes(name)
    partial = "postgresql_where"
    return [
        set(index["column_names"])
        for index in indexes
        if index["unique"] and partial not in index.get("dialect_options", ())
    ]


# ── statements ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _insert(target: _Target, names: Collection[str]) -> Executable:
    return insert(target.table)


def _update(target: _Target, names: Collection[str]) -> Executable:
    return (
        update(target.table)
        .where(target.matches())
        .values({target.column(name): bindparam(target.parameter(name)) for name in names if name not in target.key})
    )


def _upsert(target: _Target, names: Collection[str]) -> Executable:
    statement: Any = target.conflicting()
    key = [target.column(name) for name in target.key]
    revised = [target.parameter(name) for name in names if name not in target.key]
    upsert: Executable = statement.on_conflict_do_nothing(index_elements=key)
    if revised:
        upsert = statement.on_conflict_do_update(
            index_elements=key, set_={name: statement.excluded[name] for name in revised}
        )
    return upsert


def _delete(target: _Target, names: Collection[str]) -> Executable:
    return delete(target.table).where(target.matches())


_STATEMENTS: Final[Mapping[OperationType, _Statement]] = MappingProxyType(
    {
        OperationType.INSERT: _insert,
        OperationType.UPDATE: _update,
        OperationType.UPSERT: _upsert,
        OperationType.DELETE: _delete,
    }
)


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class _AsGiven(TypeDecorator[Any]):
    """A column of the type that was found. What every driver knows goes to it as it is.

    So text that somebody else's program keeps in a DATE column, or JSON that is text already, is stored as it stands.
    The rest is written as SQLAlchemy writes that type.
    """

    impl = TypeEngine
    cache_ok = False

    def __init__(self, found: TypeEngine[Any]) -> None:
        super().__init__()
        self.impl = found  # type: ignore[assignment] # an instance where the class declares a type

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """How a value goes to the driver."""
        found: Any = self.impl_instance
        write = found.dialect_impl(dialect).bind_processor(dialect)

        def given(value: Any) -> Any:
            if isinstance(value, _PLAIN):
                return value
            if isinstance(value, _MOMENTS) and isinstance(found, String):
                return value.isoformat()
            if isinstance(value, _MOMENTS) and not isinstance(found, (Date, DateTime, Time)):
                raise TypeError(f"{type(value).__name__} for a column of type {found!r}; give a number or text")
            return write(value) if write else value

        return given


@contextmanager
def _refusals(operation: Operation, place: str) -> Iterator[None]:
    """Tell what is wrong with the rows from what is wrong with the database. The backend words the latter.

    The cause is the driver's own error: SQLAlchemy's would show the rows.
    """
    table = f"table {operation.table!r} in {place!r}"
    try:
        yield
    except IntegrityError as error:
        raise StorageConstraintError(
            f"{table} refuses a row ({error.orig}); nothing of this {operation.type} was stored"
        ) from error.orig
    except StatementError as error:
        if isinstance(error, DBAPIError) and not _is_value(error):
            raise
        raise BadInputError(
            f"{table} cannot hold a value ({error.orig}); give one that its column takes"
        ) from error.orig
    except (OverflowError, UnicodeEncodeError) as error:  # a driver's word for numbers and text that it cannot write
        raise BadInputError(f"{table} cannot hold a value ({error}); give one that its column takes") from error


def _is_value(error: DBAPIError) -> bool:
    """Whether a value is at fault: the database says so, or the driver does before it asks the database."""
    if isinstance(error, DataError):
        return True
    asked = getattr(error.orig, "sqlite_errorcode", None) or getattr(error.orig, "sqlstate", None)
    return isinstance(error, (InterfaceError, ProgrammingError)) and not asked and not error.connection_invalidated
