"""An exchange as ccxt asks it: one instance of its class, one session, its listing, and its errors as ours."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import aiohttp

from candle_ccxt.calls import COST, Call, calling
from candle_ccxt.errors import PAUSE, translated
from candle_ccxt.exchange import session
from candle_hookspecs import (
    AuthenticationError,
    BadRequestError,
    FetchRequest,
    Market,
    MarketGoneError,
    PluginContext,
    RateLimitedError,
)


class Site:
    """One of them.

    Args:
        ccxt: an instance of ccxt's class, made by `candle_ccxt.exchange`.
        context: whose clock and budget.
        name: ccxt's id, for messages.
        apart: the kinds of market that are asked for, if each is listed by requests of its own.
    """

    def __init__(self, ccxt: Any, context: PluginContext, name: str, apart: Sequence[str] = ()) -> None:
        self.ccxt = ccxt
        self.name = name
        self._apart = apart
        self._context = context
        self._listed_at: int | None = None
        self._listing = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None

    @property
    def open(self) -> Any:
        """The instance, with a session of ours."""
        if self._session is None:
            self._session = self.ccxt.session = session()
            self.ccxt.own_session = False
        return self.ccxt

    async def close(self) -> None:
        """Close the session; a later request opens another."""
        opened, self._session = self._session, None
        if opened is not None:
            self.ccxt.session = None
            await opened.close()

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def asked(self, request: FetchRequest, *, exact: bool = False) -> Iterator[Call]:
        """A call on the kernel's account."""
        with calling(request.costs.get(COST, 0), exact=exact) as call, translated(request):
            yield call

    @contextmanager
    def own(self, what: str) -> Iterator[Call]:
        """A call on our own account: a pause that the exchange wants holds for all."""
        with calling() as call:
            try:
                with translated(f"{what} at {self.name}"):
                    yield call
            except RateLimitedError as error:
                self._context.budget.pause(error.retry_after or PAUSE)
                raise

    # ── the listing ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def list(self) -> Call:
        """Ask for all markets, one at a time."""
        async with self._listing:
            return await self._list()

    async def know_markets(self) -> None:
        """The same, unless they were asked for before: ccxt can ask for nothing without them."""
        async with self._listing:
            if self._listed_at is None:
                await self._list()

    async def _list(self) -> Call:
        try:
            with self.own("its markets") as call:
                await self.open.load_markets(reload=True)
        except (BadRequestError, AuthenticationError) as error:
            if len(self._apart) < 2:
                raise
            # Futures are not for every country.
            raise type(error)(
                f"{error}; its {', '.join(self._apart)} markets are asked for apart: where some are refused, name in "
                f'[providers.{self._context.name}] those to have, as in tradetypes = ["{self._apart[0]}"]'
            ) from error
        self._listed_at = self._context.clock.now()
        return call

    def listed_within(self, age: int) -> bool:
        """Whether all markets were asked for no longer than so many milliseconds ago."""
        return self._listed_at is not None and self._context.clock.now() - self._listed_at < age

    def listed(self, request: FetchRequest) -> dict[Market, Mapping[str, Any]]:
        """Those of the markets asked for that are listed, with ccxt's structures of them.

        Raises:
            MarketGoneError: none of them is.
        """
        # A name may have passed to another market meanwhile.
        found = {market: self.ccxt.markets.get(market.ccxt_symbol) for market in request.markets}
        kept = {market: one for market, one in found.items() if one is not None and one["id"] == market.native_id}
        if not kept:
            gone = request.markets[0]
            raise MarketGoneError(
                f"{self.name} lists no {gone.ccxt_symbol!r} that is {gone.native_id!r} (any more); what is stored stays"
            )
        return kept
