"""One answer out of many, checked by what each kind of data must be. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from candle_hookspecs import Level, MalformedAnswerError, Market, OrderBook, Span, Ticker, Trade, iso


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
        MalformedAnswerError: a price comes twice on a side, an amount is not above zero, or the best bid is not below
            the best ask.
    """
    bids = _side(book, book.bids, highest_first=True)
    asks = _side(book, book.asks, highest_first=False)
    if bids and asks and bids[0].price >= asks[0].price:
        raise MalformedAnswerError(
            f"the order book of {book.market.ccxt_symbol!r} is crossed: {bids[0].price} bid, {asks[0].price} asked"
        )
    return replace(book, bids=bids[:depth], asks=asks[:depth])


def _side(book: OrderBook, levels: Sequence[Level], *, highest_first: bool) -> tuple[Level, ...]:
    ordered = tuple(sorted(levels, key=lambda level: level.price, reverse=highest_first))
    if len({level.price for level in ordered}) < len(ordered):
        raise MalformedAnswerError(f"a price comes twice in the order book of {book.market.ccxt_symbol!r}")
    if any(level.amount <= 0 for level in ordered):
        raise MalformedAnswerError(f"an amount is not above zero in the order book of {book.market.ccxt_symbol!r}")
    return ordered


def unite_trades(pages: Iterable[Sequence[Trade]], span: Span | None = None) -> tuple[Trade, ...]:
    """All trades in order of time and id, each once.

    Args:
        pages: in any order; they may overlap.
        span: where all of them must lie; None: anywhere.

    Raises:
        MalformedAnswerError: two trades of one id that differ, one outside the span, or of another market.
    """
    known: dict[str, Trade] = {}
    for trade in (trade for page in pages for trade in page):
        if span is not None and trade.at not in span:
            raise MalformedAnswerError(f"the trade {trade.id!r} of {iso(trade.at)} lies outside {span!s}")
        if known.setdefault(trade.id, trade) != trade:
            raise MalformedAnswerError(f"the trade {trade.id!r} came twice, and not the same: {trade!r}")
    if len({trade.market for trade in known.values()}) > 1:
        raise MalformedAnswerError("trades of several markets came in the answers for one")
    return tuple(sorted(known.values(), key=_time_and_id))


def _time_and_id(trade: Trade) -> tuple[int, int, int, str]:
    """Numbers compare as numbers, and stand before other texts."""
    number = (0, int(trade.id)) if trade.id.isdecimal() else (1, 0)
    return (trade.at, *number, trade.id)
