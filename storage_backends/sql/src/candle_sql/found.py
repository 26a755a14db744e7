"""A user's own tables, as the database reports them."""

import difflib
from collections.abc import Callable, Collection
from datetime import date, time
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    Dialect,
    Inspector,
    MetaData,
    String,
    Table,
    Time,
    TypeDecorator,
    inspect,
    text,
)
from sqlalchemy.sql import quoted_name
from sqlalchemy.types import TypeEngine

from candle_hookspecs import BadInputError
from candle_sql.tables import meta, metadata

_PLAIN: Final = (type(None), str, int, float, bytes)
_MOMENTS: Final = (date, time)  # a datetime is a date

_SQLITE_UNIQUE: Final = text(
    "SELECT i.name, c.name FROM pragma_index_list(:name) AS i, pragma_index_info(i.name) AS c "
    'WHERE i."unique" AND NOT i.partial'
)


class Found:
    """A table of the user's.

    In `table` columns go by numbers (``c0``, ``c1`` …): hostile names are spelled out by SQLAlchemy's quoting alone.

    Attributes:
        numbers: column name → number.
        computed: the columns that the database fills itself.
        primary: the columns of the primary key; may be none.
        unique: the sets of columns in which no two rows are alike, as the database vouches.
    """

    def __init__(self, connection: Connection, name: str, place: str) -> None:
        inspector = inspect(connection)
        _refuse_table(name, inspector.get_table_names(), place)
        columns = inspector.get_columns(name)
        self.numbers = {column["name"]: number for number, column in enumerate(columns)}
        self.computed = {column["name"] for column in columns if "computed" in column}
        self.primary = tuple(inspector.get_pk_constraint(name)["constrained_columns"])
        self.unique = [set(self.primary), *_unique(connection, inspector, name)]
        self.table = Table(
            quoted_name(name, quote=True),
            MetaData(),
            *(
                Column(quoted_name(column["name"], quote=True), _AsGiven(column["type"]), key=f"c{number}")
                for number, column in enumerate(columns)
            ),
        )

    def column(self, name: str) -> Column[Any]:
        """A column by the name that the user gave."""
        return self.table.c[f"c{self.numbers[name]}"]


def _refuse_table(name: str, stored: Collection[str], place: str) -> None:
    own = metadata.tables if meta.name in stored else ()
    users = [table for table in stored if table not in own and not table.lower().startswith(("sqlite_", "pg_"))]
    if name in own or name == "v_candles":
        raise BadInputError(f"{name!r} in {place!r} belongs to the candles; save, register or forget them instead")
    if name not in users:
        raise BadInputError(f"{place!r} has no table {name!r} of your own; {nearest(name, users)}")


def nearest(name: object, known: Collection[str]) -> str:
    """A name that may be meant, or some of those that are there."""
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


class _AsGiven(TypeDecorator[Any]):
    """A column of the type that was found. What every driver knows goes to it as it is.

    So text that somebody else's program keeps in a DATE column, or JSON that is text already, is stored as it stands.
    The rest is written as SQLAlchemy writes that type.
    """

    impl = TypeEngine
    cache_ok = True

    def __init__(self, found: TypeEngine[Any]) -> None:
        super().__init__()
        self.found = found  # by this name SQLAlchemy's cache of statements tells the types apart
        self.impl = found  # type: ignore[assignment] # an instance where the class declares a type

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """How a value goes to the driver."""
        found: Any = self.found
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
