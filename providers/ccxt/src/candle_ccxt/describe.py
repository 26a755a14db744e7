"""What ccxt's description of an exchange says of kinds of data, timeframes, page sizes, kinds of trade and limits."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from candle_ccxt.calls import COST
from candle_ccxt.paging import Paging
from candle_hookspecs import CONTRACT_VERSION, Kind, Limit, ProviderCapabilities, Window

CAUTIOUS_PAGE: Final = 100
"""Candles in an answer, where ccxt does not know."""

CUT: Final[Mapping[str, int]] = {"bitteam": 100, "btcmarkets": 200, "bullish": 100, "mexc": 500, "weex": 100}
"""Candles that ccxt asks for at most, where its ``features`` say more (4.5.90). Of Bitteam and WEEX no
number is asked for: with these, an answer that is as long counts as one from which something may have been cut."""

TRADETYPES: Final[Mapping[str, str]] = {"SPOT": "spot", "SWAP": "swap", "FUTURE": "future"}
"""Ours → ccxt's."""

_LISTED: Final[Mapping[str, tuple[str, ...]]] = {
    "SPOT": ("spot",),
    "SWAP": ("swap", "linear", "inverse"),
    "FUTURE": ("future", "linear", "inverse"),
}
"""The parts in which exchanges that list in parts do it (``options["fetchMarkets"]["types"]``)."""

MADE_OF_CURRENCIES: Final = frozenset(("bitso", "gemini", "hyperliquid", "kraken", "latoken"))
"""Whose markets ccxt cannot tell without their currencies (4.5.90): their steps and, of some, their names. With all
others a listing asks for no currencies, of which nothing is wanted here."""

MANY: Final[Mapping[Kind, str]] = {Kind.TICKERS: "fetchTickers", Kind.ORDERBOOKS: "fetchOrderBooks"}
"""ccxt's name for what asks for many markets at once."""

_METHODS: Final[Mapping[Kind, str]] = {
    Kind.CANDLES: "fetchOHLCV",
    Kind.TICKERS: "fetchTicker",
    Kind.ORDERBOOKS: "fetchOrderBook",
    Kind.TRADES: "fetchTrades",
}

NAMES: Final = 100
"""Markets in one call that names them all in its address."""
EVERY: Final = 5_000
"""Markets in one call that is answered with all of a kind, whichever are named."""
ALL_TICKERS: Final = frozenset(
    ("bingx", "bitget", "bitstamp", "bitvavo", "bybit", "cryptocom", "deepcoin", "gate", "htx", "kucoin", "mexc", "okx")
)
"""Whose `fetch_tickers` names no market on the wire, as ccxt's source of them shows."""

LEVELS: Final[Mapping[str, int]] = {"binance": 5000, "binanceus": 5000, "kraken": 500, "okx": 400, "upbit": 30}
"""Exchange → most levels on each side of a spot book, where any number up to that may be asked for. Some others refuse
all but a few numbers; those are asked for no number, and the levels beyond what was wanted are left out here."""

_TIMEFRAME: Final = re.compile(r"[1-9]\d{0,5}[smhdwMy]")
_ROUTES: Final[Mapping[Kind, re.Pattern[str]]] = {
    Kind.CANDLES: re.compile(r"kline|candle|ohlc|chart", re.IGNORECASE),
    Kind.TICKERS: re.compile(r"ticker|24hr", re.IGNORECASE),
    Kind.ORDERBOOKS: re.compile(r"depth|book", re.IGNORECASE),
    Kind.TRADES: re.compile(r"(?<!re)(?<!post)trade|transactions|deals", re.IGNORECASE),
}
"""What the routes of a kind are called."""
_LATENCY: Final = 0.5
"""Seconds until an answer, taken for granted when the requests under way are bounded."""
_MOST_AT_ONCE: Final = 8


def nothing() -> ProviderCapabilities:
    """What can be said under the plugin's own name, which stands for no exchange."""
    return ProviderCapabilities(contract=CONTRACT_VERSION, tradetypes=("SPOT",), timeframes=("1d",), page_limit=1)


def capabilities(
    exchange: Any, paging: Paging, most: int, trades: int, tradetypes: tuple[str, ...]
) -> ProviderCapabilities:
    """What an exchange can do.

    Args:
        exchange: an instance of ccxt's class for it.
        paging: its way of paging.
        most: candles in an answer.
        trades: trades in an answer.
        tradetypes: the kinds of market that are wanted.
    """
    limit, had = limit_of(exchange), kinds(exchange)
    candles_at_once = _LATENCY * 1000 / exchange.rateLimit / cost(exchange, Kind.CANDLES)
    return ProviderCapabilities(
        contract=CONTRACT_VERSION,
        tradetypes=tradetypes,
        timeframes=timeframes(exchange),
        kinds=had,
        page_limit=paging.page_limit(most),
        batch=batches(exchange),
        rows={Kind.ORDERBOOKS: LEVELS.get(exchange.id, CAUTIOUS_PAGE), Kind.TRADES: trades},
        anchors=paging.anchors,
        limits=(limit,),
        costs={kind: {COST: min(cost(exchange, kind), limit.amount)} for kind in had},
        # Nobody says how late an exchange publishes; what is asked for this late has been there everywhere.
        settle=10_000,
        doubt=600_000,
        concurrency=max(1, min(_MOST_AT_ONCE, int(candles_at_once))),
    )


def kinds(exchange: Any) -> frozenset[Kind]:
    """The kinds of market data that it has."""
    names = {kind: (name, MANY.get(kind, name)) for kind, name in _METHODS.items()}
    return frozenset(kind for kind, some in names.items() if any(exchange.has.get(name) for name in some))


