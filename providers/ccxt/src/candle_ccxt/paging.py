"""How candles are asked for through ccxt's `fetch_ohlcv`, and what its answers prove.

The method is one, `since` and `limit`, but what it sends is not. Which way an exchange goes is read from ccxt's source
of it (4.5.90). Rows are taken as the wire had them, before ccxt drops those earlier than `since`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from candle_hookspecs import (
    Anchor,
    Arrival,
    BadRequestError,
    CandleBatch,
    CoverageState,
    Evidence,
    FetchRequest,
    MalformedAnswerError,
    Market,
    Page,
    Proof,
    Span,
    iso,
)

_FOREVER: Final = 1 << 62
_DAY: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Ask:
    """What `fetch_ohlcv` is given: milliseconds, and how many candles."""

    since: int | None
    limit: int
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What came: every row of the wire, the exchange's clock, bytes."""

    batch: CandleBatch
    moment: int
    size: int


class Paging(ABC):
    """A way of paging.

    Attributes:
        anchors: the ends from which its answers count.
    """

    anchors: ClassVar[tuple[Anchor, ...]] = (Anchor.END,)

    def page_limit(self, most: int) -> int:
        """How many slots a window may have, where an answer has `most` rows."""
        return most

    @abstractmethod
    def ask(self, request: FetchRequest, step: int, most: int) -> Ask:
        """What to ask for.

        Args:
            request: of candles in a span.
            step: milliseconds that ccxt takes a candle for; a month has thirty days.
            most: rows in an answer.
        """

    @abstractmethod
    def read(self, request: FetchRequest, ask: Ask, heard: Heard, step: int) -> Page:
        """What the answer proves.

        Raises:
            MalformedAnswerError: its rows are out of order, or do not belong to the question.
        """


class Forward(Paging):
    """The oldest `limit` from `since` on, the far end open; without `since` the newest up to `until`."""

    anchors = (Anchor.START, Anchor.END)

    def ask(self, request: FetchRequest, step: int, most: int) -> Ask:
        """`since` or `until`, never both: rows beyond the far end prove the gap before them."""
        span, limit = _span(request), min(request.limit or most, most)
        if request.anchor is Anchor.START:
            return Ask(span.start, limit)
        return Ask(None, limit, until=span.end - 1)

    def read(self, request: FetchRequest, ask: Ask, heard: Heard, step: int) -> Page:
        """Counted from the anchor, as any page."""
        page = _counted(replace(request, limit=ask.limit), heard, step)
        if ask.since is None or page.asserted is None or request.market.settle in ("", request.market.quote):
            return page
        # Of contracts that settle in their base, ccxt bounds the far end as well (binance, "inverse").
        told = Span(ask.since, ask.since + ask.limit * step)
        return replace(page, asserted=page.asserted.intersect(told))


