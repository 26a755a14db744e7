"""Operations on a user's own tables: names are those the database itself reports, values are bound parameters."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Executable, and_, bindparam, delete, insert, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError, StatementError

from candle_hookspecs import BadInputError, Operation, OperationType, StorageConstraintError
from candle_hookspecs.storage import Row
from candle_sql.found import Found, nearest

_Statement: TypeAlias = Callable[["_Target", Collection[str]], Executable]


def run(connection: Connection, operation: Operation, place: str, known: dict[str, Found]) -> int:
    """Carry out an operation, inside the caller's transaction, which is rolled back on any error.

    No name reaches a statement that the database did not report itself, and then in quotes. The schema of candles is
    neither needed nor touched.

    Args:
        connection: in a write transaction.
        operation: rows that name different columns are written in the order given, a statement for each run of rows
            that name the same ones.
        place: the database as messages name it.
        known: tables found before, and this one from now on. The caller forgets those that may have changed.

    Returns:
        Rows touched.

    Raises:
        BadInputError: no such table or column, a table that is not the user's, a row without its key, or a value that
            the database cannot hold.
        StorageConstraintError: a rule of the table is broken.
    """
    found = known.get(operation.table) or Found(connection, operation.table, place)
    known[operation.table] = found
    target = _Target(found, operation, place, connection.dialect.name)
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
    """The table of an operation, and how its rows are known."""

    def __init__(self, found: Found, operation: Operation, place: str, dialect: str) -> None:
        self._found, self._operation, self._place, self._dialect = found, operation, place, dialect
        self.table = found.table
        self.column = found.column
        self.key = () if operation.type is OperationType.INSERT else self._key()

    def parameter(self, name: str) -> str:
        """By what name its value is bound. That of a key is none of the columns', as an UPDATE requires."""
        updating = self._operation.type in (OperationType.UPDATE, OperationType.DELETE)
        return f"{'k' if updating and name in self.key else 'c'}{self._found.numbers[name]}"

    def conflicting(self) -> Any:
        """The dialect's own INSERT, which can be told what to do on conflict."""
        dialect = import_module(f"sqlalchemy.dialects.{self._dialect}")
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
            for name in self._found.computed & row.keys():
                raise BadInputError(
                    f"column {name!r} of table {self._operation.table!r} is computed by the database; leave it out"
                )

    def _key(self) -> tuple[str, ...]:
        name, given = self._operation.table, self._operation.key
        self._refuse_columns(given)
        key = tuple(dict.fromkeys(given)) or self._found.primary
        if not key:
            raise BadInputError(
                f"table {name!r} in {self._place!r} has no primary key; name the columns that identify a row by key="
            )
        if self._operation.type is OperationType.UPSERT:
            self._refuse_ambiguous(key)
        return key

    def _refuse_ambiguous(self, key: tuple[str, ...]) -> None:
        """An UPSERT needs the database's own word that no two rows can have one key."""
        name = self._operation.table
        if set(key) not in self._found.unique:
            raise BadInputError(
                f"table {name!r} in {self._place!r} has no unique constraint over {key!r}, so that UPSERT cannot tell "
                "which row is meant; add one, or use UPDATE and INSERT"
            )

    def _refuse_columns(self, names: Collection[str]) -> None:
        for name in names:
            if name not in self._found.numbers:
                raise BadInputError(
                    f"table {self._operation.table!r} in {self._place!r} has no column {name!r}; "
                    f"{nearest(name, self._found.numbers)}"
                )


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
