"""Trades by their numbers, which have no gaps: once two of them are known, all others are asked for at once.

The first call goes by time, from one end of the span; its answer gives the number of a trade. If the span reaches on, a
second call from the other end gives the other number, and what lies between is cut by numbers into full pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from candle_binance.calls import TRADES
from candle_hookspecs import Anchor, FetchRequest, Trade

_LAST: Final = 2**62
"""A number that no trade will have."""
_STRETCH: Final = 64
"""Pages laid out at a time, so that a year of trades is no long list: the last call of them leaves a rest again."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Which trades a call is about: from `first` to `last`, both inclusive; `exact`: asked for by number."""

    first: int = 0
    last: int = _LAST
    exact: bool = False

    @classmethod
    def read(cls, token: str) -> "Numbers":
        """What `token` wrote; everything for an empty token."""
        if not token:
            return cls()
        way, first, last = token.split()
        return cls(int(first), int(last), way == "numbers")

    @property
    def token(self) -> str:
        """For `FetchRequest.token`."""
        return f"{'numbers' if self.exact else 'between'} {self.first} {self.last}"

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last


def parameters(request: FetchRequest) -> Mapping[str, str | int]:
    """The query of one call. Times are inclusive on the wire; a number and a time cannot be named together."""
    numbers, span = Numbers.read(request.token), request.span
    query: dict[str, str | int] = {"symbol": request.market.native_id, "limit": page_of(request)}
    if numbers.exact:
        query["fromId"] = numbers.first
    elif span is not None and request.anchor is Anchor.START:
        query["startTime"] = max(0, span.start)
    elif span is not None:
        query["endTime"] = span.end - 1
    return query


def page_of(request: FetchRequest) -> int:
    """How many trades a call asks for. One that looks for the other number takes all it can get."""
    numbers = Numbers.read(request.token)
    if numbers.exact:
        return min(numbers.last - numbers.first + 1, TRADES)
    return min(request.limit, TRADES) if request.limit and not request.token else TRADES


def kept(request: FetchRequest, found: list[tuple[int, Trade]]) -> list[Trade]:
    """Those of an answer that the call is about."""
    numbers, span = Numbers.read(request.token), request.span
    return [trade for number, trade in found if number in numbers and (span is None or trade.at in span)]


def rest(request: FetchRequest, found: list[tuple[int, Trade]]) -> tuple[FetchRequest, ...]:
    """The calls for what an answer had no room for."""
    numbers, span = Numbers.read(request.token), request.span
    if numbers.exact:
        return _pages(request, replace(numbers, first=numbers.first + TRADES))
    if len(found) < page_of(request) or (span is None and not request.limit):
        return ()
    (first, oldest), (last, newest) = found[0], found[-1]
    forward = span is not None and request.anchor is Anchor.START
    if span is not None and (newest.at >= span.end if forward else oldest.at < span.start):
        return ()
    wanted = request.limit - len(found) if request.limit and not request.token else _LAST
    if wanted <= 0:
        return ()
    if forward:
        left = Numbers(max(numbers.first, last + 1), min(numbers.last, last + wanted))
    else:
        left = Numbers(max(numbers.first, first - wanted), min(numbers.last, first - 1))
    if left.first > left.last:
        return ()
    limit = left.last - left.first + 1 if request.limit else 0
    if span is None or request.token:
        return _pages(request, left)
    other = Anchor.END if forward else Anchor.START
    return (replace(request, anchor=other, limit=limit, token=left.token),)


def _pages(request: FetchRequest, left: Numbers) -> tuple[FetchRequest, ...]:
    """Calls by number, full pages but for the last; where there are very many, that one stands for all the others."""
    starts = range(left.first, left.last + 1, TRADES)
    ends = [start + TRADES - 1 for start in starts[: _STRETCH - 1]]
    parts = [
        Numbers(start, min(end, left.last), exact=True)
        for start, end in zip(starts[:_STRETCH], [*ends, left.last], strict=False)
    ]
    return tuple(replace(request, limit=part.last - part.first + 1, token=part.token) for part in parts)
