"""What goes next: priority, order within a line, nothing starves, nothing is lost; against a plain list of works."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.writer.queue import PATIENCE, UPKEEP, Work, WorkQueue
from candle_hookspecs import Operation, OperationType, Priority

TASK = Operation(table="t", type=OperationType.INSERT, rows=())
FILL = 5
LOOP = asyncio.new_event_loop()
LOOP.close()  # nothing here waits for a future


def work(line: str, priority: int, rows: int = 1, due: float = 0.0, kind: str = "same") -> Work:
    done: asyncio.Future[object] = asyncio.Future(loop=LOOP)
    return Work(
        line=line, kind=kind, priority=priority, task=TASK, rows=rows, size=rows * 10, fill=FILL, due=due, done=done
    )


def drain(queue: WorkQueue, now: float = 0.0) -> list[list[Work]]:
    transactions = []
    while works := queue.take(now):
        transactions.append(works)
        queue.release(works, now)
    return transactions


def test_priority_goes_first() -> None:
    queue = WorkQueue()
    given = [work(name, priority) for name, priority in [("d", UPKEEP), ("c", 3), ("a", 0), ("b", 2), ("e", 1)]]
    for one in given:
        queue.put(one, 0.0)
    assert [works[0].line for works in drain(queue)] == ["a", "e", "b", "c", "d"]


def test_one_line_at_a_time() -> None:
    queue = WorkQueue()
    for _ in range(2 * FILL):
        queue.put(work("a", Priority.LOW), 0.0)
    queue.put(work("b", Priority.LOW), 0.0)
    first = queue.take(0.0)
    assert [one.line for one in first] == ["a"] * FILL
    assert [one.line for one in queue.take(0.0)] == ["b"], "the line of a transaction under way rests"
    assert queue.take(0.0) == []
    queue.release(first, 0.0)
    assert [one.line for one in queue.take(0.0)] == ["a"] * FILL


def test_an_urgent_work_lifts_those_before_it() -> None:
    """Order within a line is kept, so what stands before a CRITICAL work goes with its priority."""
    queue = WorkQueue()
    slow, other, urgent = work("a", Priority.LOW), work("b", Priority.NORMAL), work("a", Priority.CRITICAL)
    for one in (slow, other, urgent):
        queue.put(one, 0.0)
    assert [one for works in drain(queue) for one in works] == [slow, urgent, other]


def test_only_what_agrees_shares_a_transaction() -> None:
    queue = WorkQueue()
    for kind in ("x", "x", "y", "x"):
        queue.put(work("a", Priority.LOW, kind=kind), 0.0)
    assert [[one.kind for one in works] for works in drain(queue)] == [["x", "x"], ["y"], ["x"]]


def test_what_waits_for_company_goes_when_there_is_enough_or_when_it_is_due() -> None:
    queue = WorkQueue()
    for number in range(FILL - 1):
        queue.put(work("a", Priority.NORMAL, due=10.0 + number), 0.0)
    assert (queue.take(9.0), queue.due) == ([], 10.0)
    queue.put(work("a", Priority.NORMAL, due=19.0), 9.0)
    assert len(queue.take(9.0)) == FILL, "with enough rows nothing more is waited for"
    queue.put(work("b", Priority.NORMAL, due=20.0), 9.0)
    assert queue.take(19.0) == []
    assert len(queue.take(20.0)) == 1


def test_what_has_gone_with_enough_company_hurries_nobody_and_leaves_nothing() -> None:
    queue = WorkQueue()
    for number in range(1_000):
        for _ in range(FILL):
            queue.put(work("a", Priority.NORMAL, due=3_600.0 + number), 0.0)
        assert len(drain(queue)) == 1
    assert len(queue._held) <= 1
    queue.put(work("a", Priority.NORMAL, due=9_000.0), 2_000.0)
    assert queue.take(8_999.0) == []
    assert len(queue.take(9_000.0)) == 1


def test_flush_lets_nothing_wait() -> None:
    queue = WorkQueue()
    queue.put(work("a", Priority.LOW, due=99.0), 0.0)
    under_way = work("b", Priority.LOW)
    queue.put(under_way, 0.0)
    assert queue.take(0.0) == [under_way]
    queue.put(work("b", Priority.LOW, due=99.0), 0.0)
    queue.flush()
    assert [one.line for one in queue.take(0.0)] == ["a"]
    queue.release([under_way], 0.0)
    assert [one.line for one in queue.take(0.0)] == ["b"], "what stood behind a transaction under way was flushed too"


@pytest.mark.parametrize("flood", [Priority.CRITICAL, Priority.NORMAL])
def test_low_does_not_starve_and_critical_hardly_notices(flood: Priority) -> None:
    queue = WorkQueue()
    queue.put(work("low", Priority.LOW), 0.0)
    went = []
    for number in range(3 * PATIENCE):
        queue.put(work(f"flood {number}", flood), 0.0)
        works = queue.take(0.0)
        queue.release(works, 0.0)
        went.append(works[0].line)
        if works[0].line == "low":
            queue.put(work("low", Priority.LOW), 0.0)
    turns = [number for number, line in enumerate(went) if line == "low"]
    assert 2 <= len(turns) <= 3
    assert len(turns) / len(went) < 0.01, "fewer than one transaction in a hundred is not the most urgent one"


puts = st.tuples(
    st.sampled_from("abcd"), st.integers(0, 3), st.integers(1, 7), st.sampled_from([0.0, 0.0, 3.0, 8.0]),
    st.sampled_from(["x", "x", "x", "y"]),
)  # fmt: skip
steps = st.lists(puts | st.sampled_from(["take", "release", "later", "flush"]), max_size=60)


@given(steps)
def test_whatever_happens_nothing_is_lost_or_out_of_order(steps: list[object]) -> None:
    queue, now = WorkQueue(), 0.0
    put: list[Work] = []
    went: list[Work] = []
    under_way: list[list[Work]] = []
    for step in steps:
        if isinstance(step, tuple):
            line, priority, rows, wait, kind = step
            put.append(work(line, priority, rows, now + wait if wait else 0.0, kind))
            queue.put(put[-1], now)
        elif step == "take" and (works := queue.take(now)):
            assert works[0].line not in [busy[0].line for busy in under_way], "two transactions of one line"
            assert len({(one.line, one.kind) for one in works}) == 1
            assert sum(one.rows for one in works[:-1]) < FILL
            under_way.append(works)
            went += works
        elif step == "release" and under_way:
            queue.release(under_way.pop(0), now)
        elif step == "later":
            now += 2.0
        elif step == "flush":
            queue.flush()
        waiting = [one for one in put if one not in went] + [one for works in under_way for one in works]
        assert queue.works == len(waiting)
        assert queue.rows == sum(one.rows for one in waiting)
        assert queue.size == sum(one.size for one in waiting)
    for works in under_way:
        queue.release(works, now)
    queue.flush()
    went += [one for works in drain(queue, now) for one in works]
    assert sorted(map(id, went)) == sorted(map(id, put))
    for line in "abcd":
        assert [one for one in went if one.line == line] == [one for one in put if one.line == line]
    assert (queue.works, queue.rows, queue.size, queue.ready) == (0, 0, 0, False)
