"""What a request costs, counted where its calls leave the kernel."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, Self, TypeVar

from candle_core.dispatch import ProviderHooks
from candle_core.kernel import Kernel
from candle_core.provider import Provider
from candle_hookspecs import Anchor, CandleError, FetchRequest, Kind, Page, Span

_Value = TypeVar("_Value")
_Call = tuple[Kind, tuple[str, ...], Span | None, Anchor, int, str]


@dataclass(slots=True)
class Meter:
    """See `RequestReport`."""

    requests: int = 0
    retries: int = 0
    size: int = 0
    seconds: list[float] = field(default_factory=list)
    _sent: set[_Call] = field(default_factory=set)

    def widen(self, request: FetchRequest) -> FetchRequest:
        """What to send instead of a request, for those who look at the answers too; here: itself."""
        return request

    def send(self, request: FetchRequest) -> None:
        """Count a call that is about to be sent; the same one again is a retry."""
        names = tuple(market.native_id for market in request.markets)
        call = (request.kind, names, request.span, request.anchor, request.limit, request.token)
        self.requests += 1
        self.retries += call in self._sent
        self._sent.add(call)

    def answer(self, page: Page, seconds: float) -> None:
        """Count an answer."""
        self.size += page.size
        self.seconds.append(seconds)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[_Value]):
    """What came of a request: symbol → value, symbol → error, and what it cost."""

    values: dict[str, _Value] = field(default_factory=dict)
    failures: dict[str, CandleError] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)
    hits: int = 0
    joined: int = 0

    @classmethod
    def of(cls, answers: Mapping[str, _Value | CandleError], hits: int, joined: int) -> Self:
        """Values and errors told apart."""
        errors = {name: answer for name, answer in answers.items() if isinstance(answer, CandleError)}
        values = {name: answer for name, answer in answers.items() if not isinstance(answer, CandleError)}
        return cls(values, errors, hits=hits, joined=joined)


def metered(kernel: Kernel, provider: Provider, meter: Meter) -> Provider:
    """The same provider, every call of which is counted."""
    return replace(provider, hooks=_Metered(kernel, provider.name, meter))


class _Metered(ProviderHooks):
    def __init__(self, kernel: Kernel, name: str, meter: Meter) -> None:
        super().__init__(kernel.dispatch, name)
        self._meter = meter

    async def fetch(self, request: FetchRequest) -> Page:
        request = self._meter.widen(request)
        self._meter.send(request)
        began = time.perf_counter()
        page = await super().fetch(request)
        self._meter.answer(page, time.perf_counter() - began)
        return page
