"""What is kept of an answer.

Closed candles with sound numbers, and proof that reaches no further than the exchange can know.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import (
    PRICE_COLUMNS,
    CandleBatch,
    MalformedAnswerError,
    Page,
    Proof,
    ProviderCapabilities,
    Span,
    iso,
)


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
    return grid.floor(exchange_time - settle)


def check(page: Page, grid: Grid, capabilities: ProviderCapabilities) -> CheckedPage:
    """Keep what is final.

    Raises:
        MalformedAnswerError: a price or volume that is no finite number; nothing of such a page is kept.
    """
    batch = page.batch
    for name in (*PRICE_COLUMNS, "volume"):
        column = getattr(batch, name)
        if not np.isfinite(column).all():
            moment = iso(int(batch.open_time[~np.isfinite(column)][0]))
            raise MalformedAnswerError(f"{name!r} at {moment} is no number in the answer to {page.request!s}")
    settled = settled_until(grid, page.answered_at, capabilities.settle)
    closed = grid.closes(batch.open_time) <= page.answered_at - capabilities.settle
    if not closed.all():
        settled = min(settled, int(batch.open_time[~closed][0]))
    doubt_from = grid.floor(page.answered_at - capabilities.settle - capabilities.doubt)
    # Behind the newest candle nothing bears emptiness out, so near the present it is not believed.
    runs_until = _runs_until(page, grid)
    believed = min(settled, max(doubt_from, runs_until))
    said = (*((page.asserted,) if page.asserted else ()), *(_from(proof.span, believed) for proof in page.proofs))
    kept = batch[: int(np.searchsorted(batch.open_time, settled))]
    return CheckedPage(
        batch=kept,
        proofs=tuple(_believable(page, runs_until, believed)),
        asserted=Spans.of(span for one in said if one and (span := _until(one, settled))),
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


def _believable(page: Page, runs_until: int, edge: int) -> Iterator[Proof]:
    """The page's proofs up to `edge`.

    One that ends with the newest candle's opening goes on as long as that candle runs.
    """
    newest = page.batch.last + 1 if len(page.batch) else None
    for proof in page.proofs:
        end = max(runs_until, proof.span.end) if proof.span.end == newest else proof.span.end
        if proof.span.start < edge:
            yield replace(proof, span=Span(proof.span.start, min(end, edge)))


def _from(span: Span, edge: int) -> Span | None:
    return Span(max(span.start, edge), span.end) if span.end > edge else None


def _until(span: Span, edge: int) -> Span | None:
    return Span(span.start, min(span.end, edge)) if span.start < edge else None
