"""The markets of ccxt as ours.

Its numbers are floats of the exchange's decimals. The shortest text of a float is the decimal that it was made of, as
long as that had no more than fifteen digits, so steps and bounds are exact.
"""

import logging
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from candle_ccxt.describe import TRADETYPES
from candle_hookspecs import MalformedAnswerError, Market, MarketStatus

_log: Final = logging.getLogger("candle.ccxt")
_OURS: Final = {name: ours for ours, name in TRADETYPES.items()}
_EXTRA: Final = {"created": "created", "contractSize": "contract_size"}
"""ccxt's key → ours. How much a contract is: in coins of the base or, where it settles in that, in the quote."""
_DECIMAL_PLACES: Final = 2
_TICK_SIZE: Final = 4
"""Modes of precision (``ccxt.base.decimal_to_precision``). With significant digits, 3, a step depends on the price."""


def parse_all(found: Iterable[Mapping[str, Any]], exchange: str, mode: int) -> list[Market]:
    """Those of ccxt's markets that are of our kinds and have a name of their own. One that cannot be read is left out.

    Options and indices are not; nor is what has no pair yet (announced at OKX), or stands for another pair's prices
    under the exchange's name alone (synthetic at Kraken).

    Raises:
        MalformedAnswerError: none can be read.
    """
    read: list[Market] = []
    errors: list[MalformedAnswerError] = []
    for market in found:
        if market.get("type") in _OURS and _has_a_pair(market):
            try:
                read.append(parse(market, exchange, mode))
            except MalformedAnswerError as error:
                errors.append(error)
    if errors and not read:
        raise errors[0]
    for left_out in errors:
        _log.warning("left out of the markets of %s: %s", exchange, left_out)
    return read


def parse(market: Mapping[str, Any], exchange: str, mode: int) -> Market:
    """One market.

    Args:
        market: ccxt's structure.
        exchange: upper case.
        mode: what its ``precision`` means.

    Raises:
        MalformedAnswerError: it has no id, or a number that is none.
    """
    settle = market.get("settle") or ""
    try:
        precision, limits = market["precision"], market["limits"]
        coins = _coins(market)
        return Market(
            archetype="CRYPTO",
            exchange=exchange,
            tradetype=_OURS[market["type"]],
            base=market["base"],
            quote=market["quote"],
            contract=_contract(market),
            settle=settle,
            native_id=_id(market),
            ccxt_symbol=market["symbol"],
            status=_status(market.get("active")),
            price_tick=_step(precision.get("price"), mode),
            amount_step=_times(_step(precision.get("amount"), mode), coins),
            min_amount=_times(_bound(limits, "amount", "min"), coins),
            max_amount=_times(_bound(limits, "amount", "max"), coins),
            min_price=_bound(limits, "price", "min"),
            max_price=_bound(limits, "price", "max"),
            min_notional=_bound(limits, "cost", "min"),
            # When an entry was made is not when the market began to trade: candles may be older. So it proves nothing.
            extra={name: str(market[key]) for key, name in _EXTRA.items() if market.get(key)},
        )
    except (ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise MalformedAnswerError(
            f"the market {market.get('symbol')!r} has something that cannot be read: {type(error).__name__}: {error}"
        ) from error


def _contract(market: Mapping[str, Any]) -> str:
    """What tells a contract from others of the same pair: its expiry, and what it settles in where that is unusual."""
    settle, _, expiry = str(market["symbol"]).partition(":")[2].partition("-")
    unusual = settle if settle and settle != market.get("quote") else ""
    return "-".join(part for part in (unusual, expiry) if part)


def _coins(market: Mapping[str, Any]) -> Decimal | None:
    """How many coins of the base the unit of an amount is; None where that depends on the price, or nobody knows.

    Amounts of contracts are counted in contracts, by ccxt's convention.
    """
    if not market.get("contract"):
        return Decimal(1)
    size = market.get("contractSize")
    return Decimal(str(size)) if size and market.get("linear") else None


def _times(amount: Decimal | None, coins: Decimal | None) -> Decimal | None:
    return None if amount is None or coins is None else _plain(amount * coins)


def _status(active: bool | None) -> MarketStatus:
    """Whether it trades; ccxt does not tell a halt from an end."""
    if active is None:
        return MarketStatus.UNKNOWN
    return MarketStatus.TRADING if active else MarketStatus.HALTED


def _id(market: Mapping[str, Any]) -> str:
    if not market.get("id"):
        raise MalformedAnswerError(f"the market {market.get('symbol')!r} has no id")
    return str(market["id"])


def _has_a_pair(market: Mapping[str, Any]) -> bool:
    base, quote = market.get("base"), market.get("quote")
    return bool(base and quote) and str(market.get("symbol")).partition(":")[0] == f"{base}/{quote}"


def _step(value: Any, mode: int) -> Decimal | None:
    if value is None or mode not in (_DECIMAL_PLACES, _TICK_SIZE):
        return None
    return _plain(Decimal(1).scaleb(-int(value)) if mode == _DECIMAL_PLACES else Decimal(str(value)))


def _bound(limits: Mapping[str, Any], of: str, side: str) -> Decimal | None:
    value = (limits.get(of) or {}).get(side)
    return None if value is None else _plain(Decimal(str(value)))


def _plain(number: Decimal) -> Decimal | None:
    """The exact number without the zeros behind it; None for what is no rule: 0, less than that, or without an end."""
    return Decimal(f"{number.normalize():f}") if number.is_finite() and number > 0 else None