def batches(exchange: Any) -> dict[Kind, int]:
    """Most markets in one call, where it has calls for many."""
    found = {kind: NAMES for kind, name in MANY.items() if exchange.has.get(name) is True}
    if Kind.TICKERS in found and exchange.id in ALL_TICKERS:
        found[Kind.TICKERS] = EVERY
    return found


def levels_to_ask(exchange: Any, tradetype: str, wanted: int) -> int | None:
    """The levels to name in a call for a book; None: none, so that as many come as the exchange likes."""
    return wanted or None if tradetype == "SPOT" and exchange.id in LEVELS else None


def timeframes(exchange: Any) -> tuple[str, ...]:
    """Those that it serves natively, in its own order."""
    return tuple(
        name for name, wire in (exchange.timeframes or {}).items() if wire is not None and _TIMEFRAME.fullmatch(name)
    )


def tradetypes(exchange: Any) -> tuple[str, ...]:
    """The kinds of market that it has, of those that have candles of a price."""
    return tuple(ours for ours, name in TRADETYPES.items() if exchange.has.get(name)) or ("SPOT",)


def listing_options(exchange: Any, tradetypes: tuple[str, ...]) -> dict[str, Any]:
    """The options with which a listing asks for the parts that are wanted, for no fees, and for no page again."""
    found: dict[str, Any] = {}
    if exchange.id == "bitstamp":
        # Its last listing would be told again for a second.
        found["fetchMarkets"] = {"expires": -1}
    if parts := parts_of(exchange, tradetypes):
        told = exchange.options["fetchMarkets"]
        # Most name the parts that are asked for, HTX says of each whether it is.
        kept = {part: part in parts for part in told["types"]} if isinstance(told["types"], Mapping) else parts
        found["fetchMarkets"] = {**told, "types": kept, "fetchTickersFees": False}
    currencies = exchange.options.get("fetchCurrencies")
    if isinstance(currencies, Mapping) and "webApiRetries" in currencies:
        found["fetchCurrencies"] = {**currencies, "webApiRetries": 1}
    return found


def parts_of(exchange: Any, tradetypes: tuple[str, ...]) -> list[str]:
    """The parts in which these kinds of market are listed; none where some come only with all that it has."""
    told = exchange.options.get("fetchMarkets")
    parts = told.get("types") if isinstance(told, Mapping) else None
    if isinstance(parts, Mapping):
        # MEXC has a tree of them, which ccxt never reads.
        flat = all(isinstance(asked, bool) for asked in parts.values())
        parts = [part for part, asked in parts.items() if asked] if flat else None
    found = {one: [part for part in parts or () if part in _LISTED[one]] for one in tradetypes}
    if "FUTURE" in found and exchange.has.get("future"):
        # Bitget has dated ones among its perpetuals.
        found["FUTURE"] = found["FUTURE"] or [part for part in parts or () if part == "swap"]
    return list(dict.fromkeys(part for some in found.values() for part in some)) if all(found.values()) else []


def page_size(exchange: Any, tradetypes: tuple[str, ...]) -> int:
    """Most candles in one answer: the least of what ``features`` says of the kinds of market."""
    features = exchange.features or {}
    told = [limit for one in tradetypes for limit in _limits(features.get(TRADETYPES[one]))]
    return min(*told, CUT.get(exchange.id, told[0])) if told else CAUTIOUS_PAGE


def asked_at_once(exchange: Any, tradetype: str, timeframe: str, most: int) -> int:
    """How many candles ccxt really asks for where it is given so many: of some fewer, without a word.

    By its source, Bitget alone has bounds for each timeframe, and of contracts one of ninety days.
    """
    most = min(most, CUT.get(exchange.id, most))
    options = exchange.options.get("fetchOHLCV")
    part = options.get("spot" if tradetype == "SPOT" else "swap") if isinstance(options, Mapping) else None
    bounds = part.get("maxLimitPerTimeframe") if isinstance(part, Mapping) else None
    if not isinstance(bounds, Mapping):
        return most
    most = min(most, int(bounds.get(timeframe, most)))
    quarter = 90 * 86_400 // int(exchange.parse_timeframe(timeframe))
    return most if tradetype == "SPOT" else max(1, min(most, quarter))


def limit_of(exchange: Any) -> Limit:
    """One unit each `rateLimit` milliseconds, counted over a second, or over a candle request where that is longer."""
    pace = float(exchange.rateLimit)
    amount = max(1000 / pace, cost(exchange, Kind.CANDLES), 1.0)
    return Limit(COST, amount, amount * pace / 1000, Window.SLIDING)


def cost(exchange: Any, kind: Kind) -> float:
    """The cost of the cheapest of its routes of a kind. What the one taken costs more is paid when it is sent."""
    return min((one for one in _costs(exchange.api, _ROUTES[kind]) if one > 0), default=1.0)


def _limits(features: Any) -> Iterator[int]:
    """The limits of `fetchOHLCV` in a part of ``features``, which holds them under ``linear`` and ``inverse`` too."""
    if isinstance(features, Mapping):
        limit = (features.get("fetchOHLCV") or {}).get("limit")
        if limit:
            yield int(limit)
        for part in ("linear", "inverse"):
            yield from _limits(features.get(part))


def _costs(tree: Any, called: re.Pattern[str]) -> Iterator[float]:
    """The costs of the routes that are called so, in the tree of routes."""
    if not isinstance(tree, Mapping):
        return
    for name, inner in tree.items():
        if isinstance(inner, Mapping) and "cost" not in inner:
            yield from _costs(inner, called)
        elif called.search(str(name)):
            yield float(inner["cost"] if isinstance(inner, Mapping) else inner)
