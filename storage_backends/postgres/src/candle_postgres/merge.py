"""The bulk upsert: one binary COPY into the candles where nothing is stored yet, else into a stage and by one MERGE.

Every other way was measured and is slower (`bench/postgres.py` shows those that suggest themselves).
"""

from collections.abc import Iterator, Mapping
from typing import Final, LiteralString, NamedTuple, cast

import numpy as np
import psycopg
from numpy.typing import NDArray
from sqlalchemy import Connection

from candle_hookspecs import COLUMNS, INTEGER_COLUMNS, OPTIONAL_COLUMNS, UNKNOWN_COUNT, CandleBatch, SaveReceipt, Span
from candle_postgres import frames
from candle_postgres.connections import driver_of
from candle_sql import Merge
from candle_sql.history import merge_by_row
from candle_sql.merge import inside
from candle_sql.rows import VALUES

_SLICE: Final = 16_384  # rows encoded at one time

_SAID: Final = (*VALUES, "answered_at", "source_id")

_STAGE: Final = f"""
CREATE TEMP TABLE IF NOT EXISTS candle_stage (
  open_time bigint, {", ".join(f"{name} {'bigint' if name in INTEGER_COLUMNS else 'float8'}" for name in VALUES)},
  unproven bool
) ON COMMIT DELETE ROWS;
TRUNCATE pg_temp.candle_stage
"""
"""Of this connection alone, empty at the end of every transaction."""

_DIFFERS: Final = " OR ".join(f"c.{name} IS DISTINCT FROM s.{name}" for name in VALUES)


class _Standing(NamedTuple):
    """How many rows are stored in a span, how many of them are later than the answer, and whether any has extras."""

    rows: int
    later: int
    extras: bool


def merge(connection: Connection, task: Merge) -> SaveReceipt:
    """Merge an answer's rows, inside the caller's write transaction."""
    driver, hull, batch = driver_of(connection), task.hull, task.answer.batch
    if hull is None:
        return SaveReceipt()
    standing = _standing(driver, task, hull)
    if not standing.rows:
        frames.write(driver, "candles", _whole_rows(task))
        _insert_extras(driver, task)
        return SaveReceipt(inserted=len(batch))
    if not len(batch):
        receipt = SaveReceipt()
    elif standing.later or standing.extras or batch.extra or inside(batch.open_time, task.settled).any():
        receipt = merge_by_row(connection, task)
    else:
        receipt = _merge_newer(driver, task)
    return receipt + SaveReceipt(lacking=_lacking(driver, task))


def _merge_newer(driver: psycopg.Connection, task: Merge) -> SaveReceipt:
    """The usual case: nothing stored is later, so what differs is revised, and what it replaces is kept."""
    driver.execute(cast(LiteralString, _STAGE))
    frames.write(driver, "pg_temp.candle_stage", _staged_rows(task))
    parts = _parts(task)
    matched, differing, touched = _row(driver, _COUNT.format_map(parts))
    if touched:
        driver.execute(cast(LiteralString, _KEEP.format_map(parts)))
    if touched or matched < len(task.answer.batch):
        driver.execute(cast(LiteralString, _MERGE.format_map(parts)))
    return SaveReceipt(inserted=len(task.answer.batch) - matched, revised=differing, unchanged=matched - differing)


def _parts(task: Merge) -> dict[str, object]:
    """What the statements below are made of: names and numbers."""
    batch, moment = task.answer.batch, task.answer.answered_at
    return {
        "symbol_id": task.symbol_id,
        "moment": moment,
        "source_id": task.source_id,
        "here": f"c.symbol_id = {task.symbol_id} AND c.open_time BETWEEN {batch.first} AND {batch.last}"
        " AND c.open_time = s.open_time",
        # A row that the answer repeated, without a fact to show for it, is to bear the answer's moment.
        "touched": f"({_DIFFERS} OR s.unproven AND ({_earlier(task)}))",
    }


_COUNT: Final = f"""
SELECT count(*), count(*) FILTER (WHERE {_DIFFERS}), count(*) FILTER (WHERE {{touched}})
FROM pg_temp.candle_stage AS s JOIN candles AS c ON {{here}}
"""  # noqa: S608 - names and numbers

_KEEP: Final = f"""
INSERT INTO revisions (symbol_id, open_time, {", ".join(_SAID)})
SELECT {{symbol_id}}, c.open_time, {", ".join(f"c.{name}" for name in _SAID)}
FROM pg_temp.candle_stage AS s JOIN candles AS c ON {{here}}
WHERE {{touched}} AND (c.answered_at < {{moment}} OR NOT EXISTS (
  SELECT 1 FROM revisions AS r WHERE r.symbol_id = {{symbol_id}} AND r.open_time = c.open_time
  AND {" AND ".join(f"r.{name} IS NOT DISTINCT FROM c.{name}" for name in _SAID)}
))
"""  # noqa: S608 - names and numbers
"""What one moment takes back and forth is kept once."""

