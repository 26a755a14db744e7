"""What is kept of an answer.

Closed candles with sound numbers, and proof that reaches no further than the exchange can know.
"""

from dataclasses import dataclass, replace

import numpy as np

from candle_core.timeframes import Grid
from candle_hookspecs import PRICE_COLUMNS, CandleBatch, MalformedAnswerError, Page, Proof, Span, iso


@dataclass(frozen=True, slots=True)
class CheckedPage:
    """The part of a page that is final.

    Attributes:
        batch: closed candles. open_rows: how many were left out because they may still change.
        proofs, asserted: what the page says, up to the last moment that is settled.
    """

    batch: CandleBatch
    proofs: tuple[Proof, ...]
    asserted: Span | None
    open_rows: int


def settled_until(grid: Grid, exchange_time: int, settle: int) -> int:
    """The first open time that is not settled yet.

    Candles that open before it are closed and published, by the exchange's clock.
    """
    return grid.floor(exchange_time - settle)


def check(page: Page, grid: Grid, settle: int) -> CheckedPage:
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
    closed = grid.closes(batch.open_time) <= page.answered_at - settle
    edge = settled_until(grid, page.answered_at, settle)
    if not closed.all():
        edge = min(edge, int(batch.open_time[~closed][0]))
    kept = batch[: int(np.searchsorted(batch.open_time, edge))]
    return CheckedPage(
        batch=kept,
        proofs=tuple(replace(proof, span=span) for proof in page.proofs if (span := _until(proof.span, edge))),
        asserted=_until(page.asserted, edge) if page.asserted else None,
        open_rows=len(batch) - len(kept),
    )


def _until(span: Span, edge: int) -> Span | None:
    return Span(span.start, min(span.end, edge)) if span.start < edge else None
