"""Providers that each make something wrong of an error. Collected only by the test next door.

Each adopter names the check that must catch it and a word of the complaint.
"""

# ruff: noqa: N801

from typing import ClassVar

from candle_binance.provider import BinanceProvider
from candle_hookspecs import FetchRequest, Page, ProviderError, RateLimitedError, WarmupScope
from candle_testkit.contracts.provider import ProviderContract

from .sabotage import ForgetsTheWait, Sabotage, TakesGoneForWrong, TriesTwice


class Sabotaged(Sabotage, ProviderContract):
    name = "binance"


class SwallowsErrors(BinanceProvider):
    """Makes an empty page of them."""

    swallowed: ClassVar[type[ProviderError]] = ProviderError

    async def candle_fetch(self, request: FetchRequest) -> Page:
        try:
            return await super().candle_fetch(request)
        except self.swallowed:
            return Page(request=request, answered_at=0, asserted=request.span)


class TestSwallowsFailures(Sabotaged):
    check, complaint = "test_fault_becomes_its_error[500]", "DID NOT RAISE"
    provider = SwallowsErrors


class TestRetriesByItself(Sabotaged):
    check, complaint = "test_fault_becomes_its_error[reset]", "DID NOT RAISE"

    class provider(TriesTwice, BinanceProvider):
        pass


class TestTriesTwiceThenRaises(Sabotaged):
    check, complaint = "test_fault_becomes_its_error[403-html]", "a provider tries once"

    class provider(BinanceProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            try:
                return await super().candle_fetch(request)
            except ProviderError:
                await self.candle_warmup(WarmupScope())
                raise


class TestRaisesAnErrorOfItsOwn(Sabotaged):
    check, complaint = "test_fault_becomes_its_error[truncated]", "ValueError"

    class provider(BinanceProvider):
        async def candle_fetch(self, request: FetchRequest) -> Page:
            try:
                return await super().candle_fetch(request)
            except ProviderError as error:
                raise ValueError(str(error)) from error


class TestSwallowsTheLimit(Sabotaged):
    check, complaint = "test_limit_is_told_with_its_wait[rate_limited-7]", "DID NOT RAISE"

    class provider(SwallowsErrors):
        swallowed = RateLimitedError


class TestForgetsTheWait(Sabotaged):
    check, complaint = "test_limit_is_told_with_its_wait[banned-120]", "None"

    class provider(ForgetsTheWait, BinanceProvider):
        pass


class TestGoneIsABadRequest(Sabotaged):
    check, complaint = "test_unknown_names_are_told", "BadRequestError"

    class provider(TakesGoneForWrong, BinanceProvider):
        pass
