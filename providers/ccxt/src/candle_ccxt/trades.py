"""How trades are asked for through ccxt's `fetch_trades`, and what of them an answer leaves to be asked.

The method is one, `since` and `limit`, but some exchanges count on from `since`, some never hear of it, and some go
back by names of their own, which ccxt passes on. Which way one goes is read from ccxt's source of it (4.5.90).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from candle_hookspecs import Anchor, BadRequestError, FetchRequest, Page, Span, Trade, iso

_HOUR: Final = 3_600_000
_DAY: Final = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Ask:
    """What `fetch_trades` is given: milliseconds, how many, and what is passed on to the wire by name."""

    since: int | None
    limit: int
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """What came: every trade of the wire in its order, the exchange's clock, bytes."""

    trades: Sequence[Trade]
    moment: int
    size: int


@dataclass(frozen=True)
class TradeWay(ABC):
    """A way of paging trades.

    Attributes:
        most: trades in one answer.
    """

    most: int

    def call(self, request: FetchRequest) -> FetchRequest:
        """The first call of a wish for trades of one market: counted from where this way can count.

        Raises:
            BadRequestError: it cannot be answered whole this way.
        """
        # Without a span and a count a page is meant, and nothing behind it.
        return request if request.span or request.limit else replace(request, limit=self.most)

    @abstractmethod
    def ask(self, request: FetchRequest) -> Ask:
        """What to ask for in one call."""

    @abstractmethod
    def read(self, request: FetchRequest, ask: Ask, told: Told) -> Page:
        """The trades of the call, and the calls for what there was no room for.

        Raises:
            BadRequestError: some cannot be had this way.
        """

    def count(self, request: FetchRequest) -> int:
        """How many trades a call asks for."""
        return min(request.limit, self.most) if request.limit else self.most


@dataclass(frozen=True)
class Forward(TradeWay):
    """The oldest from `since` on; without it the newest, which are one page and no more.

    Attributes:
        since: the wire's name for it where the wire counts in nanoseconds, the moment itself left out, and ccxt rounds
            it to seconds (Kraken).
    """

    since: str = ""

    def call(self, request: FetchRequest) -> FetchRequest:
        """From the start; the newest so many before a moment cannot be counted."""
        request = super().call(request)
        if request.limit > self.most if request.span is None else request.anchor is Anchor.END and request.limit:
            raise BadRequestError(
                f"{request.market.exchange} counts trades on from a moment, so of the newest no more than {self.most} "
                f"can be had: give a beginning and no count, not {request.limit} for {request!s}"
            )
        return replace(request, anchor=Anchor.START) if request.span else request

    def ask(self, request: FetchRequest) -> Ask:
        """A millisecond earlier, where the moment itself may be left out."""
        if request.span is None:
            return Ask(None, self.count(request))
        since = max(0, request.span.start - 1)
        exact = {self.since: str(max(0, request.span.start * 1_000_000 - 1))} if self.since else {}
        return Ask(since, self.most, exact)

    def read(self, request: FetchRequest, ask: Ask, told: Told) -> Page:
        """Without what a rounding of `since` let in."""
        if request.span is None:
            return _newest_of(request, told)
        start = request.span.start
        late = [trade for trade in told.trades if trade.at >= start]
        if len(told.trades) >= ask.limit and not late:
            raise BadRequestError(
                f"{len(told.trades)} trades came from before {iso(start)} and none from then on in the answer to "
                f"{request!s}; those cannot be asked for"
            )
        asked = ask.limit - (len(told.trades) - len(late))
        return Page.of_trades(request, late, asked=asked, answered_at=told.moment, size=told.size)


@dataclass(frozen=True)
class Backward(TradeWay):
    """The newest up to `until`, which ccxt passes on; or the oldest from `since` on, an hour of them at a time."""

    def call(self, request: FetchRequest) -> FetchRequest:
        """All of a span is counted from its end: no hour without trades costs a call then."""
        request = super().call(request)
        return request if request.span and request.limit else replace(request, anchor=Anchor.END)

    def ask(self, request: FetchRequest) -> Ask:
        """Both ends are inclusive on the wire."""
        if request.span is None:
            return Ask(None, self.count(request))
        if request.anchor is Anchor.END:
            return Ask(None, self.count(request), {"until": request.span.end - 1})
        hour = _first_hour(request.span)
        return Ask(max(0, hour.start), self.count(request), {"until": hour.end - 1})

    def read(self, request: FetchRequest, ask: Ask, told: Told) -> Page:
        """Counted from the anchor. Behind an hour that was told whole comes the next one."""
        span, asked, at = request.span, ask.limit, told.moment
        if span is None or request.anchor is Anchor.END:
            return Page.of_trades(request, told.trades, asked=asked, answered_at=at, size=told.size)
        hour = _first_hour(span)
        page = Page.of_trades(replace(request, span=hour), told.trades, asked=asked, answered_at=at, size=told.size)
        left = request.limit - len(page.trades)
        rest = page.rest or ((replace(request, span=hour, limit=left),) if left and hour.end < span.end else ())
        begins = hour.end if not page.rest else (page.rest[0].span or hour).start
        return replace(page, request=request, rest=tuple(replace(one, span=Span(begins, span.end)) for one in rest))


