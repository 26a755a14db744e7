"""What Yahoo tells of many stocks at this moment.

``GET /v7/finance/quote?symbols=AAPL,MSFT&formatted=false&lang=en-US&region=US`` with cookie and crumb answers an object
for each name that it knows, in no promised order, and leaves the others out. Route and parameters are those of yfinance
(``scrapers/quote.py``, ``Quote._fetch_additional_info``). Seen in answers that others published: prices are the
shortest decimals of float32 numbers, a bid or ask of 0 is none, a ticker that died may come without any price. Sizes of
bid and ask are lots, of which nobody says how many shares they are; so they are left out here.
"""

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Final, TypeAlias

import msgspec

from candle_hookspecs import (
    BadRequestError,
    FetchRequest,
    MalformedAnswerError,
    Market,
    MarketGoneError,
    Page,
    Span,
    Ticker,
)
from candle_stocks.calendars import Calendar
from candle_stocks.intervals import DAY
from candle_stocks.yahoo.errors import beginning
from candle_stocks.yahoo.session import Yahoo

MOST: Final = 99
"""Most stocks of one call. Since March 2025 more of them fail, as the users of quantmod found, who ask for no more than
99 at once since (joshuaulrich/quantmod, pull request 433). Yahoo documents nothing."""

_ROUTE: Final = "/v7/finance/quote"
_PARAMETERS: Final = {"formatted": "false", "lang": "en-US", "region": "US"}
_LEAD: Final = 12 * DAY
"""No exchange closes for longer."""
_PLACES: Final = 40
"""No number of a quote has an exponent so large; written out, one of nine digits would fill the memory."""
_LATE: Final = DAY // 2
"""A last trade so long after a session is not of it, but of one that the calendar lacks."""

Seconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=10**10)]


class Quote(msgspec.Struct, rename="camel", gc=False):
    """What is kept of a stock: its last session so far, without what trades before and after. The time is UTC."""

    symbol: str
    currency: str | None = None
    regular_market_time: Seconds | None = None
    regular_market_price: Decimal | None = None
    regular_market_open: Decimal | None = None
    regular_market_day_high: Decimal | None = None
    regular_market_day_low: Decimal | None = None
    regular_market_volume: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None


class _Response(msgspec.Struct, rename="camel"):
    result: list[Quote]


class _Body(msgspec.Struct, rename="camel"):
    quote_response: _Response


_decoder: Final = msgspec.json.Decoder(_Body)


def parse(body: bytes) -> list[Quote]:
    """The quotes in the body of an answer; their numbers are just those of its text, never floats. Pure.

    Raises:
        MalformedAnswerError: it holds none.
    """
    try:
        return _decoder.decode(body).quote_response.result
    except (msgspec.MsgspecError, ValueError) as error:
        raise MalformedAnswerError(f"no quotes: {error}; the answer begins {beginning(body)}") from error


def ticker(quote: Quote, market: Market, *, at: int, since: int | None = None) -> Ticker | None:
    """The quote as the state of its market; None where it has no price. Pure.

    Args:
        quote: as Yahoo tells it.
        market: the one it is of.
        at: when it was so, UTC ms.
        since: when the session that it tells of began, UTC ms.
    """
    last = _price(quote.regular_market_price)
    if last is None:
        return None
    return Ticker(
        market=market,
        at=at,
        since=since,
        last=last,
        open=_price(quote.regular_market_open),
        high=_price(quote.regular_market_day_high),
        low=_price(quote.regular_market_day_low),
        bid=_price(quote.bid),
        ask=_price(quote.ask),
        volume=_number(quote.regular_market_volume),
    )


class QuoteSource:
    """Tickers, up to `MOST` by one request.

    Args:
        yahoo: who is asked.
        calendar: when the session of a quote began; Yahoo does not say it.
        logger: learns of quotes that cannot be those of their market.
    """

    def __init__(self, yahoo: Yahoo, calendar: Calendar, logger: logging.Logger) -> None:
        self._yahoo, self._calendar, self._logger = yahoo, calendar, logger

    def page(self, request: FetchRequest) -> Page:
        """The tickers of the markets asked for, in their order; none for one that Yahoo does not know.

        One request, and two more, for cookie and crumb, the first time or when they are worn out.

        Raises:
            BadRequestError: more than `MOST` markets. MarketGoneError: the only one is not known.
            ProviderError: any other of its children.
        """
        markets = request.markets
        if not 0 < len(markets) <= MOST:
            raise BadRequestError(f"Yahoo tells 1 to {MOST} tickers at once, not {len(markets)}; let candle_split cut")
        names = ",".join(market.native_id for market in markets)
        with self._yahoo.prepaid():
            answer = self._yahoo.get(_ROUTE, {"symbols": names, **_PARAMETERS}, crumb=True)
        tickers = self._tickers(parse(answer.body), markets, answer.moment)
        if not tickers and len(markets) == 1:
            raise MarketGoneError(f"Yahoo knows no price of {names!r} (delisted, renamed, or never listed)")
        return Page(request=request, answered_at=answer.moment, tickers=tickers, size=answer.size)

    def _tickers(self, quotes: Sequence[Quote], markets: Sequence[Market], moment: int) -> list[Ticker]:
        told = {quote.symbol.upper(): quote for quote in quotes}
        pairs = [(told.get(market.native_id.upper()), market) for market in markets]
        found = [self._ticker(quote, market, moment) for quote, market in pairs if quote is not None]
        return [one for one in found if one is not None]

    def _ticker(self, quote: Quote, market: Market, moment: int) -> Ticker | None:
        at = moment if quote.regular_market_time is None else quote.regular_market_time * 1000
        found = ticker(quote, market, at=at, since=self._since(at))
        if found is not None and quote.currency != market.quote:
            # The failure of this market alone: the others of the answer are sound.
            self._logger.warning(
                "Yahoo quotes %r in %r, not in %r: left out", market.native_id, quote.currency, market.quote
            )
            return None
        return found

    def _since(self, at: int) -> int | None:
        """When the session began in which, or shortly after which, something was so."""
        sessions = self._calendar.sessions(Span(max(at - _LEAD, 0), at + 1))
        if not sessions or at >= sessions[-1].span.end + _LATE:
            return None
        return sessions[-1].span.start


def _price(told: Decimal | None) -> Decimal | None:
    """Zero is how Yahoo says that there is none."""
    return _number(told) or None


def _number(told: Decimal | None) -> Decimal | None:
    """The same number without exponent and without zeros at its end: 70000 for ``7.0E4`` and ``70000.0``."""
    if told is None or not told.is_finite() or told < 0 or abs(told.adjusted()) > _PLACES:
        return None
    text = f"{told:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)