class Backward(Paging):
    """The newest `limit` before ``since + limit * step``, however far back they reach: `since` is not sent."""

    def ask(self, request: FetchRequest, step: int, most: int) -> Ask:
        """So that the end of what is sent is the span's."""
        end = _span(request).end
        limit = max(1, min(request.limit or most, most, end // step))
        return Ask(max(0, end - limit * step), limit)

    def read(self, request: FetchRequest, ask: Ask, heard: Heard, step: int) -> Page:
        """Counted from the end, as any page."""
        return _counted(replace(request, limit=ask.limit), heard, step)


class Bounded(Paging):
    """What lies between `since` and about ``since + limit * step``; also for exchanges of which nothing is known.

    Proven is only what lies between two rows. The rest of the stretch that was asked for is asserted to be empty, and
    the kernel asks for it again, counted from elsewhere, before it believes that: where an answer was cut, the next one
    shows what it left out. An answer that goes on to the present whatever was asked asserts nothing.
    """

    def page_limit(self, most: int) -> int:
        """Two slots fewer: one for an end off the grid, one for asking again from a slot later."""
        return max(1, most - 2)

    def ask(self, request: FetchRequest, step: int, most: int) -> Ask:
        """A slot more on either side than is wanted, and no more than an answer holds."""
        span = _span(request)
        slots = min(-(-(span.end - span.start) // step) + 1, (request.limit or most) + 1, max(1, most - 1))
        since = max(0, span.end - slots * step)
        return Ask(since, min(-(-(span.end - since) // step) + 1, most))

    def read(self, request: FetchRequest, ask: Ask, heard: Heard, step: int) -> Page:
        """Proof between rows, assertion inside of what was asked; the page's request is no wider than that."""
        span, since = _span(request), ask.since or 0
        whole, wanted = heard.batch, request.limit or ask.limit
        _ordered(whole, request)
        kept = whole.between(Span(-_FOREVER, span.end))
        batch, dropped = kept[-wanted:], kept[:-wanted]
        told = Span(max(since, span.start), span.end)
        overruns = len(whole) > 0 and whole.last >= since + (ask.limit + 1) * step
        to_the_present = overruns and whole.last + 2 * step > heard.moment
        if to_the_present and not len(batch.between(told)):
            raise BadRequestError(
                f"asked for what lies before {iso(span.end)}, {request.market.exchange} answered {iso(whole.first)} to "
                f'{iso(whole.last)}: it may have its newest candles only; if so, write paging = "newest" in its table'
            )
        proofs: tuple[Proof, ...] = ()
        if len(batch):
            edge = span.end if batch.last + step >= span.end else batch.last + 1
            proofs = (Proof(Span(batch.first, edge), Evidence.BRACKETED),)
        withheld = to_the_present or len(dropped.between(told)) > 0
        return Page(
            request=replace(request, span=told, limit=wanted),
            batch=batch,
            proofs=proofs,
            asserted=None if withheld else _around(told, proofs),
            answered_at=heard.moment,
            size=heard.size,
        )


class Daily(Bounded):
    """Bitbank: all of the UTC day that `since` is in, and nothing else, however many are wanted."""

    def page_limit(self, most: int) -> int:
        """A day of minutes."""
        return _DAY // 60_000

    def ask(self, request: FetchRequest, step: int, most: int) -> Ask:
        """The last day of what is wanted. A slot alone beyond is left: who asks again from elsewhere asks that far."""
        span = _span(request)
        midnight = max(span.start, span.end - 1 - step) // _DAY * _DAY
        return Ask(midnight, max(1, _DAY // step))

    def read(self, request: FetchRequest, ask: Ask, heard: Heard, step: int) -> Page:
        """As of any bounded answer, up to the end of the day."""
        span, midnight = _span(request), ask.since or 0
        day = Span(max(span.start, midnight), min(span.end, midnight + _DAY))
        return super().read(replace(request, span=day), ask, heard, step)


class Newest(Paging):
    """The newest so many, whatever is asked; `since` only keeps some of them back.

    What an answer with as many as there can be does not have is out of reach for ever.
    """

    def ask(self, request: FetchRequest, step: int, most: int) -> Ask:
        """All that there are since the span began."""
        return Ask(max(0, _span(request).start), most)

    def read(self, request: FetchRequest, ask: Ask, heard: Heard, step: int) -> Page:
        """Everything from the first row up to the present is proven, and what is before it lost, if it may be more."""
        span, batch = _span(request), heard.batch
        _ordered(batch, request)
        # The candle still open is counted by some exchanges and not by others.
        full = len(batch) + batch.repeated >= ask.limit - 1
        if not full and not len(batch.between(Span(-_FOREVER, span.end))):
            # Nothing of the span, where all since its beginning came.
            return Page(
                request=replace(request, limit=ask.limit), asserted=span, answered_at=heard.moment, size=heard.size
            )
        proofs = [Proof(Span(batch.first, max(batch.last + 1, span.end)), Evidence.ANCHORED)]
        if full and batch.first > (beginning := min(0, span.start)):
            proofs.append(Proof(Span(beginning, batch.first), Evidence.DECLARED, CoverageState.OUT_OF_REACH))
        return Page(
            request=replace(request, limit=len(batch) if full else ask.limit),
            batch=batch,
            proofs=tuple(proofs),
            asserted=None if full or batch.first <= span.start else Span(span.start, batch.first),
            answered_at=heard.moment,
            size=heard.size,
        )


WAYS: Final[Mapping[str, Paging]] = {
    "forward": Forward(),
    "backward": Backward(),
    "bounded": Bounded(),
    "daily": Daily(),
    "newest": Newest(),
}
"""By their names, which a table in the TOML may have, too; but for `Daily`, which is Bitbank's alone."""

KNOWN: Final[Mapping[str, str]] = {
    "binance": "forward",
    "binanceus": "forward",
    "binanceusdm": "forward",
    "bitbank": "daily",
    "bitfinex": "forward",
    "bithumb": "newest",
    "bitrue": "newest",
    "bitteam": "newest",
    "bittrade": "newest",
    "deepcoin": "newest",
    "extended": "newest",
    "gemini": "newest",
    "kraken": "newest",
    "p2b": "newest",
    "upbit": "backward",
    "weex": "newest",
}
"""Exchange → its way, where ccxt's source shows that it is another than `Bounded`."""

_NEWEST_OF_SOME: Final[Mapping[str, Callable[[Market], bool]]] = {
    "digifinex": lambda market: market.tradetype != "SPOT",
    "phemex": lambda market: market.settle != market.quote,
}
"""Exchange → whether of a market the newest come, where it is bounded of others."""


def way_of(exchange: str, market: Market, known: Paging) -> Paging:
    """The way of one market, where the exchange goes another with others."""
    of_some = _NEWEST_OF_SOME.get(exchange)
    return WAYS["newest"] if of_some and of_some(market) else known


def _counted(request: FetchRequest, heard: Heard, step: int) -> Page:
    """A page without rows that a rounding of the anchor let in."""
    span, batch = _span(request), heard.batch
    if request.anchor is Anchor.START:
        kept, near = Span(span.start, _FOREVER), Span(span.start - step + 1, _FOREVER)
    else:
        kept, near = Span(-_FOREVER, span.end), Span(-_FOREVER, span.end + step)
    if len(batch.between(near)) == len(batch) and batch.arrival is not Arrival.DISORDERED:
        inside = batch.between(kept)
        request = replace(request, limit=max(1, request.limit - (len(batch) - len(inside))))
        batch = replace(inside, arrival=batch.arrival, repeated=batch.repeated)
    return Page.of(request, batch, answered_at=heard.moment, size=heard.size)


def _around(told: Span, proofs: tuple[Proof, ...]) -> Span | None:
    """The least stretch that holds what is left of one when the proof is taken away."""
    if not proofs:
        return told
    proven = proofs[0].span
    start = max(told.start, proven.end) if proven.start <= told.start else told.start
    end = proven.start if proven.end >= told.end else told.end
    return Span(start, end) if start < end else None


def _ordered(batch: CandleBatch, request: FetchRequest) -> None:
    if batch.arrival is Arrival.DISORDERED:
        raise MalformedAnswerError(f"the rows are out of order in the answer to {request!s}")


def _span(request: FetchRequest) -> Span:
    assert request.span is not None
    return request.span
