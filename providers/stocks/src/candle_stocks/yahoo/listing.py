"""All stocks of an exchange, through Yahoo's screener.

``POST /v1/finance/screener`` answers one page of what a query finds, in an order that we choose, and tells the total.
Between two pages a stock may be listed or delisted, which moves all that come behind it. So a page begins with the last
one of the page before: where that is found again nothing was skipped, and where it is not, the walk steps back.
The form of the request is that of yfinance (``screener/screener.py``). Seen, though nowhere documented: at most 250 at
once, else status 400, and beyond an offset of about 10,000 the same stocks again.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from candle_hookspecs import ConfigError, MalformedAnswerError, Market
from candle_stocks.exchanges import Exchange
from candle_stocks.markets import KINDS, market
from candle_stocks.yahoo.errors import beginning
from candle_stocks.yahoo.session import Yahoo

PAGE: Final = 250
"""Most stocks of a page."""

_URL: Final = "https://query1.finance.yahoo.com/v1/finance/screener"
_PARAMETERS: Final = {"corsDomain": "finance.yahoo.com", "formatted": "false", "lang": "en-US", "region": "US"}
_FRUITLESS: Final = 3
"""Pages of a walk that may bring nothing new."""


class Quote(msgspec.Struct, rename="camel"):
    """What is kept of a stock. `first_trade_date_milliseconds`: UTC."""

    symbol: str
    exchange: str = ""
    currency: str = ""
    long_name: str | None = None
    short_name: str | None = None
    first_trade_date_milliseconds: int | None = None


class Page(msgspec.Struct):
    """Stocks `start` ≤ number < `start` + len(quotes) of `total`."""

    start: int
    total: int
    quotes: list[Quote]


class _Finance(msgspec.Struct):
    result: list[Page]


class _Body(msgspec.Struct):
    finance: _Finance


_decoder: Final = msgspec.json.Decoder(_Body)


def listing(yahoo: Yahoo, exchange: Exchange, name: str) -> list[Market]:
    """Shares and exchange-traded funds of all boards of an exchange, each once.

    Those of which Yahoo does not say the currency, shells without a market, are left out. Blocks.

    Args:
        yahoo: who is asked.
        exchange: its region and codes.
        name: what the exchange is configured under.

    Raises:
        ConfigError: the region or a code is none of those that Yahoo has.
        MalformedAnswerError: no listing, or one that does not come to its end.
        ProviderError: see `Yahoo`.
    """
    check(exchange, name)
    found: dict[str, Market] = {}
    for kind in KINDS:
        for quote in walk(partial(_ask, yahoo, kind, _query(kind, exchange))):
            if one := market_of(quote, kind, exchange, name):
                found[one.native_id] = one
    return list(found.values())


def market_of(quote: Quote, kind: str, exchange: Exchange, name: str) -> Market | None:
    """The market of a stock; None where Yahoo does not say the currency, or names a board that was not asked for."""
    suffix = exchange.codes.get(quote.exchange)
    if suffix is None or not quote.currency:
        return None
    return market(
        name, quote.symbol, suffix, quote=quote.currency, code=quote.exchange, kind=kind,
        listed=quote.first_trade_date_milliseconds, title=quote.long_name or quote.short_name or "",
    )  # fmt: skip


def check(exchange: Exchange, name: str) -> None:
    """Compare region and codes with those that yfinance knows.

    Raises:
        ConfigError: one is unknown; the message names it and those there are.
    """
    from yfinance.const import EQUITY_SCREENER_EQ_MAP

    regions: Mapping[str, Any] = EQUITY_SCREENER_EQ_MAP["exchange"]
    if exchange.region not in regions:
        raise ConfigError(
            f"[providers.{name}] region {exchange.region!r} is none that Yahoo has; "
            f"take one of {', '.join(sorted(regions))}"
        )
    known = sorted(regions[exchange.region])
    unknown = [code for code in exchange.codes if code not in known]
    if unknown or not exchange.codes:
        raise ConfigError(
            f"[providers.{name}] codes {unknown!r} are none that Yahoo has in region {exchange.region!r}; "
            f"take some of {', '.join(known)}"
        )


def parse(body: bytes) -> Page:
    """The page in the body of an answer.

    Raises:
        MalformedAnswerError: it is none.
    """
    try:
        (page,) = _decoder.decode(body).finance.result
    except (msgspec.MsgspecError, ValueError) as error:
        raise MalformedAnswerError(f"not a listing: {error}; the answer begins {beginning(body)}") from error
    return page


def walk(ask: Callable[[int], Page]) -> list[Quote]:
    """Every stock that is there from the first page to the last, each once.

    Args:
        ask: the page from an offset on, in an order that stays, whatever comes and goes.

    Raises:
        MalformedAnswerError: pages bring nothing new before the end, or the end moves away.
    """
    found: dict[str, Quote] = {}
    offset = fruitless = pages = most = 0
    while fruitless <= _FRUITLESS:
        page = ask(offset)
        pages, most = pages + 1, most or 2 * (page.total // PAGE) + _FRUITLESS + 1
        new = {quote.symbol: quote for quote in page.quotes if quote.symbol not in found}
        if found and offset and not any(quote.symbol in found for quote in page.quotes):
            # All that we know moved to the front, or is gone: what lies between is not known.
            offset, fruitless = max(offset - PAGE // 2, 0), fruitless + 1
            continue
        found |= new
        if page.start + len(page.quotes) >= page.total and (new or len(found) >= page.total):
            return list(found.values())
        if fruitless == _FRUITLESS and not new and offset == page.start == page.total - len(page.quotes):
            return list(found.values())  # the end, as often as it is asked for; others have come before it meanwhile
        if pages >= most:
            raise MalformedAnswerError(f"the listing grows while it is read: {len(found)} of {page.total} so far")
        if new:
            offset = page.start + max(len(page.quotes) - 1, 1)
        else:
            fruitless += 1
    raise MalformedAnswerError(
        f"the listing brings nothing new after {len(found)} stocks, at {offset}; "
        "Yahoo tells of at most some 10,000, so take fewer codes"
    )


def _query(kind: str, exchange: Exchange) -> Mapping[str, Any]:
    from yfinance import EquityQuery, ETFQuery

    make = EquityQuery if kind == "EQUITY" else ETFQuery
    whole = make("and", [make("eq", ["region", exchange.region]), make("is-in", ["exchange", *exchange.codes])])
    told: Mapping[str, Any] = whole.to_dict()
    return told


def _ask(yahoo: Yahoo, kind: str, query: Mapping[str, Any], offset: int) -> Page:
    body = {
        "offset": offset, "size": PAGE, "count": PAGE, "sortField": "ticker", "sortType": "ASC", "quoteType": kind,
        "query": query, "userId": "", "userIdType": "guid",
    }  # fmt: skip
    return parse(yahoo.post(_URL, _PARAMETERS, body).body)
