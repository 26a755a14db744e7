"""What is kept of an answer.

Closed candles with sound numbers, and proof that reaches no further than the exchange can know.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import (
    PRICE_COLUMNS,
    Anchor,
    CandleBatch,
    Evidence,
    MalformedAnswerError,
    Page,
    Proof,
    ProviderCapabilities,
    Span,
    iso,
)

EARLIEST: Final = -(2**63)


@dataclass(frozen=True, slots=True)
class CheckedPage:
    """The part of a page that is final.

    Attributes:
        batch: closed candles. open_rows: how many were left out because they may still change.
        proofs, asserted: what the page says, up to `settled`. What would be proof were it not so recent is asserted.
        settled: the first open time of which the answer cannot know the final candle.
    """

    batch: CandleBatch
    proofs: tuple[Proof, ...]
    asserted: Spans
    settled: int
    doubt_from: int
    open_rows: int

    def within(self, span: Span) -> "CheckedPage":
        """The same, with nothing from outside the span."""
        proofs = (replace(proof, span=inside) for proof in self.proofs if (inside := proof.span.intersect(span)))
        return replace(self, batch=self.batch.between(span), proofs=tuple(proofs))


def settled_until(grid: Grid, exchange_time: int, settle: int) -> int:
    """The first open time that is not settled yet.

    Candles that open before it are closed and published, by the exchange's clock.
    """
    return grid.pending(exchange_time - settle)


def unsound(batch: CandleBatch) -> str:
    """A price or volume that is no finite number, by column and moment; empty: there is none."""
    for name in (*PRICE_COLUMNS, "volume"):
        finite = np.isfinite(getattr(batch, name))
        if not finite.all():
            return f"{name!r} at {iso(int(batch.open_time[finite.argmin()]))}"
    return ""


def check(page: Page, grid: Grid, capabilities: ProviderCapabilities) -> CheckedPage:
    """Keep what is final.

    Raises:
        MalformedAnswerError: a price or volume that is no finite number; nothing of such a page is kept.
    """
    batch = page.batch
    if problem := unsound(batch):
        raise MalformedAnswerError(f"{problem} is no number in the answer to {page.request!s}")
    settled = settled_until(grid, page.answered_at, capabilities.settle)
    closed = grid.closes(batch.open_time) <= page.answered_at - capabilities.settle
    if not closed.all():
        settled = min(settled, int(batch.open_time[~closed][0]))
    doubt_from = grid.pending(page.answered_at - capabilities.settle - capabilities.doubt)
    # Behind the newest candle nothing bears emptiness out, so near the present it is not believed.
    runs_until = _runs_until(page, grid)
    believed = min(settled, max(doubt_from, runs_until))
    claimed = [replace(proof, span=_running(proof.span, page, runs_until)) for proof in page.proofs]
    recent = Spans.of(_from(believed, (proof.span for proof in claimed)))
    leapt = Spans.of(_leapt(page, grid, runs_until))
    asserted = recent | leapt | Spans((page.asserted,) if page.asserted else ())
    kept = batch[: int(np.searchsorted(batch.open_time, settled))]
    return CheckedPage(
        batch=kept,
        proofs=tuple(part for proof in claimed for part in _without(proof, recent, leapt)),
        asserted=asserted & Spans((Span(EARLIEST, settled),)),
        settled=settled,
        doubt_from=doubt_from,
        open_rows=len(batch) - len(kept),
    )


def _runs_until(page: Page, grid: Grid) -> int:
    """Until when the newest candle runs: no other opens before. The exchange says so, or the candle fills its slot."""
    if not len(page.batch):
        return 0
    if page.reach is not None:
        return page.reach
    last = page.batch.last
    return grid.after(last) if grid.floor(last) == last else last + 1


def _running(span: Span, page: Page, runs_until: int) -> Span:
    """A proven stretch that ends with the newest candle's opening goes on as long as that candle runs."""
    ends_with_it = len(page.batch) and span.end == page.batch.last + 1
    return Span(span.start, max(span.end, runs_until)) if ends_with_it else span


def _leapt(page: Page, grid: Grid, runs_until: int) -> Iterator[Span]:
    """Slots between the anchor and the nearest row of a short page.

    An answer cut at the wrong end would leave them out.
    """
    span, batch = page.request.span, page.batch
    if span is None or not len(batch) or len(batch) + batch.repeated >= page.request.limit:
        return
    start, end = (span.start, batch.first) if page.request.anchor is Anchor.START else (runs_until, span.end)
    if start < end and grid.count(Span(start, end)):
        yield Span(start, end)


def _without(proof: Proof, recent: Spans, leapt: Spans) -> Iterator[Proof]:
    """What of a proof is left; only one that rests on its anchor loses what its answer leapt over."""
    anchored = proof.evidence is Evidence.ANCHORED and bool(leapt)
    evidence = Evidence.BRACKETED if anchored else proof.evidence
    for part in Spans((proof.span,)) - (recent | leapt if anchored else recent):
        yield replace(proof, span=part, evidence=evidence)


def _from(edge: int, spans: Iterable[Span]) -> Iterator[Span]:
    """What of the spans lies at or behind a moment."""
    for span in spans:
        if span.end > edge:
            yield Span(max(span.start, edge), span.end)
