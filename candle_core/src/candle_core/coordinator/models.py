"""What is asked of the coordinator, and what it hands back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Integral, Real
from typing import Any

from candle_core.ranges import Bounds
from candle_core.timeframes import parse_timeframe
from candle_hookspecs import (
    BadInputError,
    CandleBatch,
    CandleError,
    CollectionSummary,
    Kind,
    MemoryLimitError,
    Moment,
    OrderBook,
    Priority,
    SlotReport,
    Ticker,
    TimeRange,
    Trade,
)


def at_least_one(name: str, value: Any) -> None:
    """Look at a bound.

    Raises:
        BadInputError: it is below 1, or no whole number.
    """
    if not (isinstance(value, Integral) and int(value) >= 1):
        raise BadInputError(f"{name}={value!r} lets nothing pass; give a whole number, at least 1")


def texts_of(value: Any) -> tuple[str, ...]:
    """One text alone, or several, each once; none where there are none, or something else among them."""
    several = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    return tuple(dict.fromkeys(several)) if all(isinstance(one, str) and one for one in several) else ()


def is_age(value: Any) -> bool:
    """Whether it is a number of seconds, from zero on."""
    return isinstance(value, Real) and float(value) >= 0


@dataclass(frozen=True, kw_only=True)
class LargeRequest:
    """What every request names.

    Attributes:
        exchange: e.g. ``UPBIT``.
        tradetype: e.g. ``SPOT``, of all the symbols; empty or None: what ccxt's name of the first one says if it is a
            contract, else the one of ``[defaults]``, or the only one that the exchange has.
        symbols: markets by ccxt's symbol or the exchange's own name, each once, any number; or one alone as text.
        priority: who goes first where the exchange's limits do not grant enough for all.
        max_concurrency: most requests under way at once for this one; None: what the coordinator was made with.

    Raises:
        BadInputError: no exchange, no symbols, an empty name, a concurrency below 1, no such priority.
    """

    exchange: str
    tradetype: str = ""
    symbols: Sequence[str] | str
    priority: Priority = Priority.NORMAL
    max_concurrency: int | None = None

    def __post_init__(self) -> None:
        if not (names := texts_of(self.symbols)):
            raise BadInputError(f"symbols={self.symbols!r} names no markets; give names like ['BTC/USDT', 'ETH/USDT']")
        given: tuple[Any, Any] = self.exchange, self.tradetype
        exchange, tradetype = given
        if not (isinstance(exchange, str) and exchange):
            raise BadInputError(f"exchange={exchange!r} names none; a request needs its own, e.g. 'UPBIT'")
        if not isinstance(tradetype, str | None):
            raise BadInputError(f"tradetype={tradetype!r} is none; give one such as 'SPOT', or leave it out")
        if self.max_concurrency is not None:
            at_least_one("max_concurrency", self.max_concurrency)
        try:
            priority = Priority(self.priority)
        except ValueError as error:
            known = ", ".join(f"Priority.{one.name}" for one in Priority)
            raise BadInputError(f"priority={self.priority!r} is none; there are {known}") from error
        object.__setattr__(self, "exchange", exchange.upper())
        object.__setattr__(self, "tradetype", (tradetype or "").upper())
        object.__setattr__(self, "symbols", names)
        object.__setattr__(self, "priority", priority)


@dataclass(frozen=True, kw_only=True)
class _PresentRequest(LargeRequest):
    """A request for what is never stored.

    Attributes:
        max_age: seconds after which an answer that is remembered is too old; None: as the coordinator's ``ttl`` of the
            kind says; 0: ask the exchange in any case. An answer that is still under way is new enough for everybody.
    """

    max_age: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_age is not None and not is_age(self.max_age):
            raise BadInputError(f"max_age={self.max_age!r} is no age; give seconds, 0 for an answer that is asked anew")


@dataclass(frozen=True, kw_only=True)
class LargeCandleRequest(LargeRequest):
    """Candles of some markets. What is not stored yet is collected into the database first.

    Attributes:
        timeframe: ccxt's notation.
        start, end, to, count: the range, as `Candles.collect_candles_only` takes it: half-open, with `count` in slots.

    Raises:
        BadSpanError: an impossible range. UnknownTimeframeError: not a timeframe. And what `LargeRequest` raises.
    """

    timeframe: str
    start: Moment | None = None
    end: Moment | None = None
    to: Moment | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_timeframe(self.timeframe)
        _ = self.bounds

    @cached_property
    def bounds(self) -> Bounds:
        """The range, checked."""
        return Bounds.of(self.start, self.end, self.count, self.to)


@dataclass(frozen=True, kw_only=True)
class LargeTickerRequest(_PresentRequest):
    """The last 24 hours of some markets."""


@dataclass(frozen=True, kw_only=True)
class LargeOrderbookRequest(_PresentRequest):
    """Both sides of some markets.

    Attributes:
        depth: most levels on each side; None: as many as the exchange gives at the lowest cost.

    Raises:
        BadInputError: a depth below 1. And what `LargeRequest` raises.
    """

    depth: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth is not None:
            at_least_one("depth", self.depth)


@dataclass(frozen=True, kw_only=True)
class LargeTradeRequest(_PresentRequest):
    """Public trades of some markets.

    Attributes:
        start, end: the range, half-open. `end` None: up to now.
        count: most trades of each market: the oldest from `start` on, or, without a start, the newest before `end`.
        max_trades: most trades of one market that may be held; more is that market's `MemoryLimitError`.

    Raises:
        BadSpanError: neither `start` nor `count`, all three of them, an end not after the start. MemoryLimitError: a
            `count` above `max_trades`. BadInputError: a `max_trades` below 1. And what `LargeRequest` raises.
    """

    start: Moment | None = None
    end: Moment | None = None
    count: int | None = None
    max_trades: int = 100_000

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one("max_trades", self.max_trades)
        if (self.bounds.count or 0) > self.max_trades:
            raise MemoryLimitError(f"count={self.count!r} is above max_trades={self.max_trades!r}; raise that bound")

    @cached_property
    def bounds(self) -> Bounds:
        """The range, checked."""
        return Bounds.of(self.start, self.end, self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReport:
    """What a request cost, and what came of it.

    Attributes:
        symbols: markets asked for. failed: how many of them failed.
        rows: candles, tickers, order books or trades handed back.
        requests: calls to the exchange for this request, retries included; listings of markets are not among them.
        retries: how many of these repeated a call that had failed.
        cache_hits: of the symbols, those that cost no call, as what is stored or remembered is enough.
        joined: those that wait for the same call as another request which was under way, and is charged with it.
        size: bytes of the answers' bodies.
        duration_seconds: from the request to the response.
        request_seconds: how long each call took, its wait for the exchange's limits not included; of those that were
            answered, in the order of their answers.
        time_range: from the first to behind the last row handed back; None: there is none.
    """

    kind: Kind
    exchange: str
    tradetype: str
    symbols: int
    failed: int
    rows: int
    requests: int
    retries: int
    cache_hits: int
    joined: int
    size: int
    duration_seconds: float
    request_seconds: tuple[float, ...] = ()
    time_range: TimeRange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeResponse:
    """What every response tells.

    Every symbol stands, as it was asked for, either among the values or among the failures.

    Attributes:
        failures: symbol → why there is nothing of it.
    """

    failures: Mapping[str, CandleError]
    report: RequestReport

    @property
    def complete(self) -> bool:
        """Whether nothing failed."""
        return not self.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeCandleResponse(LargeResponse):
    """Candles as they are stored now.

    Attributes:
        candles: symbol → in time order, unique by open time, all of the range that is closed.
        slots: symbol → where every grid slot of that range stands; no entry where nothing of it is closed yet.
        summaries: symbol → what its collection did.
    """

    candles: Mapping[str, CandleBatch]
    slots: Mapping[str, SlotReport] = field(default_factory=dict)
    summaries: Mapping[str, CollectionSummary] = field(default_factory=dict)

    @property
    def continuous(self) -> bool:
        """Whether every slot is accounted for: a candle, or the proof that there is none."""
        return self.complete and not any(report.missing for report in self.slots.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeTickerResponse(LargeResponse):
    """Symbol → the newest ticker that came."""

    tickers: Mapping[str, Ticker]


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeOrderbookResponse(LargeResponse):
    """Symbol → both sides, best price first, not crossed, no deeper than asked for."""

    orderbooks: Mapping[str, OrderBook]


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeTradeResponse(LargeResponse):
    """Symbol → its trades in order of time and id, unique by id."""

    trades: Mapping[str, Sequence[Trade]]