@dataclass(frozen=True)
class Cursor(TradeWay):
    """OKX: back from a moment, and from there by the ids of trades; the newest without either are another route.

    Attributes:
        newest: trades in an answer of that other route.
        reach: milliseconds that it looks back.
    """

    newest: int = 500
    reach: int = 90 * _DAY

    def call(self, request: FetchRequest) -> FetchRequest:
        """From the end alone."""
        request = super().call(request)
        if request.span and request.limit and request.anchor is Anchor.START:
            raise BadRequestError(
                f"{request.market.exchange} counts trades from the newest on, so anchor this at its end: {request!s}"
            )
        return replace(request, anchor=Anchor.END)

    def ask(self, request: FetchRequest) -> Ask:
        """By a moment (type 2) or by an id (type 1), which are left out themselves."""
        history = {"method": "publicGetMarketHistoryTrades"}
        if request.token:
            return Ask(None, self.count(request), {**history, "type": "1", "after": request.token})
        if request.span is not None:
            return Ask(None, self.count(request), {**history, "type": "2", "after": str(request.span.end)})
        return Ask(None, min(request.limit, self.newest))

    def read(self, request: FetchRequest, ask: Ask, told: Told) -> Page:
        """The rest is behind the oldest, which the wire tells last. No span may begin before what is kept."""
        earliest = told.moment - self.reach
        if request.span and (request.span.end <= earliest or (request.span.start < earliest and not request.limit)):
            raise BadRequestError(
                f"{request.market.exchange} tells trades of {self.reach // _DAY} days; ask from {iso(earliest)} on, "
                f"not for {request!s}"
            )
        # The wire is newest first, which cannot be told from a page that is all of one moment.
        in_time = told.trades[::-1]
        span, trades = request.span, sorted(in_time, key=lambda trade: trade.at)
        kept = _counted(request, [trade for trade in trades if span is None or trade.at in span])
        left = request.limit - len(kept)
        rest: tuple[FetchRequest, ...] = ()
        start = span.start if span else 0
        if len(trades) >= ask.limit and trades[0].at >= start and (left or not request.limit):
            behind = Span(start, trades[0].at + 1)
            rest = (replace(request, span=behind, limit=max(0, left), token=trades[0].id),)
        return Page(request=request, trades=kept, rest=rest, answered_at=told.moment, size=told.size)


@dataclass(frozen=True)
class Newest(TradeWay):
    """The newest so many, whatever is asked; also for exchanges of which nothing is known.

    Attributes:
        known: an answer that is shorter than was asked for holds all that there are. Else there may be others: Upbit
            tells those of one day, and some cut an answer shorter than one knows.
    """

    known: bool = True

    def call(self, request: FetchRequest) -> FetchRequest:
        """No more than there are, counted from the present."""
        if request.limit > self.most or (request.span and request.limit and request.anchor is Anchor.START):
            raise BadRequestError(
                f"{request.market.exchange} tells its newest {self.most} trades, so no more can be counted, and none "
                f"from the start: {request.limit} for {request!s}"
            )
        return replace(request, anchor=Anchor.END)

    def ask(self, request: FetchRequest) -> Ask:
        """`since` would only keep back those that tell that nothing is missing."""
        return Ask(None, self.most if request.span else self.count(request))

    def read(self, request: FetchRequest, ask: Ask, told: Told) -> Page:
        """As many as were wanted; or all of a span, if something older came, too."""
        page = _newest_of(request, told)
        if (request.span is None and not request.limit) or 0 < request.limit <= len(page.trades):
            return page
        oldest = min((trade.at for trade in told.trades), default=None)
        reached = request.span is not None and oldest is not None and oldest < request.span.start
        if reached or (self.known and len(told.trades) < ask.limit):
            return page
        told_from = "" if oldest is None else f", from {iso(oldest + 1)} on"
        raise BadRequestError(
            f"{request.market.exchange} tells its newest {len(told.trades)} trades{told_from}, and there may be others "
            f"that belong to the {request.limit or 'all'} {request!s}. If there are none, or if it counts on from "
            '`since`, write trades = "newest" or "forward" in its table'
        )


def way_of(exchange: str, name: str | None, most: int | None) -> TradeWay:
    """An exchange's way.

    Args:
        exchange: ccxt's id.
        name: one of `WAYS` that a table names; None: what is known.
        most: trades in an answer, where a table says so.
    """
    known = KNOWN.get(exchange)
    if name is not None:
        return WAYS[name](most or (known.most if known else CAUTIOUS_PAGE))
    way = known or Newest(CAUTIOUS_PAGE, known=False)
    return way if most is None else replace(way, most=most)


CAUTIOUS_PAGE: Final = 100
"""Trades in an answer, where nobody knows."""

WAYS: Final[Mapping[str, type[TradeWay]]] = {"forward": Forward, "backward": Backward, "newest": Newest}
"""By the names that a table in the TOML may have."""

KNOWN: Final[Mapping[str, TradeWay]] = {
    "binance": Backward(1000),
    "binanceus": Backward(1000),
    "binanceusdm": Backward(1000),
    "bitfinex": Forward(10_000),
    "kraken": Forward(1000, since="since"),
    "okx": Cursor(100),
    "upbit": Newest(500, known=False),
}
"""Exchange → its way. Upbit's pages are a matter of days and cursors that ccxt knows nothing of."""


def _newest_of(request: FetchRequest, told: Told) -> Page:
    """A page of the newest, with nothing behind it."""
    inside = [trade for trade in _oldest_first(told.trades) if request.span is None or trade.at in request.span]
    return Page(request=request, trades=_counted(request, inside), answered_at=told.moment, size=told.size)


def _oldest_first(trades: Sequence[Trade]) -> list[Trade]:
    """Turned round if need be; those of one moment stay in the order of the wire, which sorting keeps."""
    newest_first = len(trades) > 1 and trades[0].at > trades[-1].at
    in_time = trades[::-1] if newest_first else trades
    return sorted(in_time, key=lambda trade: trade.at)


def _counted(request: FetchRequest, trades: list[Trade]) -> list[Trade]:
    """The newest so many of those, oldest first."""
    return trades[-request.limit :] if request.limit else trades


def _first_hour(span: Span) -> Span:
    return Span(span.start, min(span.end, span.start + _HOUR))
