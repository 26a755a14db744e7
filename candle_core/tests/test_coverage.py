"""What facts say together, against a dict of slots."""

from hypothesis import given
from hypothesis import strategies as st

from candle_core.coverage import Known, count_slots, count_slots_of_each, repeated, with_slots
from candle_core.sessions import SessionGrid
from candle_core.spans import Spans
from candle_core.timeframes import EvenGrid, Grid
from candle_hookspecs import Coverage, CoverageState, Evidence, Session, Span

SOURCES = ["x:rest", "x:archive"]
MOMENTS = range(-5, 45)
spans = st.builds(lambda start, length: Span(start, start + length), st.integers(0, 30), st.integers(1, 12))
facts = st.builds(
    Coverage,
    span=spans,
    state=st.sampled_from(CoverageState),
    evidence=st.just(Evidence.ANCHORED),
    source=st.sampled_from([*SOURCES, "y:rest"]),
    answered_at=st.integers(0, 9),
)


def state_of(moment: int, known: list[Coverage], sources: list[str]) -> CoverageState | None:
    """Not listed before answered before out of reach, and out of reach only for all who could be asked."""
    here = [fact for fact in known if moment in fact.span]
    for state in (CoverageState.NOT_LISTED, CoverageState.ANSWERED):
        if any(fact.state is state for fact in here):
            return state
    beyond = {fact.source for fact in here if fact.state is CoverageState.OUT_OF_REACH}
    return CoverageState.OUT_OF_REACH if sources and beyond.issuperset(sources) else None


@given(st.lists(facts, max_size=10), st.sampled_from([SOURCES, SOURCES[:1], []]))
def test_every_moment_has_one_state(known: list[Coverage], sources: list[str]) -> None:
    united = Known.of(known, sources)
    shown = {
        CoverageState.NOT_LISTED: united.not_listed,
        CoverageState.ANSWERED: united.answered,
        CoverageState.OUT_OF_REACH: united.out_of_reach,
    }
    for moment in MOMENTS:
        states = [state for state, held in shown.items() if moment in held]
        expected = state_of(moment, known, sources)
        assert states == ([expected] if expected else [])
        assert (moment in united.covered) == bool(states)


@given(st.lists(spans, max_size=6).map(Spans.of), st.integers(1, 9), st.integers(0, 8))
def test_stretches_without_a_slot_do_not_count(some: Spans, step: int, origin: int) -> None:
    grid = EvenGrid("any", step, origin % step)
    opens = [moment for moment in range(60) if moment % step == origin % step]
    assert count_slots(some, grid) == sum(moment in some for moment in opens)
    assert list(with_slots(some, grid)) == [span for span in some if any(moment in span for moment in opens)]


@given(
    st.lists(st.lists(spans, max_size=4).map(Spans.of), max_size=5),
    st.sampled_from(
        [
            EvenGrid("x", 5),
            EvenGrid("x", 7, 3),
            Grid.of("1M"),
            SessionGrid("1m", [Session(Span(0, 90)), Session(Span(120, 300))]),
        ]
    ),
)
def test_sets_are_counted_together_as_they_are_alone(sets: list[Spans], grid: Grid) -> None:
    assert count_slots_of_each(sets, grid) == [count_slots(one, grid) for one in sets]


@given(st.lists(facts, max_size=10), st.integers(0, 10))
def test_facts_that_could_be_one(known: list[Coverage], before: int) -> None:
    """As many as there are more than stretches of moments without a break, kind by kind; both ends count as touched."""
    old = [fact for fact in known if fact.answered_at < before]
    stretches = 0
    for kind in {(fact.source, fact.state) for fact in old}:
        alike = [fact.span for fact in old if (fact.source, fact.state) == kind]
        held = {twice / 2 for span in alike for twice in range(2 * span.start, 2 * span.end + 1)}
        stretches += sum(moment - 0.5 not in held for moment in held)
    assert repeated(sorted(known, key=lambda fact: fact.span.start), before) == len(old) - stretches
