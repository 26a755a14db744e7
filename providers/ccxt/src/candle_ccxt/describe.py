"""What ccxt's description of an exchange says of timeframes, page sizes, kinds of trade and limits."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from candle_ccxt.calls import COST
from candle_ccxt.paging import Paging
from candle_hookspecs import CONTRACT_VERSION, Kind, Limit, ProviderCapabilities, Window

CAUTIOUS_PAGE: Final = 100
"""Candles in an answer, where ccxt does not know."""

TRADETYPES: Final[Mapping[str, str]] = {"SPOT": "spot", "SWAP": "swap", "FUTURE": "future"}
"""Ours → ccxt's."""

_LISTED: Final[Mapping[str, tuple[str, ...]]] = {
    "SPOT": ("spot",),
    "SWAP": ("swap", "linear", "inverse"),
    "FUTURE": ("future", "linear", "inverse"),
}
"""The parts in which exchanges that list in parts do it (``options["fetchMarkets"]["types"]``)."""

_TIMEFRAME: Final = re.compile(r"[1-9]\d{0,5}[smhdwMy]")
_CANDLES: Final = re.compile(r"kline|candle|ohlc|chart", re.IGNORECASE)
_LATENCY: Final = 0.5
"""Seconds until an answer, taken for granted when the requests under way are bounded."""
_MOST_AT_ONCE: Final = 8


def nothing() -> ProviderCapabilities:
    """What can be said under the plugin's own name, which stands for no exchange."""
    return ProviderCapabilities(contract=CONTRACT_VERSION, tradetypes=("SPOT",), timeframes=("1d",), page_limit=1)


def capabilities(exchange: Any, paging: Paging, most: int, tradetypes: tuple[str, ...]) -> ProviderCapabilities:
    """What an exchange can do.

    Args:
        exchange: an instance of ccxt's class for it.
        paging: its way of paging.
        most: rows in an answer.
        tradetypes: the kinds of market that are wanted.
    """
    limit = limit_of(exchange)
    return ProviderCapabilities(
        contract=CONTRACT_VERSION,
        tradetypes=tradetypes,
        timeframes=timeframes(exchange),
        page_limit=paging.page_limit(most),
        anchors=paging.anchors,
        limits=(limit,),
        costs={Kind.CANDLES: {COST: min(candle_cost(exchange), limit.amount)}},
        # Nobody says how late an exchange publishes; what is asked for this late has been there everywhere.
        settle=10_000,
        doubt=600_000,
        concurrency=max(1, min(_MOST_AT_ONCE, int(_LATENCY * 1000 / exchange.rateLimit / candle_cost(exchange)))),
    )


def timeframes(exchange: Any) -> tuple[str, ...]:
    """Those that it serves natively, in its own order."""
    return tuple(
        name for name, wire in (exchange.timeframes or {}).items() if wire is not None and _TIMEFRAME.fullmatch(name)
    )


def tradetypes(exchange: Any) -> tuple[str, ...]:
    """The kinds of market that it has, of those that have candles of a price."""
    return tuple(ours for ours, name in TRADETYPES.items() if exchange.has.get(name)) or ("SPOT",)


def parts_to_list(exchange: Any, tradetypes: tuple[str, ...]) -> dict[str, Any]:
    """The option that keeps a listing to these kinds of market, where the exchange lists in parts; else nothing."""
    told = exchange.options.get("fetchMarkets")
    parts = told.get("types") if isinstance(told, Mapping) else None
    if not isinstance(parts, list):
        return {}
    wanted = {part for one in tradetypes for part in _LISTED[one]}
    kept = [part for part in parts if part in wanted]
    return {"fetchMarkets": {**told, "types": kept}} if kept else {}


def page_size(exchange: Any, tradetypes: tuple[str, ...]) -> int:
    """Most candles in one answer: the least of what ``features`` says of the kinds of market."""
    features = exchange.features or {}
    told = [limit for one in tradetypes for limit in _limits(features.get(TRADETYPES[one]))]
    return min(told, default=CAUTIOUS_PAGE)


def limit_of(exchange: Any) -> Limit:
    """One unit each `rateLimit` milliseconds, counted over a second, or over a candle request where that is longer."""
    pace = float(exchange.rateLimit)
    amount = max(1000 / pace, candle_cost(exchange), 1.0)
    return Limit(COST, amount, amount * pace / 1000, Window.SLIDING)


def candle_cost(exchange: Any) -> float:
    """The cost of the cheapest of its candle routes. What the one that is taken costs more is paid when it is sent."""
    return min((cost for cost in _costs(exchange.api) if cost > 0), default=1.0)


def _limits(features: Any) -> Iterator[int]:
    """The limits of `fetchOHLCV` in a part of ``features``, which holds them under ``linear`` and ``inverse`` too."""
    if isinstance(features, Mapping):
        limit = (features.get("fetchOHLCV") or {}).get("limit")
        if limit:
            yield int(limit)
        for part in ("linear", "inverse"):
            yield from _limits(features.get(part))


def _costs(tree: Any) -> Iterator[float]:
    """The costs of candle routes in the tree of routes."""
    if not isinstance(tree, Mapping):
        return
    for name, inner in tree.items():
        if isinstance(inner, Mapping) and "cost" not in inner:
            yield from _costs(inner)
        elif _CANDLES.search(str(name)):
            yield float(inner["cost"] if isinstance(inner, Mapping) else inner)
