"""Providers that list, begin or end in a wrong way, each in one. Collected only by the test next door.

Each adopter names the check that must catch it and a word of the complaint.
"""

# ruff: noqa: N801

from dataclasses import replace
from decimal import Decimal
from typing import Any

from candle_binance.provider import BinanceProvider
from candle_hookspecs import (
    FetchRequest,
    Kind,
    Market,
    MarketInfo,
    MarketQuery,
    Page,
    PluginContext,
    UnknownMarketError,
    WarmupScope,
    hookimpl,
)
from candle_testkit.contracts.provider import ProviderContract

from .sabotage import ChangesListings, Sabotage


class Sabotaged(Sabotage, ProviderContract):
    name = "binance"


class TestUndeclaredCost(Sabotaged):
    check, complaint = "test_capabilities_are_sane", "'requests'"

    class provider(BinanceProvider):
        capabilities = replace(BinanceProvider.capabilities, costs={Kind.CANDLES: {"requests": 1}})


class TestMisspelledHook(Sabotaged):
    check, complaint = "test_hooks_are_known", "candle_fecth"

    class provider(BinanceProvider):
        @hookimpl
        async def candle_fecth(self, request: FetchRequest) -> Page:
            return await self.candle_fetch(request)


# ── markets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class TestStepsThroughFloat(Sabotaged):
    check, complaint = "test_listing_has_every_market_once_and_exactly", "Decimal("

    class provider(ChangesListings, BinanceProvider):
        def spoilt_listing(self, query: MarketQuery, found: list[Market]) -> list[Market]:
            return [replace(market, price_tick=Decimal(float(market.price_tick or 0))) for market in found]


class TestListsAZeroForAStep(Sabotaged):
    check, complaint = "test_orders_can_be_rounded_to_what_is_listed", "BTC"

    class provider(ChangesListings, BinanceProvider):
        def spoilt_listing(self, query: MarketQuery, found: list[Market]) -> list[Market]:
            return [replace(market, amount_step=Decimal(0)) for market in found]


class TestListsOnlyTrading(Sabotaged):
    check, complaint = "test_listing_has_every_market_once_and_exactly", "LUNAUSDT"

    class provider(ChangesListings, BinanceProvider):
        def spoilt_listing(self, query: MarketQuery, found: list[Market]) -> list[Market]:
            return [market for market in found if market.status == "TRADING"]


class TestIgnoresStatus(Sabotaged):
    check, complaint = "test_listing_is_filtered", "LUNAUSDT"

    class provider(BinanceProvider):
        async def candle_markets(self, query: MarketQuery) -> list[Market]:
            return await super().candle_markets(replace(query, status=None))


class TestNamedMarketDiffers(Sabotaged):
    check, complaint = "test_one_market_by_any_of_its_names", "min_notional"

    class provider(ChangesListings, BinanceProvider):
        def spoilt_listing(self, query: MarketQuery, found: list[Market]) -> list[Market]:
            return found if query.name is None else [replace(market, min_notional=None) for market in found]


class TestNameInOneCaseOnly(Sabotaged):
    check, complaint = "test_one_market_by_any_of_its_names[native_id-lower]", "not enough values"

    class provider(ChangesListings, BinanceProvider):
        def spoilt_listing(self, query: MarketQuery, found: list[Market]) -> list[Market]:
            return [one for one in found if query.name in (None, one.native_id, one.ccxt_symbol)]


class TestUnknownMarketRaises(Sabotaged):
    check, complaint = "test_unknown_market_is_an_empty_list[unknown]", "UnknownMarketError"

    class provider(ChangesListings, BinanceProvider):
        def spoilt_listing(self, query: MarketQuery, found: list[Market]) -> list[Market]:
            if not found:
                raise UnknownMarketError(repr(query.name))
            return found


class TestGuessesTheMarket(Sabotaged):
    check, complaint = "test_unknown_market_is_an_empty_list[slash-moved]", "one more item"

    class provider(BinanceProvider):
        async def candle_markets(self, query: MarketQuery) -> list[Market]:
            return await super().candle_markets(replace(query, name=query.name and query.name.replace("/", "")))


class TestPassesNoGate(Sabotaged):
    check, complaint = "test_own_requests_pass_the_gate", "assert 0 =="

    class provider(BinanceProvider):
        def __init__(self, settings: BinanceProvider.Settings, context: PluginContext) -> None:
            super().__init__(settings, context)

            async def get_own(path: str, parameters: Any = None, *, costs: Any) -> Any:
                return await self._client.get(path, parameters)

            self._client.get_own = get_own  # type: ignore[method-assign]


# ── a session ────────────────────────────────────────────────────────────────────────────────────────────────────────


class TestWarmsUpByTheLocalClock(Sabotaged):
    check, complaint = "test_warmup_reads_the_exchange_clock", "server_time"

    class provider(BinanceProvider):
        async def candle_warmup(self, scope: WarmupScope) -> MarketInfo:
            info = await super().candle_warmup(scope)
            return replace(info, server_time=info.local_time)


class TestClosesOnce(Sabotaged):
    check, complaint = "test_close_may_come_twice", "closed already"

    class provider(BinanceProvider):
        closings = 0

        async def candle_close(self) -> None:
            await super().candle_close()
            self.closings += 1
            # The stage's own closing, the third, passes: the check itself is to fail, not its end.
            if self.closings == 2:
                raise RuntimeError("closed already")
