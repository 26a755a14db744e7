"""What an exchange lists as it stands in a cache: JSON for any program, from which equal markets are made again.

``market:info:{exchange}``, the exchange in lower case, holds all that `Market` has; what a market does not have is left
out, exact decimals are texts, moments UTC milliseconds:

    {"version":1,"exchange":"binance","markets":[{"archetype":"CRYPTO","exchange":"BINANCE","tradetype":"SPOT",
     "base":"BTC","quote":"USDT","native_id":"BTCUSDT","ccxt_symbol":"BTC/USDT","status":"TRADING",
     "price_tick":"0.01",…}]}

``precision:cache:{exchange}`` holds what a trader looks up, by ccxt's symbol; the exchange's own names, of which one
may stand for several kinds of market, lead there:

    {"version":1,"exchange":"binance","markets":{"BTC/USDT":{"native_id":"BTCUSDT","tradetype":"SPOT",
     "price_tick":"0.01","amount_step":"0.00001",…}},"native_ids":{"BTCUSDT":["BTC/USDT"]}}

Where the tick depends on the price, ``price_ticks`` is the text of a `candle_hookspecs.TickTable`.
"""

import functools
import json
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from candle_hookspecs import PRICE_TICKS, Market

VERSION: Final = 1
"""Of both forms. What was written by another one is as good as absent."""

SUPPORTED: Final = "supported:exchanges"
"""Where the names of the exchanges are that can be asked."""

_NEEDED: Final = frozenset(
    one.name for one in fields(Market) if one.default is MISSING and one.default_factory is MISSING
)
_DEFAULTS: Final[dict[str, Any]] = {one.name: one.default for one in fields(Market)}
_PRECISION: Final = (
    "price_tick", "amount_step", "min_amount", "max_amount", "min_price", "max_price", "min_notional",
)  # fmt: skip


def market_key(exchange: str) -> str:
    """Where an exchange's listing is."""
    return f"market:info:{exchange.lower()}"


def precision_key(exchange: str) -> str:
    """Where the precision of its markets is."""
    return f"precision:cache:{exchange.lower()}"


def encode(exchange: str, markets: Iterable[Market]) -> bytes:
    """A listing as JSON."""
    listed = [_fields_of(market) for market in markets]
    return _json({"version": VERSION, "exchange": exchange.lower(), "markets": listed})


def decode(exchange: str, value: bytes) -> tuple[Market, ...] | None:
    """The markets of this exchange that were encoded; None for anything that is no listing of it in this version."""
    try:
        found = _reader().validate_json(value)
    except ValidationError:
        return None
    return found.markets if found.markets and found.exchange == exchange.lower() else None


def encode_precision(exchange: str, markets: Iterable[Market]) -> bytes:
    """How finely each market is traded, and its limits, as JSON."""
    found: dict[str, dict[str, Any]] = {}
    native_ids: dict[str, list[str]] = {}
    for market in markets:
        table = market.extra.get(PRICE_TICKS)
        found[market.ccxt_symbol] = {
            "native_id": market.native_id,
            "tradetype": market.tradetype,
            **{name: f"{value:f}" for name in _PRECISION if (value := getattr(market, name)) is not None},
            **({PRICE_TICKS: table} if table else {}),
        }
        native_ids.setdefault(market.native_id, []).append(market.ccxt_symbol)
    return _json({"version": VERSION, "exchange": exchange.lower(), "markets": found, "native_ids": native_ids})


def encode_supported(exchanges: dict[str, Any]) -> bytes:
    """The exchanges that can be asked, as JSON."""
    return _json({"version": VERSION, "exchanges": exchanges})


@dataclass(frozen=True, slots=True)
class _Listing:
    version: Literal[1]
    exchange: str
    markets: tuple[Market, ...]


@functools.cache
def _reader() -> TypeAdapter[_Listing]:
    return TypeAdapter(_Listing)


def _fields_of(market: Market) -> dict[str, Any]:
    values = {name: getattr(market, name) for name in _DEFAULTS}
    return {
        name: f"{value:f}" if isinstance(value, Decimal) else value
        for name, value in values.items()
        if name in _NEEDED or (value != _DEFAULTS[name] and value != {})
    }


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=dict).encode()
