"""Markets from ``GET /v1/market/all``.

Upbit says nothing of dates, and a delisted market is not in the list any more.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from candle_hookspecs import PRICE_TICKS, MalformedAnswerError, Market, MarketStatus
from candle_upbit import ticks
from candle_upbit.wire import beginning

TRADETYPE: Final = "SPOT"

RENAMED: Final[Mapping[str, str]] = {"TON": "Tokamak Network", "XBT": "BTC", "BCHSV": "BSV"}
"""Assets that ccxt knows by another code: what Upbit calls TON is not what all others do."""


class _Event(msgspec.Struct):
    warning: bool = False
    caution: dict[str, bool] = msgspec.field(default_factory=dict)


class _Listed(msgspec.Struct):
    market: str
    korean_name: str = ""
    english_name: str = ""
    market_event: _Event = msgspec.field(default_factory=_Event)


_decoder: Final = msgspec.json.Decoder(list[_Listed])


def parse_all(body: bytes, exchange: str) -> list[Market]:
    """Every market of the listing.

    Raises:
        MalformedAnswerError: it is no listing, or a market is not called QUOTE-BASE.
    """
    try:
        found = _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise MalformedAnswerError(f"not a listing: {error}; the answer begins {beginning(body)}") from error
    return [_market(one, exchange) for one in found]


def _market(listed: _Listed, exchange: str) -> Market:
    quote, dash, base = listed.market.partition("-")
    if not (quote and dash and base):
        raise MalformedAnswerError(f"a market is called {listed.market!r}, not QUOTE-BASE")
    table = ticks.tick_table(quote, base)
    base, quote = RENAMED.get(base, base), RENAMED.get(quote, quote)
    cautions = [name for name, on in sorted(listed.market_event.caution.items()) if on]
    return Market(
        archetype="CRYPTO",
        exchange=exchange,
        tradetype=TRADETYPE,
        base=base,
        quote=quote,
        native_id=listed.market,
        ccxt_symbol=f"{base}/{quote}",
        status=MarketStatus.TRADING,
        min_notional=ticks.MIN_NOTIONAL.get(quote),
        title=listed.korean_name or listed.english_name,
        extra={
            "english_name": listed.english_name,
            PRICE_TICKS: "" if table is None else str(table),
            "warning": str(listed.market_event.warning).lower(),
            "caution": " ".join(cautions),
        },
    )
