"""Markets from ``exchangeInfo``: one by a small parser of our own, all of them through ccxt's market metadata.

Importing ccxt takes a quarter of a second and tens of megabytes, too much for who wants one market. Both ways give
equal markets, and a test holds them to it.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from candle_binance.wire import beginning
from candle_hookspecs import MalformedAnswerError, Market, MarketStatus

TRADETYPE: Final = "SPOT"

STATUSES: Final[Mapping[str, MarketStatus]] = {
    "TRADING": MarketStatus.TRADING,
    "END_OF_DAY": MarketStatus.HALTED,
    "HALT": MarketStatus.HALTED,
    "CANCEL_ONLY": MarketStatus.HALTED,
    # A delisted market stays in the listing as BREAK for long, with its history.
    "BREAK": MarketStatus.CLOSED,
}

RENAMED: Final[Mapping[str, str]] = {"XBT": "BTC", "BCHSV": "BSV", "YOYO": "YOYOW"}
"""Assets that ccxt knows by another code than Binance."""

_NATIVE: Final = {code: asset for asset, code in RENAMED.items()}
_NAME: Final = re.compile(r"([^\s/:&?#]+)(?:/([^\s/:&?#]+))?")


def candidates(name: str) -> list[str]:
    """Native ids that a user may mean by a ccxt symbol (``BTC/USDT``) or a native id in any case."""
    match = _NAME.fullmatch(name.upper())
    if match is None:
        return []
    base, quote = match.groups()
    if quote is None:
        return [str(base)]
    return list(dict.fromkeys([base + quote, _NATIVE.get(base, base) + _NATIVE.get(quote, quote)]))


def listing(body: bytes) -> list[dict[str, Any]]:
    """The raw markets of an ``exchangeInfo`` body.

    Raises:
        MalformedAnswerError: it is none.
    """
    return _decode(body).symbols


def weight_limit(body: bytes) -> float | None:
    """The weight that may be spent in a minute, as an ``exchangeInfo`` body says; None where it does not.

    Raises:
        MalformedAnswerError: it is none.
    """
    rates = _decode(body).rateLimits
    minute = ("REQUEST_WEIGHT", "MINUTE", 1)
    return next((one.limit for one in rates if (one.rateLimitType, one.interval, one.intervalNum) == minute), None)


def parse(raw: Mapping[str, Any], exchange: str) -> Market:
    """One market by our own reading.

    Raises:
        MalformedAnswerError: a field is missing or is no number.
    """
    try:
        base, quote = _code(raw["baseAsset"]), _code(raw["quoteAsset"])
        filters = {one["filterType"]: one for one in raw["filters"]}
        price, lot = filters.get("PRICE_FILTER", {}), filters.get("LOT_SIZE", {})
        notional = filters.get("MIN_NOTIONAL") or filters.get("NOTIONAL") or {}
        return Market(
            archetype="CRYPTO",
            exchange=exchange,
            tradetype=TRADETYPE,
            base=base,
            quote=quote,
            native_id=raw["symbol"],
            ccxt_symbol=f"{base}/{quote}",
            status=STATUSES.get(raw["status"], MarketStatus.UNKNOWN),
            price_tick=_decimal(price.get("tickSize")),
            amount_step=_decimal(lot.get("stepSize")),
            min_amount=_decimal(lot.get("minQty")),
            max_amount=_decimal(lot.get("maxQty")),
            min_price=_decimal(price.get("minPrice")),
            max_price=_decimal(price.get("maxPrice")),
            min_notional=_decimal(notional.get("minNotional")),
            extra={"status": raw["status"]},
        )
    except (KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise MalformedAnswerError(f"not a market, {error!r}: {beginning(raw)}") from error


def parse_all(body: bytes, exchange: str) -> list[Market]:
    """All markets of an ``exchangeInfo`` body, read by ccxt. It blocks: run it in a worker thread.

    Raises:
        MalformedAnswerError: it is no listing.
    """
    import ccxt

    # With Decimal for its numbers the ticks stay exact. The options are what its own listing fetches first.
    options: dict[str, list[str]] = {"crossMarginPairsData": [], "isolatedMarginPairsData": []}
    reader = ccxt.binance({"number": Decimal, "options": options})
    return [_from_ccxt(reader.parse_market(raw), exchange) for raw in _complete(listing(body))]


def _from_ccxt(found: Mapping[str, Any], exchange: str) -> Market:
    precision, limits, status = found["precision"], found["limits"], found["info"]["status"]
    return Market(
        archetype="CRYPTO",
        exchange=exchange,
        tradetype=TRADETYPE,
        base=found["base"],
        quote=found["quote"],
        native_id=found["id"],
        ccxt_symbol=found["symbol"],
        status=STATUSES.get(status, MarketStatus.UNKNOWN),
        price_tick=_decimal(precision["price"]),
        amount_step=_decimal(precision["amount"]),
        min_amount=_decimal(limits["amount"]["min"]),
        max_amount=_decimal(limits["amount"]["max"]),
        min_price=_decimal(limits["price"]["min"]),
        max_price=_decimal(limits["price"]["max"]),
        min_notional=_decimal(limits["cost"]["min"]),
        extra={"status": status},
    )


def _complete(raws: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Refuse what ccxt would read as None: a market without a name would be listed under that."""
    for raw in raws:
        for key in ("symbol", "status", "baseAsset", "quoteAsset", "filters"):
            if not raw.get(key):
                raise MalformedAnswerError(f"a market has no {key!r}: {beginning(raw)}")
        yield raw


def _code(asset: str) -> str:
    return RENAMED.get(asset.upper(), asset.upper())


def _decimal(value: str | Decimal | None) -> Decimal | None:
    """The exact number, without the zeros behind it; None for 0, which is how Binance switches a rule off."""
    number = Decimal(value or 0)
    return Decimal(f"{number.normalize():f}") if number else None


class _Rate(msgspec.Struct):
    rateLimitType: str  # noqa: N815 - the wire's own names, here and below
    interval: str
    intervalNum: int  # noqa: N815
    limit: float


class _ExchangeInfo(msgspec.Struct):
    symbols: list[dict[str, Any]]
    rateLimits: list[_Rate] = []  # noqa: N815


def _decode(body: bytes) -> _ExchangeInfo:
    try:
        return msgspec.json.decode(body, type=_ExchangeInfo)
    except msgspec.MsgspecError as error:
        raise MalformedAnswerError(f"not an exchangeInfo: {error}; the answer begins {beginning(body)}") from error
