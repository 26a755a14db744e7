"""One answer out of many, checked by what each kind of data must be. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from candle_hookspecs import Level, MalformedAnswerError, Market, OrderBook, Span, Ticker, Trade, iso

_PLACES: Final = 40
"""No price or amount is as long as this, before or behind its point; a larger exponent would fill the memory."""
_NUMBERS: Final = (
    "last", "open", "high", "low", "bid", "bid_amount", "ask", "ask_amount", "volume", "quote_volume",
)  # fmt: skip
"""Of a ticker."""


def sound_ticker(ticker: Ticker) -> Ticker:
    """The same.

    Raises:
        MalformedAnswerError: it has no last price, or something in it is no number.
    """
    for name in _NUMBERS:
        value = getattr(ticker, name)
        if not (_is_number(value) or (value is None and name != "last")):
            raise MalformedAnswerError(f"{name!r} of the ticker of {ticker.market.ccxt_symbol!r} is {value!r}")
    return ticker


def newest_tickers(tickers: Iterable[Ticker]) -> dict[Market, Ticker]:
    """Of each market the ticker that was true last; of two of one moment the one that came later."""
    newest: dict[Market, Ticker] = {}
    for ticker in tickers:
        known = newest.get(ticker.market)
        if known is None or known.at <= ticker.at:
            newest[ticker.market] = ticker
    return newest


def tidy_book(book: OrderBook, depth: int | None = None) -> OrderBook:
    """Both sides with the best price first, cut to `depth` levels.

    Raises:
        MalformedAnswerError: a price comes twice on a side, something is no number, an amount is not above zero, or the
            best bid is not below the best ask.
    """
    bids = _side(book, book.bids, highest_first=True)
    asks = _side(book, book.asks, highest_first=False)
    if bids and asks and bids[0].price >= asks[0].price:
        raise MalformedAnswerError(
            f"the order book of {book.market.ccxt_symbol!r} is crossed: {bids[0].price} bid, {asks[0].price} asked"
        )
    return replace(book, bids=bids[:depth], asks=asks[:depth])


def _side(book: OrderBook, levels: Sequence[Level], *, highest_first: bool) -> tuple[Level, ...]:
    name = book.market.ccxt_symbol
    if wrong := [level for level in levels if not (_is_number(level.price) and _is_number(level.amount))]:
        raise MalformedAnswerError(f"a level of the order book of {name!r} is {wrong[0]!r}")
    ordered = tuple(sorted(levels, key=lambda level: level.price, reverse=highest_first))
    if len({level.price for level in ordered}) < len(ordered):
        raise MalformedAnswerError(f"a price comes twice in the order book of {name!r}")
    if any(level.amount <= 0 for level in ordered):
        raise MalformedAnswerError(f"an amount is not above zero in the order book of {name!r}")
    return ordered


def unite_trades(pages: Iterable[Sequence[Trade]], market: Market, span: Span | None = None) -> tuple[Trade, ...]:
    """All trades in order of time and id, each once.

    Args:
        pages: in any order; they may overlap.
        market: whose trades all of them must be.
        span: where all of them must lie; None: anywhere.

    Raises:
        MalformedAnswerError: two trades of one id that differ, one outside the span, of another market, or with a price
            or amount that is no number.
    """
    known: dict[str, Trade] = {}
    for trade in (trade for page in pages for trade in page):
        if trade.market is not market and trade.market != market:
            raise MalformedAnswerError(
                f"a trade of {trade.market.ccxt_symbol!r} came in the answer for {market.ccxt_symbol!r}"
            )
        if not (_is_number(trade.price) and _is_number(trade.amount)):
            raise MalformedAnswerError(
                f"the trade {trade.id!r} of {market.ccxt_symbol!r} is {trade.amount!r} at {trade.price!r}"
            )
        if span is not None and trade.at not in span:
            raise MalformedAnswerError(f"the trade {trade.id!r} of {iso(trade.at)} lies outside {span!s}")
        if (other := known.setdefault(trade.id, trade)) != trade:
            raise MalformedAnswerError(
                f"the trade {trade.id!r} of {market.ccxt_symbol!r} came twice, and not the same: "
                f"{_what(other)}, then {_what(trade)}"
            )
    return tuple(sorted(known.values(), key=_time_and_id))


def _what(trade: Trade) -> str:
    return f"{trade.amount} at {trade.price}, {iso(trade.at)}"


def _is_number(value: Any) -> bool:
    """Whether this can be a price or an amount."""
    if not isinstance(value, Decimal) or not value.is_finite() or value < 0:
        return False
    return not value or abs(value.adjusted()) <= _PLACES


def _time_and_id(trade: Trade) -> tuple[int, int, int, str]:
    """Numbers compare as numbers, and stand before other texts."""
    number = (0, int(trade.id)) if trade.id.isdecimal() else (1, 0)
    return (trade.at, *number, trade.id)
