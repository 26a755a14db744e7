"""Which markets are meant: an exchange's listing, asked for once and remembered for a while."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from candle_core.cache import MemoryCache
from candle_core.coordinator.models import LargeRequest
from candle_core.coordinator.shelf import Shelf
from candle_core.kernel import Kernel
from candle_core.retry import with_retries
from candle_core.symbols import Catalogue
from candle_hookspecs import BadInputError, CandleError, Market, MarketQuery, UnknownMarketError

TTL: Final = 600.0
"""Seconds for which a listing is believed."""
_MARKET_BYTES: Final = 3_000

_Key = tuple[str, str]
_Listing = Mapping[str, list[Market]]
"""Every name in lower case → the markets that answer to it."""


class Directory:
    """Listings by exchange and trade type."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        memory: MemoryCache[_Key, _Listing] = MemoryCache(lambda listing: _MARKET_BYTES * len(listing))
        self._listings: Shelf[_Key, _Listing] = Shelf(memory, TTL)

    def tradetype(self, request: LargeRequest) -> str:
        """What kind of thing the request means.

        Raises:
            ConfigError: it does not say, and the exchange trades several kinds.
        """
        names = (request.symbols[0], "1d", request.exchange, request.tradetype or None)
        found = Catalogue(self._kernel).query(*names).tradetype
        assert found is not None
        return found

    async def find(self, exchange: str, tradetype: str, names: Iterable[str]) -> dict[str, Market | CandleError]:
        """The market of each name, or why there is none; where the exchange does not list at all, that for each."""
        found = await self._listings.obtain(
            [(exchange, tradetype)], lambda keys: [(keys, partial(self._ask, *keys[0]))]
        )
        (listing,) = found.answers.values()
        if isinstance(listing, CandleError):
            return dict.fromkeys(names, listing)
        return {name: _one(listing.get(name.casefold(), []), name, f"{exchange} {tradetype}") for name in names}

    async def _ask(self, exchange: str, tradetype: str) -> dict[_Key, _Listing | CandleError]:
        provider = self._kernel.provider(exchange)
        query = MarketQuery(tradetype=tradetype)
        try:
            markets = await with_retries(self._kernel, provider, lambda: provider.hooks.markets(query))
        except CandleError as error:
            return {(exchange, tradetype): error}
        listing: dict[str, list[Market]] = {}
        for market in markets:
            for name in {market.ccxt_symbol.casefold(), market.native_id.casefold()}:
                listing.setdefault(name, []).append(market)
        return {(exchange, tradetype): listing}


def _one(found: list[Market], name: str, where: str) -> Market | CandleError:
    if not found:
        return UnknownMarketError(f"{where} lists no market {name!r}; `candle markets {where}` lists what there is")
    if len(found) > 1:
        names = ", ".join(sorted(market.native_id for market in found))
        return BadInputError(f"{name!r} is ambiguous: {names}; name one of them")
    return found[0]
