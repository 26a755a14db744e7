"""Chart: the newest candles of some markets, looked at again and again; each look asks for what is new."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from candle_core.coordinator.calls import Calls
from candle_core.coordinator.candles import Way
from candle_core.coordinator.coordinator import MarketDataCoordinator
from candle_core.coordinator.lanes import Lanes
from candle_core.coordinator.meter import Meter
from candle_core.coordinator.models import LargeCandleRequest, LargeCandleResponse
from candle_core.coordinator.profiles.forming import Eye, Newest
from candle_core.ranges import ALL_TIME
from candle_hookspecs import BadInputError, Candle, CandleBatch, CandleError, Span, SymbolRecord, to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartLook:
    """One market, as it is now.

    Attributes:
        candles: closed ones only, in time order: as many slots back as the view shows.
        added: those of them that the look before did not have.
        forming: the candle that is still open, as it stands now; None: not asked for, or nothing was traded in it yet.
            It changes until it is closed, and is never stored.
        closing: the one before it, for the moment in which it is closed and not final yet, so that `candles` does not
            have it; with `forming` only.
        error: why the market could not be brought up to now; `candles` are then those of the look before.
    """

    candles: CandleBatch
    added: CandleBatch
    forming: Candle | None = None
    closing: Candle | None = None
    error: CandleError | None = None


class ChartView:
    """What a chart shows, kept from look to look.

    Args:
        coordinator: what to ask through.
        request: with a `count` of slots to show, and no bounds.
        forming: also show the candle that is still open. Where candles have closed since the last look, it comes in the
            answer that brings them; else it is one call for each market and look.

    Raises:
        BadInputError: the request has bounds, or no count.
    """

    def __init__(
        self, coordinator: MarketDataCoordinator, request: LargeCandleRequest, *, forming: bool = False
    ) -> None:
        if request.count is None or request.bounds.start is not None or request.bounds.end is not None:
            raise BadInputError("a chart shows the newest candles: give a count, and no bounds")
        self._coordinator = coordinator
        self._request = request
        self._forming = forming
        self._seen: dict[str, CandleBatch] = {}
        self._fronts: dict[str, int] = {}

    async def look(self) -> dict[str, ChartLook]:
        """Every market as it is now. Only what is new since the last look is asked for and read.

        Raises:
            What `get_candle_data` raises.
        """
        fresh = [name for name in self._request.symbols if name not in self._fronts]
        again = [name for name in self._request.symbols if name in self._fronts]
        eye = await self._open_eye() if self._forming else None
        looks: dict[str, ChartLook] = {}
        if fresh:
            looks |= self._take(await self._get(replace(self._request, symbols=fresh), eye))
        if again:
            # However long a market cannot be asked, what the chart does not show any more is not read for it.
            fronts = [self._fronts[name] for name in again]
            start = max(min(fronts), self._oldest(max(fronts)))
            since = replace(self._request, symbols=again, start=start, count=None)
            looks |= self._take(await self._get(since, eye))
        if eye is not None:
            names = [name for name, one in looks.items() if one.error is None]
            for name, answer in (await self._newest(names, eye)).items():
                if isinstance(answer, CandleError):
                    looks[name] = replace(looks[name], error=answer)
                else:
                    closing = self._unless_had(answer.closing, looks[name])
                    looks[name] = replace(looks[name], forming=answer.forming, closing=closing)
        return {name: looks[name] for name in self._request.symbols}

    async def _get(self, request: LargeCandleRequest, eye: Eye | None) -> LargeCandleResponse:
        lanes = Lanes(self._coordinator.concurrency(request), coming=len(request.symbols))
        return await self._coordinator.collect(request, Way(lanes=lanes, meter=eye or Meter()))

    def _take(self, response: LargeCandleResponse) -> dict[str, ChartLook]:
        looks = {}
        for name, new in response.candles.items():
            seen = self._seen.get(name, CandleBatch.empty())
            self._seen[name] = self._merged(response, name, seen, new)
            looks[name] = ChartLook(candles=self._seen[name], added=new[~np.isin(new.open_time, seen.open_time)])
        for name, error in response.failures.items():
            seen = self._seen.get(name, CandleBatch.empty())
            looks[name] = ChartLook(candles=seen, added=CandleBatch.empty(), error=error)
        return looks

    def _merged(self, response: LargeCandleResponse, name: str, seen: CandleBatch, new: CandleBatch) -> CandleBatch:
        """What was seen before the new range, and the range itself; and note from where on the next look must ask."""
        summary = response.summaries.get(name)
        if summary is None:
            return seen  # nothing is closed since
        start, end = map(to_ms, summary.time_range)
        unsure = [to_ms(since) for since, _ in (*summary.pending, *summary.missing)]
        self._fronts[name] = min(end, *unsure) if unsure else end
        before = seen.between(Span(ALL_TIME.start, start))
        return CandleBatch.concat([before, new]).between(Span(self._oldest(end), ALL_TIME.end))

    def _oldest(self, end: int) -> int:
        """The first slot of a chart that ends there."""
        grid = self._coordinator.candles.kernel.provider(self._request.exchange).grid(self._request.timeframe)
        return grid.after(end - 1, 1 - (self._request.count or 1))

    # ── the candle that is still open ───────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def _unless_had(candle: Candle | None, look: ChartLook) -> Candle | None:
        had = len(look.candles) and candle is not None and to_ms(candle.open_time) <= look.candles.last
        return None if had else candle

    async def _open_eye(self) -> Eye:
        provider = self._coordinator.candles.kernel.provider(self._request.exchange)
        return Eye(provider.capabilities, await provider.open_grid(self._request.timeframe), provider.clock)

    async def _newest(self, names: list[str], eye: Eye) -> dict[str, Newest | CandleError]:
        """What stands at the end of each market: as the increment's answer has it, else by a call of its own."""
        request, candles = self._request, self._coordinator.candles
        records = (
            await self._coordinator.records(replace(request, symbols=names), (request.timeframe,)) if names else {}
        )
        provider = candles.kernel.provider(request.exchange)
        calls = Calls(candles.kernel, provider, self._coordinator.concurrency(request))

        async def newest(found: Sequence[SymbolRecord] | CandleError) -> Newest | CandleError:
            if isinstance(found, CandleError):
                return found
            market = found[0].market
            if (seen := eye.seen(market)) is not None:
                return seen
            try:
                return await calls.send(eye.question(market, request.priority), eye.newest)
            except CandleError as error:
                return error

        answers = await asyncio.gather(*(newest(found) for found in records.values()))
        return dict(zip(records, answers, strict=True))
