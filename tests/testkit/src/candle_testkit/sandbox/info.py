"""Binance spot's ``exchangeInfo``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from candle_testkit.sandbox.limits import Limits
from candle_testkit.sandbox.market import Market
from candle_testkit.sandbox.wire import Params, WireError, array_text, compact, decimal

PARAMS: Final = ("symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus")
STATUSES: Final = ("TRADING", "HALT", "BREAK")
_PERMISSIONS: Final = ("SPOT", "MARGIN", "LEVERAGED")
_LARGEST: Final = decimal(9_000_000 * 100_000_000)


def exchange_info(params: Params, markets: Mapping[str, Market], limits: Limits, now: int) -> tuple[str, str]:
    """The body in two parts, around ``serverTime``: markets that are not listed yet at ``now`` are left out.

    Raises:
        WireError: As Binance answers; an unknown symbol fails the whole request.
    """
    listed = {name: market for name, market in markets.items() if market.config.listed_ms <= now}
    names = params.symbols(listed)
    status, wanted = params.text("symbolStatus"), _permissions(params)
    if names is not None and (status or wanted):
        raise WireError(-1128, "Combination of optional parameters invalid.")
    if status is not None and status not in STATUSES:
        raise WireError(-1122, "Invalid symbolStatus.")
    chosen = listed.values() if names is None else [listed[name] for name in names]
    shown = params.flag("showPermissionSets", True)
    symbols = array_text(
        _symbol_text(market, market.config.status_at(now), shown)
        for market in chosen
        if (status is None or market.config.status_at(now) == status)
        and (wanted is None or wanted.intersection(market.config.permissions))
    )
    rates = [
        _rate("REQUEST_WEIGHT", "MINUTE", 1, limits.weight or 6000),
        _rate("ORDERS", "SECOND", 10, 100),
        _rate("ORDERS", "DAY", 1, 200_000),
        _rate("RAW_REQUESTS", "MINUTE", 5, 300_000),
    ]
    return (
        '{"timezone":"UTC","serverTime":',
        f',"rateLimits":{compact(rates)},"exchangeFilters":[],"symbols":{symbols}}}',
    )


def _permissions(params: Params) -> set[str] | None:
    text = params.text("permissions")
    if text is None:
        return None
    try:
        names = json.loads(text) if text.startswith("[") else [text]
    except json.JSONDecodeError:
        names = []
    if not names or any(name not in _PERMISSIONS for name in names):
        raise WireError(-1130, "Data sent for parameter 'permissions' is not valid.")
    return set(names)


def _rate(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


@lru_cache(maxsize=16_384)
def _symbol_text(market: Market, status: str, show_permissions: bool) -> str:
    config = market.config
    tick, step = decimal(config.tick_units), decimal(config.step_units)
    return compact({
        "symbol": config.symbol, "status": status,
        "baseAsset": config.base, "baseAssetPrecision": 8,
        "quoteAsset": config.quote, "quotePrecision": 8, "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
        "orderTypes": [
            "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
        ],
        "icebergAllowed": True, "ocoAllowed": True, "otoAllowed": True, "opoAllowed": True,
        "quoteOrderQtyMarketAllowed": True, "allowTrailingStop": False, "cancelReplaceAllowed": False,
        "amendAllowed": False, "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": True, "isMarginTradingAllowed": "MARGIN" in config.permissions,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": _LARGEST, "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": _LARGEST, "stepSize": step},
            {
                "filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True,
                "maxNotional": _LARGEST, "applyMaxToMarket": False, "avgPriceMins": 5,
            },
        ],
        "permissions": [],
        **({"permissionSets": [list(config.permissions)]} if show_permissions else {}),
        "defaultSelfTradePreventionMode": "NONE", "allowedSelfTradePreventionModes": ["NONE"],
    })  # fmt: skip
