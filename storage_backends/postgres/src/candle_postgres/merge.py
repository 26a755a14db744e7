"""The bulk upsert: one binary COPY into the candles where nothing is stored yet, else into a stage and by one MERGE.

All answers of a write go together, so that a minute of a thousand symbols costs a handful of statements and not
thousands. Every other way was measured and is slower (`bench/postgres.py` shows those that suggest themselves).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import psycopg
from sqlalchemy import Connection

from candle_hookspecs import SaveReceipt, Span
from candle_postgres import frames
from candle_postgres.bulk import pieces, staged_columns, stored_columns
from candle_postgres.connections import driver_of
from candle_postgres.statements import COUNT, KEEP, LACKING, MERGE, NESTED, STAGE, STANDING
from candle_sql import Merge
from candle_sql.history import merge_by_row
from candle_sql.merge import inside


class _Standing(NamedTuple):
    """What is stored where an answer reaches.

    How many rows, how many of them later than the answer, whether any has extra columns.
    """

    rows: int
    later: int
    extras: bool


def merge(connection: Connection, tasks: Sequence[Merge]) -> list[SaveReceipt]:
    """Merge the rows of answers, those of one symbol one after the other, inside the caller's write transaction."""
    receipts: dict[int, SaveReceipt] = {}
    for together in _rounds(tasks):
        receipts |= _merge_together(connection, together)
    return [receipts.get(id(task), SaveReceipt()) for task in tasks]


def _rounds(tasks: Iterable[Merge]) -> list[list[Merge]]:
    """Answers that have nothing to do with each other, then those that come after one of them, and so on."""
    rounds: list[list[Merge]] = []
    taken: dict[int, list[tuple[Span, int]]] = {}  # by symbol, where an answer reaches and its round
    for task in tasks:
        if (hull := task.hull) is None:
            continue
        before = taken.setdefault(task.symbol_id, [])
        place = max((number + 1 for span, number in before if span.intersect(hull)), default=0)
        before.append((hull, place))
        if place == len(rounds):
            rounds.append([])
        rounds[place].append(task)
    return rounds


def _merge_together(connection: Connection, tasks: Sequence[Merge]) -> dict[int, SaveReceipt]:
    driver, receipts = driver_of(connection), {}
    standing = dict(zip(map(id, tasks), _standing(driver, tasks), strict=True))
    fresh = [task for task in tasks if not standing[id(task)].rows]
    frames.write(driver, "candles", map(stored_columns, pieces(fresh)))
    _insert_extras(driver, fresh)
    receipts = {id(task): SaveReceipt(inserted=len(task.answer.batch)) for task in fresh}
    known = [task for task in tasks if standing[id(task)].rows]
    usual = [task for task in known if len(task.answer.batch) and not _is_entangled(task, standing[id(task)])]
    receipts |= _merge_newer(driver, usual)
    receipts |= {
        id(task): merge_by_row(connection, task)
        for task in known
        if len(task.answer.batch) and _is_entangled(task, standing[id(task)])
    }
    for number, lacking in _lacking(driver, known).items():
        receipts[number] = receipts.get(number, SaveReceipt()) + SaveReceipt(lacking=lacking)
    return receipts


def _is_entangled(task: Merge, standing: _Standing) -> bool:
    """Whether its rows have to be looked at one by one."""
    batch = task.answer.batch
    return bool(standing.later or standing.extras or batch.extra or inside(batch.open_time, task.settled).any())


def _merge_newer(driver: psycopg.Connection, tasks: Sequence[Merge]) -> dict[int, SaveReceipt]:
    """The usual case: nothing stored is later, so what differs is revised, and what it replaces is kept."""
    if not tasks:
        return {}
    numbers = {id(task): number for number, task in enumerate(tasks)}
    driver.execute(STAGE)
    frames.write(driver, "pg_temp.candle_stage", (staged_columns(piece, numbers) for piece in pieces(tasks)))
    here = _here(driver, tasks)
    found = {number: counts for number, *counts in driver.execute(COUNT.format(here=here))}
    matched, differing, touched = np.array([found.get(number, (0, 0, 0)) for number in numbers.values()]).T.tolist()
    rows = [len(task.answer.batch) for task in tasks]
    if any(touched):
        driver.execute(KEEP.format(here=here))
    if any(touched) or sum(matched) < sum(rows):
        driver.execute(MERGE.format(here=here))
    return {
        id(task): SaveReceipt(inserted=rows[n] - matched[n], revised=differing[n], unchanged=matched[n] - differing[n])
        for n, task in enumerate(tasks)
    }


def _here(driver: psycopg.Connection, tasks: Sequence[Merge]) -> str:
    """How a staged row finds the stored one, so that no plan looks at more than the answers reach.

    Of one symbol in one partition the planner finds the best by itself. Of many it might read every partition from end
    to end, so it is held to the key.
    """
    symbols = {task.symbol_id for task in tasks}
    if len(symbols) > 1:
        driver.execute(NESTED)
        return "c.symbol_id = s.symbol_id AND c.open_time = s.open_time"
    low = min(task.answer.batch.first for task in tasks)
    high = max(task.answer.batch.last for task in tasks)
    return f"c.symbol_id = {symbols.pop()} AND c.open_time BETWEEN {low} AND {high} AND c.open_time = s.open_time"


def _insert_extras(driver: psycopg.Connection, tasks: Sequence[Merge]) -> None:
    for name in sorted({name for task in tasks for name in task.answer.batch.extra}):
        having = [task for task in tasks if name in task.answer.batch.extra]
        values = np.concatenate([task.answer.batch.extra[name] for task in having])
        open_time = np.concatenate([task.answer.batch.open_time for task in having])
        symbol_id = np.repeat([task.symbol_id for task in having], [len(task.answer.batch) for task in having])
        known = ~np.isnan(values)
        driver.execute(
            "INSERT INTO candle_extras (symbol_id, open_time, name, value) SELECT symbol_id, open_time, %s, value "
            "FROM unnest(%s::int[], %s::bigint[], %s::float8[]) AS said (symbol_id, open_time, value)",
            (name, *(column[known].tolist() for column in (symbol_id, open_time, values))),
        )


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _standing(driver: psycopg.Connection, tasks: Sequence[Merge]) -> Iterator[_Standing]:
    reach = ((task, hull) for task in tasks if (hull := task.hull))
    rows = [(task.symbol_id, hull.start, hull.end, task.answer.answered_at, task.answer.rank) for task, hull in reach]
    for counts in driver.execute(STANDING, [list(column) for column in zip(*rows, strict=True)]):
        yield _Standing(*counts)


def _lacking(driver: psycopg.Connection, tasks: Sequence[Merge]) -> dict[int, int]:
    """Stored rows inside an answer's proof that it does not have. Its own rows are all stored by now."""
    proofs = [(task, span) for task in tasks for span in task.exhaustive]
    lacking: dict[int, int] = {}
    if not proofs:
        return lacking
    spans = [(task.symbol_id, span.start, span.end) for task, span in proofs]
    counts = driver.execute(LACKING, [list(column) for column in zip(*spans, strict=True)])
    for (task, span), (stored,) in zip(proofs, counts, strict=True):
        own = int(inside(task.answer.batch.open_time, [span]).sum())
        lacking[id(task)] = lacking.get(id(task), 0) + stored - own
    return lacking
