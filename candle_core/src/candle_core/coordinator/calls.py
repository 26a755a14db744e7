"""Sending: so many calls at once, each under the exchange's limits, and again where that may help."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from candle_core.groups import halves
from candle_core.kernel import Kernel
from candle_core.provider import Provider
from candle_core.retry import with_retries
from candle_hookspecs import (
    CandleError,
    FetchRequest,
    MalformedAnswerError,
    Market,
    MarketGoneError,
    Page,
    ProviderError,
)

_Answer = TypeVar("_Answer")

Read = Callable[[Page], dict[Market, _Answer | MalformedAnswerError]]
"""What a page holds of each market, checked; an error in the place of what cannot be true."""


class Calls:
    """The calls of one request.

    Args:
        provider: whom to ask.
        most: calls under way at once.
    """

    def __init__(self, kernel: Kernel, provider: Provider, most: int) -> None:
        self._kernel = kernel
        self._provider = provider
        self._lanes = asyncio.Semaphore(most)

    def split(self, request: FetchRequest) -> Sequence[FetchRequest]:
        """`candle_split`."""
        return self._provider.hooks.split(request)

    async def send(self, request: FetchRequest, read: Callable[[Page], _Answer]) -> _Answer:
        """One call; what `read` makes of the answer. If that raises a `MalformedAnswerError`, the call is repeated.

        Raises:
            CandleError: it could not be had.
        """
        return await with_retries(self._provider, lambda: self._once(request, read))

    async def send_for_each(self, request: FetchRequest, read: Read[_Answer]) -> dict[Market, _Answer | CandleError]:
        """One call for several markets, so that one market's failure is that market's alone.

        Where the exchange refuses the call because of one market, the others are asked for without it. An answer that
        cannot be true is asked for again, alone.
        """
        try:
            answers = await self.send(request, read)
        except MarketGoneError as error:
            parts = halves(request, self.split)
            return await self.send_all(parts, read) if parts else {request.market: error}
        except CandleError as error:
            return dict.fromkeys(request.markets, error)
        found: dict[Market, _Answer | CandleError] = {}
        for market in request.markets:
            answer = answers.get(market, _left_out(market))
            if isinstance(answer, MalformedAnswerError):
                repeated = await self._again(request, market, read)
                found[market] = repeated
            else:
                found[market] = answer
        return found

    async def send_all(
        self, requests: Sequence[FetchRequest], read: Read[_Answer]
    ) -> dict[Market, _Answer | CandleError]:
        """`send_for_each` of several calls, side by side."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.send_for_each(request, read)) for request in requests]
        return {market: answer for task in tasks for market, answer in task.result().items()}

    async def _again(self, request: FetchRequest, market: Market, read: Read[_Answer]) -> _Answer | CandleError:
        (alone,) = self.split(replace(request, markets=(market,), token=""))
        try:
            return await self.send(alone, lambda page: _only(read(page), market))
        except CandleError as error:
            return error

    async def _once(self, request: FetchRequest, read: Callable[[Page], _Answer]) -> _Answer:
        async with self._lanes, self._provider.budget.under_way(request.costs, request.priority, by_plugin=True):
            page = await self._provider.hooks.fetch(request)
            self._provider.budget.observe(replace(page.feedback, server_time=page.answered_at))
        rows = len(page.tickers) + len(page.orderbooks) + len(page.trades)
        await self._kernel.emit("page.fetched", rows=rows, size=page.size, source=request.source, kind=request.kind)
        return read(page)


def _only(answers: dict[Market, _Answer | MalformedAnswerError], market: Market) -> _Answer:
    answer = answers.get(market, _left_out(market))
    if isinstance(answer, ProviderError):
        raise answer
    return answer


def _left_out(market: Market) -> ProviderError:
    return ProviderError(
        f"{market.exchange} left {market.ccxt_symbol!r} out of its answer; if something of it came that cannot be read,"
        " the log says so"
    )
