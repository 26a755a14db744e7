"""What one database lacks of another, and what statements say, against plain Python."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from candle_core.holdings import Difference, Holding, compare
from candle_core.statements import VALUES, Statements, checksum
from candle_hookspecs import (
    REQUIRED_COLUMNS,
    UNKNOWN_COUNT,
    Action,
    ActionKind,
    Answer,
    CandleBatch,
    Coverage,
    CoverageQuery,
    CoverageState,
    Evidence,
    LoadRead,
    Span,
    StorageCapabilities,
    Symbol,
)

SYMBOL = Symbol("CRYPTO", "FAKE", "SPOT", "BTC", "USDT", "1m")
ALL = Span(0, 1_000)


def batch(rows: dict[int, float], **more: Any) -> CandleBatch:
    """Candles by open time, with one price for everything."""
    times = np.array(sorted(rows), np.int64)
    columns = {name: np.array([rows[time] for time in sorted(rows)]) for name in REQUIRED_COLUMNS[1:]}
    return CandleBatch.from_columns({"open_time": times} | columns | more)


def answer(moment: int, rows: dict[int, float], *facts: Span, rank: int = 0, source: str = "fake:rest") -> Answer:
    coverage = tuple(Coverage(span, CoverageState.ANSWERED, Evidence.ANCHORED, source, moment) for span in facts)
    return Answer(symbol=SYMBOL, source=source, answered_at=moment, rank=rank, batch=batch(rows), coverage=coverage)


def holding(*answers: Answer, standing: dict[int, float] | None = None) -> Holding:
    """A database that was given these answers, by the plainest merge there is."""
    rows: dict[int, float] = {}
    for one in sorted(answers, key=lambda one: (one.answered_at, one.rank)):
        rows |= dict(zip(one.batch.open_time.tolist(), one.batch.close.tolist(), strict=True))
    return Holding(batch(rows if standing is None else standing), tuple(answers), exact=True)


def told(found: Difference) -> tuple[list[int], list[int], int, int]:
    return found.lacking.tolist(), found.clashing.tolist(), found.unproven, found.own


FIRST = answer(10, {0: 1.0, 60: 1.0, 120: 1.0}, Span(0, 121))
LATER = answer(20, {60: 2.0}, Span(30, 90))


def test_the_same_answers_in_another_order_are_the_same() -> None:
    assert not compare(holding(FIRST, LATER), holding(FIRST, LATER), extra=True, actions=True)
    united = answer(10, {0: 1.0, 60: 1.0, 120: 1.0}, Span(0, 50), Span(50, 121))
    assert not compare(holding(FIRST, LATER), holding(LATER, united), extra=True, actions=True)


@pytest.mark.parametrize(
    ("second", "lacking", "clashing", "unproven", "own"),
    [
        (holding(), [0, 60, 120], [], 1, 0),
        (holding(LATER), [0, 60, 120], [], 2, 0),
        (holding(FIRST), [60], [], 0, 0),
        (holding(answer(10, {0: 1.0, 60: 1.0}, Span(0, 121)), LATER), [120], [], 0, 0),
        (holding(answer(10, {0: 9.0, 60: 1.0, 120: 1.0}, Span(0, 121)), LATER), [], [0], 0, 0),
        (holding(FIRST, LATER, standing={0: 1.0, 60: 2.0, 120: 7.0}), [], [120], 0, 0),
        (holding(FIRST, LATER, standing={0: 1.0, 60: 2.0}), [], [120], 0, 0),
        (holding(FIRST, answer(20, {60: 2.0}, Span(60, 90))), [], [], 0, 0),
        (holding(answer(10, {0: 1.0, 60: 1.0, 120: 1.0}, Span(0, 100)), LATER), [], [], 1, 0),
        (holding(FIRST, LATER, answer(15, {0: 5.0}), answer(30, {60: 3.0, 180: 1.0})), [], [], 0, 1),
        (holding(FIRST, LATER, answer(20, {60: 4.0}, rank=1)), [], [], 0, 0),
    ],
    ids=[
        "nothing", "the later only", "the first only", "a row", "another value", "another value that stands",
        "a row that was lost", "proof that the first gave too", "proof", "more, and later", "a stronger source",
    ],
)  # fmt: skip
def test_what_is_not_there(second: Holding, lacking: list[int], clashing: list[int], unproven: int, own: int) -> None:
    assert told(compare(holding(FIRST, LATER), second, extra=True, actions=True)) == (lacking, clashing, unproven, own)


def test_splits_and_dividends() -> None:
    split, dividend = Action(100, ActionKind.SPLIT, 4.0), Action(100, ActionKind.DIVIDEND, 0.5)
    told_both = holding(replace(FIRST, actions=(split, dividend)))

    def untold(second: Holding, *, actions: bool = True) -> int:
        return compare(told_both, second, extra=True, actions=actions).untold

    wrong = replace(dividend, value=0.4)
    assert untold(told_both) == 0
    assert untold(holding(FIRST)) == 2
    assert untold(holding(FIRST), actions=False) == 0
    assert untold(holding(replace(FIRST, actions=(split, wrong)))) == 1
    assert untold(holding(replace(FIRST, actions=(split, dividend)), replace(LATER, actions=(wrong,)))) == 0


def test_without_their_answers_candles_are_compared_as_they_stand() -> None:
    one = Holding(batch({0: 1.0, 60: 2.0}), (FIRST,), exact=False)
    other = Holding(batch({0: 1.0, 60: 2.0}), (FIRST,), exact=True)
    assert not compare(one, other, extra=True, actions=True)
    assert told(compare(one, Holding(batch({0: 3.0, 90: 1.0}), (FIRST,), exact=False), extra=True, actions=True)) == (
        [0, 60], [], 0, 1,
    )  # fmt: skip


def test_columns_that_the_second_cannot_hold_are_not_asked_of_it() -> None:
    rich = Holding(batch({0: 1.0}, dividend=np.array([0.5])), (), exact=True)
    poor = Holding(batch({0: 1.0}), (), exact=True)
    assert not compare(rich, poor, extra=False, actions=True)
    assert compare(Holding(rich.batch, (), exact=False), Holding(poor.batch, (), exact=False), extra=True, actions=True)


# ── statements ───────────────────────────────────────────────────────────────────────────────────────────────────────


def plain_in_force(said: Sequence[tuple[int, int, int, float]], asked: tuple[int, int, int]) -> float | None:
    """The last value of the open time up to moment and rank, by looking at all of them."""
    fitting = [one for one in said if one[0] == asked[0] and one[1:3] <= asked[1:]]
    return max(fitting, key=lambda one: one[1:3])[3] if fitting else None


def test_of_two_that_were_said_at_once_the_last_is_what_counts() -> None:
    hidden, seen = answer(10, {0: 5.0, 60: 1.0}), answer(10, {0: 1.0})
    assert Statements.of([hidden, seen]).visible().values[:, 0].tolist() == [1.0, 1.0]
    assert not compare(holding(hidden, seen), holding(seen, answer(10, {60: 1.0})), extra=True, actions=True)
    assert told(compare(holding(hidden, seen), holding(seen, hidden), extra=True, actions=True)) == ([], [0], 0, 0)
    assert len(Statements.of([]).visible()) == 0


@pytest.mark.parametrize("seed", range(20))
def test_what_is_in_force(seed: int) -> None:
    chance = random.Random(seed)
    keys = list(itertools.product((0, 60, 120), (1, 2, 3), (-1, 0)))
    said = [(*key, chance.random()) for key in chance.sample(keys, 8)]
    asked = [(*key, 0.0) for key in chance.sample(keys, 8)]
    here, there = (
        Statements.of([answer(moment, {time: value}, rank=rank) for time, moment, rank, value in rows])
        for rows in (said, asked)
    )
    found = here.in_force(there)
    questions = zip(there.open_time.tolist(), there.answered_at.tolist(), there.rank.tolist(), strict=True)
    expected = [plain_in_force(said, question) for question in questions]
    close = VALUES.index("close")
    assert [None if row < 0 else here.values[row, close] for row in found.tolist()] == expected


def test_a_checksum_is_of_values_not_of_how_they_are_kept() -> None:
    plain = batch({0: 1.0, 60: 0.0})
    unknown = {"trades": np.full(2, UNKNOWN_COUNT), "quote_volume": np.full(2, np.nan)}
    negative = np.array([1.0, -0.0])
    assert checksum([("", plain)]) == checksum([("", batch({0: 1.0, 60: 0.0}, **unknown))])
    assert checksum([("", plain)]) == checksum([("", batch({0: 1.0, 60: 0.0}, open=negative))])


@pytest.mark.parametrize(
    "other",
    [batch({0: 1.0}), batch({0: 1.0, 61: 2.0}), batch({0: 1.0, 60: 2.0000000000000004}),
     batch({0: 1.0, 60: 2.0}, trades=np.array([1, 0]))],
    ids=["fewer rows", "another time", "the next number", "another column"],
)  # fmt: skip
def test_a_checksum_sees_every_change(other: CandleBatch) -> None:
    assert checksum([("", batch({0: 1.0, 60: 2.0}))]) != checksum([("", other)])


# ── made up answers ──────────────────────────────────────────────────────────────────────────────────────────────────


class PlainStore:
    """A database that forgets what it replaces."""

    capabilities = StorageCapabilities(contract=1)

    def __init__(self, *facts: Coverage) -> None:
        self.facts = facts

    async def coverage(self, query: CoverageQuery) -> Sequence[Coverage]:
        return self.facts

    async def answers(self, read: LoadRead) -> Sequence[Answer]:
        raise AssertionError("it has no such hook")


async def test_candles_count_as_given_by_the_last_answer_that_vouches_for_them() -> None:
    def fact(start: int, end: int, moment: int, state: CoverageState = CoverageState.ANSWERED) -> Coverage:
        return Coverage(Span(start, end), state, Evidence.ANCHORED, "fake:rest", moment)

    imported = Coverage(Span(180, 181), CoverageState.ANSWERED, Evidence.IMPORTED, "import", 0)
    gone = fact(-500, 5_000, 30, CoverageState.OUT_OF_REACH)
    store = PlainStore(fact(-100, 121, 10), fact(60, 61, 20), imported, gone)
    stored = batch({0: 1.0, 60: 2.0, 120: 3.0, 180: 4.0, 240: 5.0})
    found = await Holding.read(store, SYMBOL, ALL, stored)  # type: ignore[arg-type] # all of it that is used
    assert not found.exact
    assert [(one.source, one.answered_at, one.rank, one.batch.open_time.tolist()) for one in found.answers] == [
        ("copy", 0, -1_000_000, [240]),
        ("import", 0, -1_000_000, [180]),
        ("fake:rest", 10, 0, [0, 120]),
        ("fake:rest", 20, 0, [60]),
        ("fake:rest", 30, 0, []),
    ]
    assert [[(part.start, part.end) for part in spans] for spans in found.proven.values()] == [
        [(180, 181)], [(0, 121)], [(0, 1_000)],
    ]  # fmt: skip
    assert found.replaced == 0
