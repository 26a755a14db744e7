"""How a wish for tickers, order books or trades is cut into calls, and what is asked in each. Pure.

Routes, parameters and limits: https://docs.upbit.com, "Quotation API".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from candle_hookspecs import Anchor, BadRequestError, FetchRequest, Kind, Span, Trade, iso

CANDLES: Final = "candles"
MARKETS: Final = "market"
TICKER: Final = "ticker"
ORDERBOOK: Final = "orderbook"
TRADES: Final = "trades"
"""The groups of limits."""

GROUPS: Final[Mapping[Kind, str]] = {
    Kind.CANDLES: CANDLES, Kind.TICKERS: TICKER, Kind.ORDERBOOKS: ORDERBOOK, Kind.TRADES: TRADES,
}  # fmt: skip

BATCH: Final = 100
"""Markets in one call. The exchange states no bound; so many names make an address of about a thousand characters."""
EVERYTHING: Final = "everything"
"""The token of the call for all tickers of whole quote markets."""
LEVELS: Final = 30
PAGE: Final = 500
"""Trades in one answer."""

DAY: Final = 86_400_000
DAYS_BACK: Final = 7
"""Trades are told of today and of so many days before, each day of UTC on its own."""


def split(request: FetchRequest) -> list[FetchRequest]:
    """The calls for tickers, order books or trades.

    Raises:
        BadRequestError: the oldest so many trades from a moment on, which only the newest can be counted of.
    """
    request = replace(request, costs={GROUPS[request.kind]: 1})
    if request.kind is Kind.TRADES:
        return [call for market in request.markets for call in _trades(replace(request, markets=(market,)))]
    if request.kind is Kind.ORDERBOOKS:
        request = replace(request, limit=min(request.limit or LEVELS, LEVELS))
    elif len(request.markets) > BATCH:
        # One call for all markets of a quote costs as much as one for a hundred of them.
        return [replace(request, token=EVERYTHING)]
    names = request.markets
    return [replace(request, markets=names[start : start + BATCH]) for start in range(0, len(names), BATCH)]


def named(request: FetchRequest) -> dict[str, str | int]:
    """The parameter with the markets."""
    return {"markets": ",".join(market.native_id for market in request.markets)}


def quotes(request: FetchRequest) -> dict[str, str | int]:
    """The parameter with the quote markets that the markets belong to, as the exchange writes them."""
    return {"quote_currencies": ",".join(sorted({one.native_id.partition("-")[0] for one in request.markets}))}


def _trades(request: FetchRequest) -> list[FetchRequest]:
    """One call for each day, at once: each day is asked for on its own anyway. With a limit the newest day goes first.

    Within a day the calls follow one upon another, by a cursor. At ten a second that is no slower than at once.
    """
    span = request.span
    if span is None:
        return [replace(request, anchor=Anchor.END)]
    if request.limit:
        if request.anchor is Anchor.START:
            raise BadRequestError(f"Upbit counts trades from the newest on, so anchor this at its end: {request!s}")
        return [request]
    days = range(span.start // DAY * DAY, span.end, DAY)
    parts = [Span(max(day, span.start), min(day + DAY, span.end)) for day in days]
    return [replace(request, span=part, anchor=Anchor.END) for part in parts]


def ticks(request: FetchRequest, now: int) -> dict[str, str | int]:
    """The query of one call for trades.

    Args:
        request: for its newest trades before the end of its span.
        now: the exchange's clock, UTC ms; it decides how many days ago a day is.

    Raises:
        BadRequestError: counted from the start, or of days that the exchange does not tell any more.
    """
    span, today = request.span, now // DAY
    query: dict[str, str | int] = {"market": request.market.native_id, "count": page_of(request)}
    if span is None:
        return query
    if request.anchor is not Anchor.END:
        raise BadRequestError(f"Upbit is asked for trades counted from the end of a span, not for {request!s}")
    earliest = (today - DAYS_BACK) * DAY
    if span.end <= earliest or (span.start < earliest and not request.limit):
        raise BadRequestError(
            f"Upbit tells trades of the last {DAYS_BACK} days; ask from {iso(earliest)} on, not for {request!s}"
        )
    day = min((span.end - 1) // DAY, today)
    if day < today:
        query["days_ago"] = today - day
    if request.token:
        query["cursor"] = request.token
    elif span.end < (day + 1) * DAY:
        # Whole seconds, rounded up; what that lets in besides is left out again.
        seconds = -(-span.end // 1000) % 86_400
        if seconds:
            query["to"] = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return query


def strayed(query: Mapping[str, str | int], trades: list[Trade], now: int) -> bool:
    """Whether an answer is of another day than today, which was asked for.

    Without ``days_ago`` the exchange tells the last day that traded. Where that is over, it has counted a time of day
    from the wrong midnight.
    """
    return "to" in query and "days_ago" not in query and bool(trades) and trades[-1].at < now // DAY * DAY


def page_of(request: FetchRequest) -> int:
    """How many trades a call asks for."""
    return min(request.limit, PAGE) if request.limit else PAGE


def kept(request: FetchRequest, trades: list[Trade]) -> list[Trade]:
    """Those of an answer that the call is about."""
    inside = [trade for trade in trades if request.span is None or trade.at in request.span]
    return inside[-request.limit :] if request.limit else inside


def rest(request: FetchRequest, trades: list[Trade], cursor: int | None, now: int) -> tuple[FetchRequest, ...]:
    """The call for what an answer had no room for: the older ones of the day or, where it has no more, the day before.

    Args:
        request: what was asked.
        trades: all that came, oldest first.
        cursor: the place behind which older ones are.
        now: the exchange's clock, UTC ms.
    """
    found = kept(request, trades)
    if request.span is None and not request.limit:
        return ()
    if request.limit and len(found) >= request.limit:
        return ()
    span = request.span or Span((now // DAY - DAYS_BACK) * DAY, now + 1)
    full = len(trades) >= page_of(request)
    if trades and full:
        end, token = trades[0].at + 1, str(cursor)
    else:
        newest = min(span.end - 1, now, *(trade.at for trade in trades[:1]))
        end, token = newest // DAY * DAY, ""
    if end <= span.start:
        return ()
    limit = request.limit - len(found) if request.limit else 0
    return (replace(request, span=Span(span.start, end), anchor=Anchor.END, limit=limit, token=token),)
