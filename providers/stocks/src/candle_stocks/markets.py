"""A stock as a market, whoever told of it: a listing, or the chart of one ticker."""

from typing import Final

from candle_hookspecs import Market, MarketStatus
from candle_stocks.exchanges import ticker

TRADETYPE: Final = "SPOT"

KINDS: Final = ("EQUITY", "ETF")
"""What Yahoo calls shares and funds that trade like them; it has indices, currencies and funds without a market too."""


def market(
    exchange: str, native_id: str, suffix: str, *, quote: str, code: str, kind: str, listed: int | None, title: str
) -> Market:
    """The market of a stock that trades.

    Args:
        exchange: the name it is configured under, in any case.
        native_id: Yahoo's name of it, ``BRK-B`` or ``005930.KS``.
        suffix: what of that is Yahoo's ending.
        quote: the currency as Yahoo writes it: pence of London are ``GBp``.
        code: Yahoo's code of the exchange.
        kind: one of `KINDS`.
        listed: the first moment of trading, UTC ms.
        title: what people call it.
    """
    name = ticker(native_id, suffix)
    return Market(
        archetype="STOCK",
        exchange=exchange.upper(),
        tradetype=TRADETYPE,
        base=name,
        quote=quote,
        native_id=native_id,
        ccxt_symbol=name,
        status=MarketStatus.TRADING,
        listed=listed,
        title=title,
        extra={"yahoo_exchange": code, "kind": kind},
    )
