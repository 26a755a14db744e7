"""What a page may claim, on wires of every shape that ccxt's exchanges have, read rightly and by who does not know."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from candle_ccxt.paging import WAYS, Ask, Heard, Paging
from candle_hookspecs import (
    Anchor,
    BadRequestError,
    CandleBatch,
    CoverageState,
    FetchRequest,
    MalformedAnswerError,
    Market,
    Page,
    Span,
)

STEP: Final = 60_000
MOST: Final = 12
SLOTS: Final = 60
NOW: Final = SLOTS * STEP + 30_000
MARKET: Final = Market(
    archetype="CRYPTO", exchange="ANY", tradetype="SPOT", base="A", quote="B", native_id="AB", ccxt_symbol="A/B"
)

Wire = Callable[[list[int], Ask], list[int]]


def forward(truth: list[int], ask: Ask) -> list[int]:
    if ask.since is None:
        assert ask.until is not None
        return [time for time in truth if time <= ask.until][-ask.limit :]
    return [time for time in truth if time >= ask.since][: ask.limit]


def backward(truth: list[int], ask: Ask) -> list[int]:
    assert ask.since is not None
    return [time for time in truth if time < ask.since + ask.limit * STEP][-ask.limit :][::-1]


def window(truth: list[int], ask: Ask) -> list[int]:
    """From and to in whole seconds, `to` included and counted as gate's is."""
    assert ask.since is not None
    start = ask.since // 1000 * 1000
    return [time for time in truth if start <= time <= start + (ask.limit - 1) * STEP][-ask.limit :]


def cursors(truth: list[int], ask: Ask) -> list[int]:
    assert ask.since is not None
    return [time for time in truth if ask.since <= time < ask.since + ask.limit * STEP][-ask.limit :][::-1]


def newest(truth: list[int], ask: Ask) -> list[int]:
    return truth[-MOST:]


def newest_since(truth: list[int], ask: Ask) -> list[int]:
    """Kraken's: a candle earlier than `since` may come, too."""
    assert ask.since is not None
    return [time for time in truth[-MOST:] if time > ask.since - STEP]


def clamped_new(truth: list[int], ask: Ask) -> list[int]:
    """Fewer rows than `limit` allows, the newest of the window."""
    return cursors(truth, ask)[: MOST // 2]


def clamped_old(truth: list[int], ask: Ask) -> list[int]:
    return window(truth, ask)[: MOST // 2]


WIRES: Final[Sequence[Wire]] = (
    forward, backward, window, cursors, newest, newest_since, clamped_new, clamped_old,
)  # fmt: skip
MEANT: Final = [("forward", forward), ("backward", backward), ("newest", newest), ("newest", newest_since)]

truths = st.sets(st.integers(0, SLOTS)).map(lambda slots: sorted(slot * STEP for slot in slots))
edges = st.builds(
    lambda slot, off: slot * STEP + off, st.integers(0, SLOTS + 5), st.sampled_from([0, 0, 1, 500, 1000, STEP - 1])
)
spans = st.tuples(edges, edges).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: Span(*pair))


def answered(paging: Paging, wire: Wire, truth: list[int], request: FetchRequest) -> Page:
    ask = paging.ask(request, STEP, MOST)
    assert 1 <= ask.limit <= MOST
    times = np.array(wire(truth, ask), np.int64)
    columns = {name: np.ones(len(times)) for name in ("open", "high", "low", "close", "volume")}
    batch = CandleBatch.from_columns({"open_time": times, **columns})
    return paging.read(request, ask, Heard(batch, NOW, 1), STEP)


def asked(span: Span, anchor: Anchor, limit: int = 0) -> FetchRequest:
    return FetchRequest(markets=(MARKET,), timeframe="1m", span=span, anchor=anchor, limit=limit)


def assert_no_proof_is_false(page: Page, truth: list[int]) -> None:
    came = set(page.batch.open_time.tolist())
    assert came <= set(truth)
    for proof in page.proofs:
        there = {time for time in truth if time in proof.span}
        if proof.state is CoverageState.ANSWERED:
            assert there <= came, f"{proof} covers {sorted(there - came)}"
        else:
            assert proof.state is CoverageState.OUT_OF_REACH
            assert not there & came


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.__name__)
@given(truth=truths, span=spans, limit=st.integers(0, MOST - 2))
def test_who_does_not_know_the_wire_proves_nothing_false(wire: Wire, truth: list[int], span: Span, limit: int) -> None:
    request = asked(span, Anchor.END, limit)
    try:
        page = answered(WAYS["bounded"], wire, truth, request)
    except BadRequestError:
        event("refused")
        assert wire in (newest, newest_since, forward)
        return
    assert_no_proof_is_false(page, truth)
    if page.asserted is not None and wire in (forward, backward, window, cursors):
        came = set(page.batch.open_time.tolist())
        assert not [time for time in truth if time in page.asserted and time not in came]