_MERGE: Final = f"""
MERGE INTO candles AS c USING pg_temp.candle_stage AS s ON {{here}}
WHEN MATCHED AND {{touched}} THEN UPDATE SET
  {", ".join(f"{name} = s.{name}" for name in VALUES)}, answered_at = {{moment}}, source_id = {{source_id}}
WHEN NOT MATCHED THEN INSERT (symbol_id, {", ".join(COLUMNS)}, answered_at, source_id)
  VALUES ({{symbol_id}}, {", ".join(f"s.{name}" for name in COLUMNS)}, {{moment}}, {{source_id}})
"""  # noqa: S608 - names and numbers


# ── rows on their way ────────────────────────────────────────────────────────────────────────────────────────────────


def _whole_rows(task: Merge) -> Iterator[Mapping[str, frames.Column]]:
    for part in _slices(task.answer.batch):
        stamp = {"answered_at": (np.full(len(part), task.answer.answered_at, np.int64), None)}
        numbers = {
            name: (np.full(len(part), number, np.int32), None)
            for name, number in (("symbol_id", task.symbol_id), ("source_id", task.source_id))
        }
        yield columns_of(part) | stamp | numbers


def _staged_rows(task: Merge) -> Iterator[Mapping[str, frames.Column]]:
    unproven = task.unproven()
    for number, part in enumerate(_slices(task.answer.batch)):
        yield columns_of(part) | {"unproven": (unproven[number * _SLICE :][: len(part)], None)}


def _slices(batch: CandleBatch) -> Iterator[CandleBatch]:
    return (batch[low : low + _SLICE] for low in range(0, len(batch), _SLICE))


def columns_of(batch: CandleBatch) -> dict[str, frames.Column]:
    """The columns of every candle, with what is unknown in them."""
    return {name: _column(batch, name) for name in COLUMNS}


def _column(batch: CandleBatch, name: str) -> frames.Column:
    values: NDArray[np.generic] | None = getattr(batch, name)
    if values is None:
        return np.zeros(len(batch), np.int64 if name in INTEGER_COLUMNS else np.float64), np.ones(len(batch), np.bool_)
    if name not in OPTIONAL_COLUMNS:
        return values, None
    return values, values == UNKNOWN_COUNT if name in INTEGER_COLUMNS else np.isnan(values)


def _insert_extras(driver: psycopg.Connection, task: Merge) -> None:
    open_time = task.answer.batch.open_time
    for name, column in task.answer.batch.extra.items():
        known = ~np.isnan(column)
        driver.execute(
            "INSERT INTO candle_extras (symbol_id, open_time, name, value) "
            "SELECT %s, said.open_time, %s, said.value FROM unnest(%s::bigint[], %s::float8[]) AS said (open_time, value)",
            (task.symbol_id, name, open_time[known].tolist(), column[known].tolist()),
            binary=True,
        )


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _row(driver: psycopg.Connection, query: str) -> tuple[int, ...]:
    found = driver.execute(cast(LiteralString, query)).fetchone()
    assert found is not None, "counts are always told"
    return found


def _of(numbers: frozenset[int]) -> str:
    """That a row's source is one of them; no source bears the number 0."""
    return f"c.source_id IN ({', '.join(map(str, sorted(numbers or {0})))})"


def _later(task: Merge) -> str:
    moment = task.answer.answered_at
    return f"c.answered_at > {moment} OR (c.answered_at = {moment} AND {_of(task.stronger)})"


def _earlier(task: Merge) -> str:
    moment = task.answer.answered_at
    return f"c.answered_at < {moment} OR (c.answered_at = {moment} AND {_of(task.weaker)})"


def _within(task: Merge, span: Span) -> str:
    return f"symbol_id = {task.symbol_id} AND open_time >= {span.start} AND open_time < {span.end}"


def _standing(driver: psycopg.Connection, task: Merge, span: Span) -> _Standing:
    query = (
        f"SELECT count(*), count(*) FILTER (WHERE {_later(task)}), "  # noqa: S608 - numbers
        f"EXISTS (SELECT 1 FROM candle_extras WHERE {_within(task, span)}) "
        f"FROM candles AS c WHERE {_within(task, span)}"
    )
    return _Standing(*_row(driver, query))  # type: ignore[arg-type] # EXISTS is a bool


def _lacking(driver: psycopg.Connection, task: Merge) -> int:
    """Stored rows inside the answer's proof that it does not have. Its own rows are all stored by now."""
    if not task.exhaustive:
        return 0
    anywhere = " OR ".join(f"({_within(task, span)})" for span in task.exhaustive)
    (stored,) = _row(driver, f"SELECT count(*) FROM candles WHERE {anywhere}")  # noqa: S608 - numbers
    return stored - int(inside(task.answer.batch.open_time, task.exhaustive).sum())
