"""What a Postgres database wants now and then, a table a step, while others write; and how it stands."""

import threading
from collections.abc import Iterator
from typing import Final

import psycopg
from sqlalchemy import ForeignKey

from candle_hookspecs import MaintenanceTask
from candle_postgres.connections import Connections, driver_of
from candle_postgres.schema import PARTITIONS, PER_CANDLE
from candle_sql.tables import metadata
from candle_sql.upkeep import Step

_OURS: Final = tuple(sorted({*metadata.tables, *PARTITIONS}))

_STANDING: Final = """
SELECT relname, {count} FROM pg_stat_user_tables
WHERE schemaname = current_schema() AND relname = ANY(%s) AND {count} > {least} ORDER BY {count} DESC
"""
_CHANGED: Final = _STANDING.format(count="n_mod_since_analyze", least="50 + n_live_tup / 50")
"""Tables of which a fiftieth has changed since they were looked at, five times as early as Postgres would by itself."""

_DEAD: Final = _STANDING.format(count="n_dead_tup", least="0")


class Rounds:
    """The tasks of one database that go from table to table. What a round has still to do is known between its steps.

    Neither task keeps writers out: Postgres does both beside them.
    """

    def __init__(self) -> None:
        self._left: dict[MaintenanceTask, list[tuple[str, int]]] = {}
        self._turn = threading.Lock()

    def step(self, task: MaintenanceTask, connections: Connections) -> Step:
        """Do the next step of a task; the first one of a round finds what there is to do."""
        match task:
            case MaintenanceTask.ANALYZE:
                return self._next(task, connections, _CHANGED, "ANALYZE")
            case MaintenanceTask.VACUUM:
                return self._next(task, connections, _DEAD, "VACUUM")
            case MaintenanceTask.CHECK:
                return _check(connections)
            case _:  # the server takes in its own log
                return Step()

    def _next(self, task: MaintenanceTask, connections: Connections, query: str, command: str) -> Step:
        with self._turn, connections.outside() as driver:
            left = self._left.pop(task, None)
            if left is None:
                left = driver.execute(query, (list(_OURS),)).fetchall()
            if not left:
                return Step()
            (table, count), *rest = left
            driver.execute(f"{command} {table}")
            if rest:
                self._left[task] = rest
            return Step(count, more=bool(rest))


def _check(connections: Connections) -> Step:
    """References and counts, in one consistent state; it keeps no writer out."""
    problems: list[str] = []
    with connections.read() as connection:
        driver = driver_of(connection)
        for table, key in _references():
            own, parent, name = key.parent.name, key.column.table.name, key.column.name
            query = (
                f"SELECT used.{own} FROM (SELECT DISTINCT {own} FROM {table}) AS used "  # noqa: S608 - names are ours
                f"LEFT JOIN {parent} ON {parent}.{name} = used.{own} WHERE {parent}.{name} IS NULL"
            )
            if lost := len(driver.execute(query).fetchall()):
                problems.append(f"{table!r} refers to {lost} rows of {parent!r} that are not there")
        problems += [
            f"symbol {number} has {found} candles and not {count}"
            for number, count, found in driver.execute(
                "SELECT id, candle_count, coalesce(found, 0) FROM symbols LEFT JOIN "
                "(SELECT symbol_id, count(*) AS found FROM candles GROUP BY symbol_id) AS counted ON symbol_id = id "
                "WHERE candle_count <> coalesce(found, 0) ORDER BY id"
            )
        ]
        problems += [
            f"index {name!r} is not valid; REINDEX it"
            for (name,) in driver.execute(
                "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class AS c ON c.oid = indrelid "
                "WHERE NOT (indisvalid AND indisready) AND relnamespace = current_schema()::regnamespace"
            )
        ]
    return Step(problems=tuple(problems))


def _references() -> Iterator[tuple[str, ForeignKey]]:
    """Those that the database does not check itself."""
    for table in PER_CANDLE:
        yield from (
            (table, key) for key in sorted(metadata.tables[table].foreign_keys, key=lambda key: key.parent.name)
        )


def measure(driver: psycopg.Connection) -> tuple[int, dict[str, int | float | str]]:
    """Bytes of the database on the server's disk, and a few facts about the server."""
    size, partitions, clients = driver.execute(
        "SELECT pg_database_size(current_database()), "
        "(SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r' AND relname LIKE 'candles\\_p%%' "
        "AND relnamespace = current_schema()::regnamespace), "
        "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())",
    ).fetchone() or (0, 0, 0)
    version = driver.info.parameter_status("server_version") or "unknown"
    return size, {"server": f"PostgreSQL {version}", "partitions": partitions, "connections": clients}