@pytest.mark.parametrize(("way", "wire"), MEANT, ids=lambda one: getattr(one, "__name__", ""))
@given(truth=truths, span=spans, limit=st.integers(0, MOST))
def test_who_knows_it_proves_nothing_false_and_asserts_the_rest(
    way: str, wire: Wire, truth: list[int], span: Span, limit: int
) -> None:
    for anchor in WAYS[way].anchors:
        page = answered(WAYS[way], wire, truth, asked(span, anchor, limit))
        assert_no_proof_is_false(page, truth)
        if page.asserted is not None:
            came = set(page.batch.open_time.tolist())
            assert not [time for time in truth if time in page.asserted and time not in came]


def spoken_of(page: Page, time: int) -> bool:
    parts = [proof.span for proof in page.proofs] + ([page.asserted] if page.asserted else [])
    return any(time in part for part in parts)


@pytest.mark.parametrize("wire", [window, cursors, forward, backward], ids=lambda wire: wire.__name__)
@given(truth=truths, end=st.integers(1, SLOTS + 1), slots=st.integers(1, MOST - 2))
def test_a_window_of_the_kernel_is_wholly_told(wire: Wire, truth: list[int], end: int, slots: int) -> None:
    """The rows of a window that is cut at two slots all come, and all the rest of it is spoken of."""
    span = Span(max(0, end - slots) * STEP, end * STEP)
    try:
        page = answered(WAYS["bounded"], wire, truth, asked(span, Anchor.END, slots))
    except BadRequestError:
        assert wire is forward
        return
    came = page.batch.open_time.tolist()
    for time in range(span.start, span.end, STEP):
        # What is never spoken of would be asked for again without end.
        if not spoken_of(page, time):
            assert wire is forward
            rest = Span(time, time + STEP)
            with suppress(BadRequestError):
                assert spoken_of(answered(WAYS["bounded"], wire, truth, asked(rest, Anchor.END, 1)), time)
            continue
        assert (time in came) == (time in truth)


def test_disorder_is_refused() -> None:
    for name, way in WAYS.items():
        if name == "daily":
            continue  # its answers are as long as a day, and read as bounded ones are
        with pytest.raises(MalformedAnswerError):
            answered(way, lambda *_: [STEP, 3 * STEP, 2 * STEP], [], asked(Span(0, 5 * STEP), way.anchors[0]))


def test_the_full_newest_are_out_of_reach_before_them_and_fewer_are_all_there_are() -> None:
    truth = [slot * STEP for slot in range(SLOTS + 1)]
    page = answered(WAYS["newest"], newest, truth, asked(Span(0, 10 * STEP), Anchor.END))
    assert [(proof.state, proof.span) for proof in page.proofs] == [
        (CoverageState.ANSWERED, Span(truth[-MOST], truth[-1] + 1)),
        (CoverageState.OUT_OF_REACH, Span(0, truth[-MOST])),
    ]
    young = truth[-5:]
    page = answered(WAYS["newest"], newest, young, asked(Span(0, NOW), Anchor.END))
    assert [(proof.state, proof.span) for proof in page.proofs] == [(CoverageState.ANSWERED, Span(young[0], NOW))]
    assert page.asserted == Span(0, young[0])
    # So says the answer to: is there anything before?
    assert answered(WAYS["newest"], newest, young, asked(Span(0, young[0]), Anchor.END)).asserted == Span(0, young[0])
