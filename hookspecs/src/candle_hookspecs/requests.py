"""What is asked of an exchange, and what came back."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from candle_hookspecs.actions import Action
from candle_hookspecs.candles import Arrival, CandleBatch
from candle_hookspecs.coverage import Evidence, Proof
from candle_hookspecs.errors import BadRequestError, MalformedAnswerError
from candle_hookspecs.limits import Costs, LimitFeedback, Priority
from candle_hookspecs.market_data import OrderBook, Ticker, Trade
from candle_hookspecs.symbols import Market, MarketStatus
from candle_hookspecs.times import Span, iso


class Kind(StrEnum):
    """The four kinds of market data."""

    CANDLES = "candles"
    TICKERS = "tickers"
    ORDERBOOKS = "orderbooks"
    TRADES = "trades"


class Anchor(StrEnum):
    """From which end of the span an answer counts its rows."""

    START = "start"  # the oldest `limit` rows from span.start on (Binance's startTime)
    END = "end"  # the newest `limit` rows before span.end (Upbit's to)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketQuery:
    """Which markets to list.

    Attributes:
        tradetype: ``SPOT``, ``SWAP``, ``FUTURE``; None: all that the provider has.
        name: one market by ccxt symbol or native id; None: all. A provider that can look one up cheaply does so.
        status: markets that stand so; None: all. What is given must all hold of a market.
    """

    tradetype: str | None = None
    name: str | None = None
    status: MarketStatus | None = None

    def selects(self, market: Market) -> bool:
        """Whether a listed market is meant."""
        return (
            self.tradetype in (None, market.tradetype)
            and self.status in (None, market.status)
            and (self.name is None or market.answers_to(self.name))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """One call to an exchange (or, before `candle_split`, a wish that may need several).

    Attributes:
        markets: what to ask for; exactly one for candles and trades.
        timeframe: ccxt's notation; None for kinds without one.
        span: open times of candles, moments of trades, half-open, UTC ms. None: the present state (tickers, order
            books), the newest trades.
        anchor: from which end the answer counts. It must hold even where the span is wide: the row nearest to the
            anchor is the first in the answer.
        limit: most rows wanted. Candles; 0: the provider's page size, but a cut request says how many. Trades, counted
            from the anchor, also more than a page holds; 0: all of the span or, without one, a page. Levels on each
            side of a book; 0: as many as come at the lowest cost.
        costs: what the kernel spends before it calls `candle_fetch`.
        source: which of the provider's ways to answer, e.g. ``rest`` or ``archive``.
        token: whatever `candle_split` wants to tell `candle_fetch` (an archive file's name).
    """

    kind: Kind = Kind.CANDLES
    markets: tuple[Market, ...]
    timeframe: str | None = None
    span: Span | None = None
    anchor: Anchor = Anchor.START
    limit: int = 0
    costs: Costs = field(default_factory=dict, hash=False)
    source: str = "rest"
    priority: Priority = Priority.NORMAL
    token: str = ""

    @property
    def market(self) -> Market:
        """The one market of a candle or trade request."""
        (market,) = self.markets
        return market

    def __str__(self) -> str:
        names = ", ".join(market.ccxt_symbol for market in self.markets)
        parts = (f"{self.kind} of {names}", self.timeframe, self.span, f"from the {self.anchor}")
        return " ".join(str(part) for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer.

    Make it with `Page.of`, which derives what an ordinary paged answer proves, or with `Page.of_trades`. A source that
    proves more (a verified archive file holds all of its day) states its own `proofs`.

    Attributes:
        batch: the candles, the still open one included.
        tickers, orderbooks: one for each market asked for; none for a market that the exchange left out.
        trades: oldest first, all inside the request's span, no more than its limit.
        rest: the calls for what this answer had no room for, where only the answer tells what to ask (the ids of its
            trades). Together with it they answer the request, without overlap, in any order; each may have a rest of
            its own. Empty: all of the request is here.
        answered_at: the exchange's clock when it answered, UTC ms, never later than it truly was (an HTTP ``Date``
            header rounds down).
        proofs: what the answer proves.
        asserted: the stretch that the answer says is empty without proving it: the rest of the span after a short or
            empty answer. None: it says nothing.
        reach: until when the newest candle runs (its close time + 1 ms), where the exchange says so. None: a candle on
            the grid is taken to fill its slot.
        actions: splits and dividends of the market, as far as the answer tells them.
        feedback: what the headers said of limits.
        size: bytes of the body on the wire, more than none even where it says that there is nothing.
    """

    request: FetchRequest
    answered_at: int
    batch: CandleBatch = field(default_factory=CandleBatch.empty)
    tickers: Sequence[Ticker] = ()
    orderbooks: Sequence[OrderBook] = ()
    trades: Sequence[Trade] = ()
    rest: tuple[FetchRequest, ...] = ()
    actions: tuple[Action, ...] = ()
    proofs: tuple[Proof, ...] = ()
    asserted: Span | None = None
    reach: int | None = None
    feedback: LimitFeedback = field(default_factory=LimitFeedback)
    size: int = 0

    @classmethod
    def of(
        cls,
        request: FetchRequest,
        batch: CandleBatch,
        *,
        answered_at: int,
        reach: int | None = None,
        feedback: LimitFeedback | None = None,
        size: int = 0,
    ) -> "Page":
        """A page of an exchange that answers `request.limit` rows counted from `request.anchor`.

        Proven is the stretch from the anchor to the farthest row. When fewer rows came than were asked for, the rest
        of the span is only asserted to be empty. Rows beyond the far end of the span are welcome: they prove the gap
        before them.

        Raises:
            MalformedAnswerError: the rows are out of order, or lie on the wrong side of the anchor.
        """
        span, feedback = request.span, feedback or LimitFeedback()
        if span is None:
            raise ValueError(f"a page of candles needs a request with a span: {request!r}")
        if batch.arrival is Arrival.DISORDERED:
            raise MalformedAnswerError(f"the rows are out of order in the answer to {request!s}")
        if not len(batch):
            return cls(request=request, answered_at=answered_at, feedback=feedback, size=size, asserted=span)
        if request.anchor is Anchor.START:
            astray, proven = batch.first < span.start, (span.start, batch.last + 1)
            rest = (batch.last + 1, span.end)
        else:
            astray, proven = batch.last >= span.end, (batch.first, span.end)
            rest = (span.start, batch.first)
        if astray:
            raise MalformedAnswerError(
                f"rows from {iso(batch.first)} to {iso(batch.last)} do not belong to the answer to {request!s}"
            )
        came = len(batch) + batch.repeated
        asserted = Span(*rest) if came < request.limit and rest[0] < rest[1] else None
        return cls(
            request=request,
            answered_at=answered_at,
            batch=batch,
            proofs=(Proof(Span(*proven), Evidence.ANCHORED),),
            asserted=asserted,
            reach=reach,
            feedback=feedback,
            size=size,
        )

    @classmethod
    def of_trades(
        cls,
        request: FetchRequest,
        trades: Sequence[Trade],
        *,
        asked: int,
        answered_at: int,
        feedback: LimitFeedback | None = None,
        size: int = 0,
    ) -> "Page":
        """A page of an exchange that counts trades from a moment on, or back from one, and knows no other place.

        A full answer may end in the middle of a moment. The trades of its last one are then left to the `rest`, so that
        none comes twice and none is lost.

        Args:
            request: its `anchor` is what the wire counted from; without a span, the present.
            trades: all that came, in any order.
            asked: how many the wire was asked for; as many or more mean that there may be others.
            answered_at: as in `Page`, like the following.
            feedback: what the headers said of limits.
            size: bytes of the body on the wire.

        Raises:
            MalformedAnswerError: trades on the wrong side of the anchor.
            BadRequestError: a full answer of one moment alone; beyond it nothing can be asked.
        """
        span, counts_on = request.span, request.span is not None and request.anchor is Anchor.START
        newest_first = len(trades) > 1 and trades[0].at > trades[-1].at
        # Sorting keeps the order of those of one moment, so it is turned to that of time before.
        found = sorted(reversed(trades) if newest_first else trades, key=lambda trade: trade.at)
        inside = [trade for trade in found if span is None or span.start <= trade.at < span.end]
        if span and found and (found[0].at < span.start if counts_on else found[-1].at >= span.end):
            raise MalformedAnswerError(
                f"trades from {iso(found[0].at)} to {iso(found[-1].at)} do not belong to the answer to {request!s}"
            )
        rest: tuple[FetchRequest, ...] = ()
        if len(found) >= asked and len(inside) == len(found) and not 0 < request.limit <= len(inside):
            edge = (found[-1] if counts_on else found[0]).at
            inside = [trade for trade in inside if trade.at != edge]
            if not inside:
                raise BadRequestError(
                    f"{len(found)} trades came of {iso(edge)} alone in the answer to {request!s}; what lies beyond"
                    " cannot be asked for"
                )
            left = Span(edge, span.end) if counts_on and span else Span(span.start if span else 0, edge + 1)
            limit = max(0, request.limit - len(inside))
            rest = (replace(request, span=left, anchor=Anchor.START if counts_on else Anchor.END, limit=limit),)
        if request.limit:
            inside = inside[: request.limit] if counts_on else inside[-request.limit :]
        return cls(
            request=request,
            answered_at=answered_at,
            trades=inside,
            rest=rest,
            feedback=feedback or LimitFeedback(),
            size=size,
        )
