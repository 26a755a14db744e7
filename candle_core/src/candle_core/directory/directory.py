"""Which markets an exchange lists: asked for once, kept where every process sees it, and looked up by name.

`Keeper` says when the exchange is asked, and what stands in for it when it does not answer. Here a listing is taken
apart once for each change of it, and remembered for some seconds, so that a name costs a dictionary's time.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from candle_core.cache import Keeper, Kept, MemoryCache
from candle_core.directory.form import decode, encode, encode_precision, market_key, precision_key
from candle_core.directory.listing import Listing, Names
from candle_core.provider import Provider
from candle_core.retry import with_retries
from candle_hookspecs import (
    BadInputError,
    CandleError,
    Clock,
    Market,
    MarketQuery,
    ProviderError,
    UnknownMarketError,
)

MEMORY: Final = 10.0
"""Seconds for which the cache is not asked again."""
NEWS: Final = 60.0
"""Seconds for which an exchange is not asked again for a name that its listing lacks."""
FEW: Final = 3
"""Names that are asked for one by one; more cost one listing."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    listing: Listing
    until: int


class Directory:
    """The listings of all exchanges. For one event loop.

    Args:
        provider: gives the one of an exchange.
        keeper: says when an exchange is asked.
        clock: the kernel's. ttl: seconds for which the keeper believes a listing.
        count: told of each key that was looked up, and whether it was there.
    """

    def __init__(
        self,
        provider: Callable[[str], Provider],
        keeper: Keeper,
        clock: Clock,
        ttl: float,
        count: Callable[[str, bool], Awaitable[None]],
    ) -> None:
        self._provider, self._keeper, self._count = provider, keeper, count
        self._clock, self._ttl = clock, ttl
        self._names: dict[str, Names] = {}
        self._remembered: dict[str, _Remembered] = {}
        self._reading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._lacking: MemoryCache[tuple[str, str | None, str], tuple[Market, ...]] = MemoryCache(
            lambda found: 1 + len(found)
        )

    async def listing(self, exchange: str, *, refresh: bool = False) -> Listing:
        """All markets of an exchange: as kept, if that is believed, else as it lists them now.

        Args:
            exchange: in any case.
            refresh: ask even if what is kept is believed.

        Returns:
            With `Listing.error`, where the exchange did not answer and an old listing stands in.

        Raises:
            PluginError: no such provider. ProviderError: the exchange did not answer, and nothing is kept.
        """
        name = exchange.lower()
        listing = None if refresh else await self.known(name)
        if listing is not None and (listing.fresh or listing.error is not None):
            await self._count(market_key(name), listing.fresh)
            return listing
        ask = partial(self._ask, self._provider(name))
        keeper, key = self._keeper, market_key(name)
        kept = await keeper.obtain(key, ask, refresh=refresh)
        if (names := self._read(name, kept)) is None:  # damaged, or of another version: as good as absent
            kept = await keeper.obtain(key, ask, refresh=True)
            names = self._read(name, kept)
        if names is None:
            raise kept.error or BadInputError(f"what the cache keeps under {key!r} is no listing; delete it there")
        return self._remember(name, kept, names)

    async def known(self, exchange: str) -> Listing | None:
        """What is kept, believed or not; nobody is asked."""
        name = exchange.lower()
        async with self._reading[name]:  # of many who look names up, one reads what may be megabytes
            if (listing := self._memory(name)) is not None:
                return listing
            kept = await self._keeper.peek(market_key(name))
            if kept is None or (names := self._read(name, kept)) is None:
                self._reading.pop(name, None)  # what is asked for may be no exchange at all
                return None
            return self._remember(name, kept, names)

    async def believed(self, exchange: str, tradetype: str | None, name: str | None) -> tuple[Market, ...]:
        """The markets that answer to a name, all to None, in a listing that is kept and believed; nobody is asked.

        Finding them is a hit. That there are none is no miss: who then asks the exchange is counted there.
        """
        listing = await self.known(exchange)
        found = listing.find(tradetype, name) if listing is not None and listing.fresh else ()
        if found:
            await self._count(market_key(exchange), True)
        return found

    async def find(self, exchange: str, tradetype: str | None, name: str | None) -> tuple[Market, ...]:
        """The markets that answer to a name: none, one or several; to None all that the exchange lists.

        They are looked up in a listing that is kept and believed. Where there is none, or it lacks the name, which may
        be new, the exchange is asked for this name alone; if it does not answer, an old listing stands in.

        Raises:
            PluginError: no such provider. ProviderError: the exchange did not answer.
        """
        if name is None:
            return (await self.listing(exchange)).find(tradetype, None)
        listing = await self.known(exchange)
        kept = () if listing is None else listing.find(tradetype, name)
        fresh = listing is not None and listing.fresh
        if not fresh:
            self._provider(exchange)  # before it is counted: if there is none, neither is there an exchange
        await self._count(market_key(exchange), fresh and bool(kept))
        if fresh:
            return kept or await self._look_again(exchange, tradetype, name)
        try:
            return await self._ask_for(exchange, tradetype, name)
        except ProviderError:
            if kept:
                return kept
            raise

    async def find_again(self, exchange: str, tradetype: str | None) -> tuple[Market, ...]:
        """All markets by a listing that is no older than `NEWS`, for one that `find` did not give without a name.

        Raises:
            PluginError: no such provider. ProviderError: the exchange did not answer.
        """
        listing = await self.listing(exchange)
        if self._clock.now() - listing.at >= NEWS * 1000:
            listing = await self.listing(exchange, refresh=True)
        if listing.error is not None:
            raise listing.error
        return listing.find(tradetype, None)

    async def find_each(self, exchange: str, tradetype: str, names: Iterable[str]) -> dict[str, Market | CandleError]:
        """The one market of each name, or why there is none; where the exchange does not list at all, that for each.

        They are looked up in one listing. Names that it lacks though it is not of just now are asked for once more.
        """
        names = list(dict.fromkeys(names))
        try:
            listing = await self.listing(exchange)
        except CandleError as error:
            return dict.fromkeys(names, error)
        found: dict[str, Market | CandleError] = {}
        lacking = []
        for name in names:
            if (markets := listing.find(tradetype, name)) or listing.asked:
                found[name] = _one(markets, name, f"{exchange} {tradetype}")
            else:
                lacking.append(name)
        found |= await self._find_lacking(exchange, tradetype, lacking)
        return {name: found[name] for name in names}

    async def ask(self, provider: Provider, query: MarketQuery) -> Sequence[Market]:
        """Markets as the exchange lists them now. Where these are all that it has, they are kept as its listing.

        Raises:
            ProviderError: the exchange did not answer.
        """
        markets = _each_once(await with_retries(provider, lambda: provider.hooks.markets(query)))
        all_kinds = query.tradetype is None or provider.capabilities.tradetypes == (query.tradetype,)
        if markets and all_kinds and query.name is None and query.status is None:
            value = self._taken_apart(provider.name, markets)
            self._remembered.pop(provider.name, None)
            await self._keeper.put(market_key(provider.name), value)
            await self._keep_precision(provider.name, markets)
        return markets

    async def ensure_precision(self, listing: Listing) -> None:
        """See that the precision of listed markets is kept, where somebody else wrote the listing or it was dropped."""
        if await self._keeper.peek(precision_key(listing.exchange)) is None:
            await self._keep_precision(listing.exchange, listing.markets)

    async def _keep_precision(self, exchange: str, markets: Sequence[Market]) -> None:
        await self._keeper.put(precision_key(exchange), encode_precision(exchange, markets))

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self, provider: Provider) -> bytes:
        markets = _each_once(await with_retries(provider, provider.list_markets))
        if not markets:
            raise ProviderError(f"{provider.name!r} lists no markets at all, which is not believed; ask again later")
        value = self._taken_apart(provider.name, markets)
        await self._keep_precision(provider.name, markets)
        return value

    async def _ask_for(self, exchange: str, tradetype: str | None, name: str) -> tuple[Market, ...]:
        query = MarketQuery(tradetype=tradetype, name=name)
        markets = await self.ask(self._provider(exchange), query)
        return tuple(market for market in markets if query.selects(market))

    async def _look_again(self, exchange: str, tradetype: str | None, name: str) -> tuple[Market, ...]:
        """A name that a listing lacks."""
        key = exchange.lower(), tradetype, name.casefold()
        found = self._lacking.get(key)
        if found is None:
            found = await self._ask_for(exchange, tradetype, name)
            self._lacking.set(key, found, NEWS)
        return found

    async def _find_lacking(
        self, exchange: str, tradetype: str, names: Sequence[str]
    ) -> dict[str, Market | CandleError]:
        keys = {name: (exchange.lower(), tradetype, name.casefold()) for name in names}
        new = [name for name in names if self._lacking.get(keys[name]) is None]
        if len(new) > FEW:
            try:
                listing = await self.listing(exchange, refresh=True)
            except CandleError as error:
                return dict.fromkeys(names, error)
            if listing.error is not None:
                return dict.fromkeys(names, listing.error)
            for name in new:
                self._lacking.set(keys[name], listing.find(tradetype, name), NEWS)

        async def look(name: str) -> Market | CandleError:
            try:
                return _one(await self._look_again(exchange, tradetype, name), name, f"{exchange} {tradetype}")
            except CandleError as error:
                return error

        return dict(zip(names, await asyncio.gather(*map(look, names)), strict=True))

    # ── remembering ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _taken_apart(self, name: str, markets: Sequence[Market]) -> bytes:
        value = encode(name, markets)
        self._names[name] = Names(value, markets)
        return value

    def _read(self, name: str, kept: Kept) -> Names | None:
        """What the cache said, taken apart unless it says what it said before."""
        before = self._names.get(name)
        if before is not None and before.value == kept.value:
            return before
        if (markets := decode(name, kept.value)) is None:
            return None
        self._names[name] = Names(kept.value, markets)
        return self._names[name]

    def _remember(self, name: str, kept: Kept, names: Names) -> Listing:
        now, ttl = self._clock.now(), self._ttl
        listing = Listing(exchange=name, at=kept.at, fresh=kept.fresh, asked=kept.asked, error=kept.error, names=names)
        until = now + round(MEMORY * 1000)
        if kept.fresh:
            until = min(until, kept.at + round(ttl * 1000))
        # That something newer was wanted in vain says nothing against what is believed.
        error = None if kept.fresh else kept.error
        self._remembered[name] = _Remembered(replace(listing, asked=False, error=error), until)
        return listing

    def _memory(self, name: str) -> Listing | None:
        remembered = self._remembered.get(name)
        return remembered.listing if remembered and self._clock.now() < remembered.until else None


def _each_once(markets: Iterable[Market]) -> list[Market]:
    """As listed last: who lists in pages repeats what moves from one to the next meanwhile; that is not ambiguous."""
    return list({(one.tradetype, one.native_id, one.ccxt_symbol): one for one in markets}.values())


def _one(found: Sequence[Market], name: str, where: str) -> Market | CandleError:
    if not found:
        return UnknownMarketError(f"{where} lists no market {name!r}; `candle markets {where}` lists what there is")
    if len(found) > 1:
        names = ", ".join(sorted(market.native_id for market in found))
        return BadInputError(f"{name!r} is ambiguous: {names}; name one of them")
    return found[0]
