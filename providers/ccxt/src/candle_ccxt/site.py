"""An exchange as ccxt asks it: one instance of its class, one session, its listing, and its errors as ours."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import aiohttp

from candle_ccxt.calls import Call, calling
from candle_ccxt.errors import PAUSE, translated
from candle_ccxt.exchange import session
from candle_ccxt.markets import parse_all
from candle_hookspecs import (
    AuthenticationError,
    BadRequestError,
    FetchRequest,
    MalformedAnswerError,
    Market,
    MarketGoneError,
    PluginContext,
    RateLimitedError,
)

FRESH: Final = 600_000
"""Milliseconds for which a listing answers for a market that is asked for by name."""
NEWS: Final = 60_000
"""Milliseconds for which it is believed of a market that it lacks."""


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
        self._read: Sequence[Market] = ()
        self._read_from: Any = None
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
    def asked(self, request: FetchRequest, prepaid: float, *, exact: bool = False) -> Iterator[Call]:
        """A call on the kernel's account, which has paid so much for it."""
        with calling(prepaid, exact=exact) as call, translated(request):
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

    async def know(self, request: FetchRequest) -> bool:
        """The same, if they were never asked for, without which ccxt can ask for nothing; whether it was done.

        Or if one of those wanted was not among them a while ago: another process that shares a cache with this one may
        have heard of it since.
        """
        # Nobody waits for a listing that others want.
        if self._knows(request):
            return False
        async with self._listing:
            if self._knows(request):
                return False
            await self._list()
            return True

    def _knows(self, request: FetchRequest) -> bool:
        if self._listed_at is None:
            return False
        return self.listed_within(NEWS) or len(self._found(request)) == len(request.markets)

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

    def markets(self) -> Sequence[Market]:
        """The markets of the last listing.

        Raises:
            MalformedAnswerError: none of them can be read.
        """
        if self._read_from is not self.ccxt.markets:
            read = parse_all(self.ccxt.markets.values(), self._context.name.upper(), int(self.ccxt.precisionMode))
            self._read, self._read_from = read, self.ccxt.markets
        return self._read

    def listed(self, request: FetchRequest) -> dict[Market, Mapping[str, Any]]:
        """Those of the markets asked for that are listed, with ccxt's structures of them.

        Raises:
            MarketGoneError: none of them is.
            MalformedAnswerError: the first of them is among what could not be read of the listing.
        """
        kept = self._found(request)
        if not kept:
            gone = request.markets[0]
            # Of a market that could not be read it is not known whether it is gone.
            for left_out in self.ccxt.left_out:
                if gone.native_id in left_out.row:
                    raise MalformedAnswerError(
                        f"{self.name} lists {gone.ccxt_symbol!r} as ccxt cannot read it: {left_out}"
                    )
            raise MarketGoneError(
                f"{self.name} lists no {gone.ccxt_symbol!r} that is {gone.native_id!r} (any more); what is stored stays"
            )
        return kept

    def _found(self, request: FetchRequest) -> dict[Market, Mapping[str, Any]]:
        # A name may have passed to another market meanwhile.
        found = {market: self.ccxt.markets.get(market.ccxt_symbol) for market in request.markets}
        return {market: one for market, one in found.items() if one is not None and one["id"] == market.native_id}
