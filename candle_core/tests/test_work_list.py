"""The work-list against a simulated exchange that is honest, sparse, late, terse or lying."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from candle_core.checks import CheckedPage, check
from candle_core.coverage import with_slots
from candle_core.plan import Window, WorkList, cut
from candle_core.spans import Spans
from candle_core.timeframes import EvenGrid, Grid
from candle_hookspecs import (
    REQUIRED_COLUMNS,
    Anchor,
    CandleBatch,
    Evidence,
    FetchRequest,
    MalformedAnswerError,
    Market,
    Page,
    Proof,
    ProviderCapabilities,
    Span,
)

MARKET = Market(
    archetype="CRYPTO", exchange="EXAMPLE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
    ccxt_symbol="BTC/USDT",
)  # fmt: skip
STEP = 10


@dataclass(frozen=True)
class Scenario:
    """A market, what is wanted of it, and how its exchange behaves.

    Attributes:
        candles: open times, on and off the grid. wanted, covered: what to collect, and what is proven already. What is
            missing between two slots alone is not worth a request.
        bounded: an answer stops at the far end of what was asked, though rows follow.
        lies: what becomes of the next honest answers to fresh questions: ``empty``, ``short``, or ``true``. A question
            that follows an assertion is answered truly; twice the same lie from both ends nobody can see through.
        now: the exchange's clock. doubt: candles that opened less than that ago may not be published yet.
        published: candles that open later are not; width: questions under way at once; order: who answers first.
    """

    candles: tuple[int, ...]
    wanted: Span
    origin: int = 0
    covered: tuple[Span, ...] = ()
    limit: int = 3
    anchors: tuple[Anchor, ...] = (Anchor.START,)
    bounded: bool = False
    lies: tuple[str, ...] = ()
    now: int = 10_000
    doubt: int = 0
    published: int = 10_000
    width: int = 1
    order: tuple[int, ...] = ()

    @property
    def grid(self) -> Grid:
        return EvenGrid("any", STEP, self.origin)

    @property
    def able(self) -> ProviderCapabilities:
        return ProviderCapabilities(
            contract=1, tradetypes=("SPOT",), timeframes=("any",), page_limit=self.limit, anchors=self.anchors,
            settle=0, doubt=self.doubt,
        )  # fmt: skip

    @property
    def doubt_from(self) -> int:
        return self.grid.floor(self.now - self.doubt)

    def slots(self, span: Span) -> set[int]:
        return {moment for moment in range(span.start, span.end) if (moment - self.origin) % STEP == 0}


@dataclass
class Exchange:
    """Answers as the scenario says, and counts."""

    scenario: Scenario
    requests: list[FetchRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lies = deque(self.scenario.lies)

    def answer(self, window: Window) -> Page:
        """The rows nearest to the anchor."""
        request, span, world = window.request, window.span, self.scenario
        self.requests.append(request)
        there = [time for time in world.candles if time <= min(world.now, world.published)]
        if request.anchor is Anchor.START:
            rows = [time for time in there if time >= span.start and (time < span.end or not world.bounded)]
            rows = rows[: request.limit]
        else:
            rows = [time for time in there if time < span.end and (time >= span.start or not world.bounded)]
            rows = rows[-request.limit :][::-1]
        if window.doubted is None and self.lies:
            rows = {"true": rows, "empty": [], "short": rows[: len(rows) // 2]}[self.lies.popleft()]
        columns: dict[str, Any] = {name: np.ones(len(rows)) for name in REQUIRED_COLUMNS}
        batch = CandleBatch.from_columns(columns | {"open_time": np.array(rows, np.int64)})
        return self.page(request, batch)

    def page(self, request: FetchRequest, batch: CandleBatch) -> Page:
        """What the rows prove."""
        return Page.of(request, batch, answered_at=self.scenario.now)


@dataclass
class Outcome:
    """What a run left."""

    work: WorkList
    exchange: Exchange
    seen: set[int]

    def complaints(self) -> list[str]:
        """Whatever is wrong with it."""
        world, work = self.exchange.scenario, self.work
        covered, edge = Spans.of(world.covered), world.now
        wrong = []
        fresh = [time for time in world.candles if time in work.proven and time not in covered]
        if lost := sorted(set(fresh) - self.seen):
            wrong.append(f"proven though never seen: {lost}")
        final = {slot for slot in world.slots(world.wanted) if slot + STEP <= edge}
        open_slots = {slot for slot in final if slot not in work.proven}
        deferred = {slot for slot in open_slots if slot >= world.doubt_from}
        if never := sorted(open_slots - deferred):
            wrong.append(f"left unproven: {never}")
        if world.published >= world.now:
            due = {time for time in world.candles if time in world.wanted and time + STEP <= edge}
            # What opens off the grid behind the last slot that is settled is asked for with the next one.
            settled = Spans((Span(-STEP, world.grid.pending(edge)),)) if edge > 0 else Spans()
            asked = with_slots((Spans((world.wanted,)) & settled) - covered, world.grid)
            due = {time for time in due if time in asked}
            if world.anchors[0] is Anchor.END:  # windows start at a slot: what lies before the first one is not asked
                due -= {time for part in asked for time in range(part.start, world.grid.ceil(part.start))}
            if world.lies:  # near the present a lie is not looked into: what it hides stays missing, for the next run
                due -= {time for time in due if time >= world.doubt_from and time not in work.proven}
            if unseen := sorted(due - self.seen):
                wrong.append(f"never seen: {unseen}")
        return wrong


def run(world: Scenario, worklist: type[WorkList] = WorkList, exchange: type[Exchange] = Exchange) -> Outcome:
    """Ask until nothing is left to ask, as the pipeline does: several at once, answers in any order."""
    asked = exchange(world)
    split: Callable[[FetchRequest], Sequence[FetchRequest]] = lambda request: cut(request, world.grid, world.able)  # noqa: E731
    wish = FetchRequest(markets=(MARKET,), timeframe="any", span=world.wanted)
    work = worklist(wish, Spans.of(world.covered), world.grid, world.able, split)
    seen: set[int] = set()
    under_way: list[tuple[Window, CheckedPage]] = []
    order = deque(world.order)
    while True:
        while len(under_way) < world.width and (window := work.take()):
            under_way.append((window, check(asked.answer(window), world.grid, world.able)))
        if not under_way:
            return Outcome(work, asked, seen)
        window, answer = under_way.pop((order.popleft() if order else 0) % len(under_way))
        seen.update(answer.batch.open_time.tolist())
        try:
            work.settle(window, answer)
        except MalformedAnswerError as error:
            raise AssertionError(f"{error} after {len(asked.requests)} requests") from error
        assert len(asked.requests) <= bound(world), f"{len(asked.requests)} requests: {asked.requests[-3:]}"


def bound(world: Scenario) -> int:
    """More requests than this would be going in circles: every one finds a row, ends a stretch, or meets a lie."""
    return 4 * (len(world.slots(world.wanted)) + len(world.candles) + len(world.lies) + len(world.covered) + 2)


moments = st.integers(0, 300)
spans = st.builds(lambda start, length: Span(start, start + length), st.integers(0, 250), st.integers(1, 150))


@st.composite
def scenarios(draw: st.DrawFn, least_page: int = 3) -> Scenario:
    origin = draw(st.integers(0, STEP - 1))
    on_grid = draw(st.sets(st.integers(0, 30), max_size=30))
    off_grid = draw(st.sets(moments, max_size=4))
    there = {origin + STEP * slot for slot in on_grid} | off_grid
    # No candle opens while another runs, but for the one that an off-grid candle runs into.
    candles = {time for time in there if (time - origin) % STEP == 0 or not there & set(range(time - STEP + 1, time))}
    wanted = draw(spans)
    late = draw(st.booleans())
    now = draw(st.integers(wanted.start, wanted.end + 50)) if late else 10_000
    doubt = draw(st.sampled_from([0, 15, 60])) if late else 0
    hidden = draw(st.integers(0, doubt)) if doubt else 0
    return Scenario(
        candles=tuple(sorted(candles)),
        wanted=wanted,
        origin=origin,
        covered=tuple(draw(st.lists(spans, max_size=2))),
        limit=draw(st.integers(least_page, 8)),
        anchors=draw(st.permutations(list(Anchor)).map(tuple) | st.sampled_from([(Anchor.START,), (Anchor.END,)])),
        bounded=draw(st.booleans()),
        lies=tuple(draw(st.lists(st.sampled_from(["true", "empty", "short"]), max_size=6))),
        now=now,
        doubt=doubt,
        published=now - hidden if hidden else 10_000,
        width=draw(st.integers(1, 4)),
        order=tuple(draw(st.lists(st.integers(0, 3), max_size=6))),
    )


# What lies about the newest candles is asked again by the next run.
@example(Scenario((0,), Span(0, 1), anchors=(Anchor.START, Anchor.END), lies=("empty",), now=10, doubt=15))
# A short page leaps over slots and lands in the middle of a stretch that is on the list, behind one that is covered.
@example(Scenario((13,), Span(0, 21), covered=(Span(11, 12),), anchors=(Anchor.START, Anchor.END)))
@given(scenarios())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_slot_is_proven_or_deferred_and_no_candle_is_lost(world: Scenario) -> None:
    assert run(world).complaints() == []


# ── the same test bites ─────────────────────────────────────────────────────────────────────────────────────────────


class Credulous(WorkList):
    """Believes an empty answer at once."""

    def settle(self, window: Window, answer: CheckedPage) -> list[Proof]:
        said = [Proof(span, Evidence.REPEATED) for span in answer.asserted]
        return super().settle(window, replace(answer, proofs=(*answer.proofs, *said)))


class Forgetful(WorkList):
    """Never comes back to what an answer left open."""

    def settle(self, window: Window, answer: CheckedPage) -> list[Proof]:
        self.prove([Proof(window.span, Evidence.ANCHORED)])
        return super().settle(window, answer)


class Lazy(WorkList):
    """Takes the first window only."""

    def take(self) -> Window | None:
        window, self.take = super().take(), lambda: None  # type: ignore[method-assign]
        return window


class Boastful(Exchange):
    """Counts its last row as proof to the end of the slot."""

    def page(self, request: FetchRequest, batch: CandleBatch) -> Page:
        page = super().page(request, batch)
        longer = [replace(proof, span=Span(proof.span.start, proof.span.end + STEP)) for proof in page.proofs]
        return replace(page, proofs=tuple(longer))


@pytest.mark.parametrize(
    ("worklist", "exchange"),
    [(Credulous, Exchange), (Forgetful, Exchange), (Lazy, Exchange), (WorkList, Boastful)],
    ids=lambda kind: kind.__name__,
)
def test_a_sabotaged_part_is_found_out(worklist: type[WorkList], exchange: type[Exchange]) -> None:
    def betrayed(world: Scenario) -> bool:
        return bool(run(world, worklist, exchange).complaints())

    quick = settings(max_examples=2_000, deadline=None, database=None, derandomize=True)
    try:
        find(scenarios(), betrayed, settings=quick)
    except NoSuchExample:
        pytest.fail(f"{worklist.__name__} with {exchange.__name__} goes unnoticed")


# ── what it costs ───────────────────────────────────────────────────────────────────────────────────────────────────

ANCHORS = [
    pytest.param((Anchor.START,), id="start"),
    pytest.param((Anchor.END,), id="end"),
    pytest.param((Anchor.START, Anchor.END), id="both"),
    pytest.param((Anchor.END, Anchor.START), id="both-from-the-end"),
]
HISTORY = Span(0, 10_000)


def line(*spans: tuple[int, int]) -> tuple[int, ...]:
    return tuple(time for start, end in spans for time in range(start, end, STEP))


@pytest.mark.parametrize("anchors", ANCHORS)
def test_a_dense_market_costs_a_request_a_page(anchors: tuple[Anchor, ...]) -> None:
    outcome = run(Scenario(line((0, 10_000)), HISTORY, limit=100, anchors=anchors, now=20_000, published=20_000))
    assert outcome.complaints() == []
    assert len(outcome.exchange.requests) in (10, 11), "1,000 slots; what may open behind the last one costs one more"


@pytest.mark.parametrize("anchors", ANCHORS)
@pytest.mark.parametrize("bounded", [False, True])
def test_a_hole_of_many_pages_costs_little_more(anchors: tuple[Anchor, ...], bounded: bool) -> None:
    world = Scenario(
        line((0, 2_000), (8_000, 10_000)), HISTORY, limit=100, anchors=anchors, bounded=bounded, now=20_000,
        published=20_000,
    )  # fmt: skip
    outcome = run(world)
    assert outcome.complaints() == []
    dense = 4
    allowed = dense + (4 if not bounded else 2 * 6 + 2)
    assert len(outcome.exchange.requests) <= allowed, [str(request) for request in outcome.exchange.requests]


@pytest.mark.parametrize("anchors", ANCHORS)
def test_a_market_with_a_candle_now_and_then_costs_requests_by_candles(anchors: tuple[Anchor, ...]) -> None:
    world = Scenario(tuple(range(5, 10_000, 500)), HISTORY, limit=100, anchors=anchors, now=20_000, published=20_000)
    outcome = run(world)
    assert outcome.complaints() == []
    assert len(outcome.exchange.requests) <= 4, "20 candles fit on one page, though their slots fill ten"


def test_what_is_proven_is_not_asked_again() -> None:
    dense = line((0, 10_000))
    assert run(Scenario(dense, HISTORY, covered=(HISTORY,), now=20_000)).exchange.requests == []
    hole = Scenario(dense, HISTORY, covered=(Span(0, 4_001), Span(4_501, 10_000)), limit=100, now=20_000)
    (request,) = run(hole).exchange.requests
    assert (request.span, request.limit) == (Span(4_001, 4_501), 50)


def test_an_answer_that_says_nothing_is_refused() -> None:
    world = Scenario((), Span(0, 100), limit=3)
    work = WorkList(
        FetchRequest(markets=(MARKET,), timeframe="any", span=world.wanted), Spans(), world.grid, world.able,
        lambda request: cut(request, world.grid, world.able),
    )  # fmt: skip
    window = work.take()
    assert window is not None
    mute = replace(check(Exchange(world).answer(window), world.grid, world.able), proofs=(), asserted=Spans())
    with pytest.raises(MalformedAnswerError, match="says nothing"):
        work.settle(window, mute)


def test_answers_that_lead_round_to_the_same_question_are_refused() -> None:
    """One end, bounded: the probe of an emptiness begins one slot earlier, and tells of that known candle alone."""
    world = Scenario((10,), Span(20, 60), covered=(Span(0, 20),), limit=10)
    work = WorkList(
        FetchRequest(markets=(MARKET,), timeframe="any", span=world.wanted), Spans(world.covered), world.grid,
        world.able, lambda request: cut(request, world.grid, world.able),
    )  # fmt: skip
    exchange = Exchange(world)

    def go_round() -> None:
        while (window := work.take()) and len(exchange.requests) < 100:
            page = exchange.answer(window)
            page = replace(page, asserted=None) if window.doubted else page
            work.settle(window, check(page, world.grid, world.able))

    with pytest.raises(MalformedAnswerError, match="says nothing"):
        go_round()
    assert len(exchange.requests) <= 10
    assert Spans((Span(21, 60),)) - work.proven, "nothing was believed"


def test_of_what_was_not_told_nothing_is_believed() -> None:
    """An exchange that tells no more than fifty before the end of what it is asked for, and says so."""
    world = Scenario((0, 10, 40), Span(0, 100), limit=10, anchors=(Anchor.END,))
    work = WorkList(
        FetchRequest(markets=(MARKET,), timeframe="any", span=world.wanted, anchor=Anchor.END), Spans(), world.grid,
        world.able, lambda request: cut(request, world.grid, world.able),
    )  # fmt: skip
    found: list[int] = []
    while window := work.take():
        span = window.request.span
        assert span is not None
        told = Span(max(span.start, span.end - 50), span.end)
        times = [at for at in world.candles if at in told]
        found += times
        columns = {name: np.ones(len(times)) for name in REQUIRED_COLUMNS} | {"open_time": np.array(times, np.int64)}
        page = Page(
            request=replace(window.request, span=told, limit=10), batch=CandleBatch.from_columns(columns),
            proofs=tuple(Proof(Span(at, at + 1), Evidence.BRACKETED) for at in times), asserted=told,
            answered_at=world.now,
        )  # fmt: skip
        work.settle(window, check(page, world.grid, world.able))
    assert set(found) == set(world.candles)
    assert not work.missing()
