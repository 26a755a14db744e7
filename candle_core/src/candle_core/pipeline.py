"""fetch → check → save → tell, over a work-list, as widely as the market is dense."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from candle_core.checks import CheckedPage, check
from candle_core.coverage import count_slots
from candle_core.kernel import Kernel, Provider
from candle_core.plan import Window, WorkList, as_facts
from candle_core.retry import with_retries
from candle_core.spans import Spans
from candle_core.symbols import Catalogue
from candle_core.timeframes import Grid
from candle_core.writer import Writer
from candle_hookspecs import (
    Anchor,
    Answer,
    CandleBatch,
    Coverage,
    CoverageQuery,
    CoverageState,
    Evidence,
    FetchRequest,
    Page,
    Proof,
    SaveReceipt,
    Span,
    SymbolRecord,
)

DENSE: Final = 0.5
"""Share of filled slots from which on more windows are asked at once."""


@dataclass(slots=True)
class Tally:
    """What a run has done so far; `fresh`: candles received inside the span where nothing was proven before."""

    requests: int = 0
    pages: int = 0
    fresh: int = 0
    receipt: SaveReceipt = field(default_factory=SaveReceipt)


Committed = Callable[[Span], object]
"""Called after each commit with the span that the answer proved."""

Throttle = Callable[[], bool]
"""Says whether further requests may be sent now; `Pipeline.wake` has it asked again."""


class Pipeline:
    """Collects what is missing of one symbol in one span.

    Args:
        record: the registered symbol.
        wanted: clipped to what is closed by the exchange's clock.
        covered: what need not be asked; empty to fetch again.
        oldest_first: work from the oldest candle on, even where newest first costs fewer requests.
        throttle: holds further requests back while it says False.
    """

    def __init__(
        self,
        kernel: Kernel,
        provider: Provider,
        writer: Writer,
        record: SymbolRecord,
        wanted: Span,
        covered: Spans,
        *,
        oldest_first: bool = False,
        throttle: Throttle | None = None,
    ) -> None:
        self.tally = Tally()
        self.committed: Committed | None = None
        self.grid: Grid = provider.grid(record.symbol.timeframe)
        self._kernel = kernel
        self._provider = provider
        self._writer = writer
        self._record = record
        self._throttle = throttle or (lambda: True)
        self._stored = covered
        self._listing_asked = record.market.listed is not None
        self._wish = FetchRequest(markets=(record.market,), timeframe=record.symbol.timeframe, span=wanted)
        self.work = WorkList(
            self._wish, covered, self.grid, provider.capabilities, provider.hooks.split, oldest_first=oldest_first
        )
        self.asked = count_slots(self.work.missing(), self.grid)
        self._fanout = 1.0
        self._fetching = 0
        self._landed = asyncio.Event()

    @staticmethod
    def sources(provider: Provider) -> list[str]:
        """The provider's sources as facts name them."""
        return [f"{provider.name}:{source}" for source in provider.capabilities.sources]

    def windows_left(self) -> int:
        """About how many windows are not answered yet."""
        return self._fetching + self.work.pages_left()

    def committed_front(self) -> int:
        """Up to where everything from the start on is committed, UTC ms."""
        return min(self._stored.front(self.work.wanted.start), self.work.wanted.end)

    def wake(self) -> None:
        """Look again whether further requests may be sent."""
        self._landed.set()

    async def run(self) -> None:
        """Work until nothing is left to ask. What was committed stays, whatever happens.

        Raises:
            ProviderError: a window could not be had. StorageError: an answer could not be saved.
        """
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._landed.clear()
                    while self._fetching < int(self._fanout) and self._throttle() and (window := self.work.take()):
                        self._fetching += 1
                        group.create_task(self._handle(window))
                    if not self._fetching and self._throttle():
                        break
                    await self._landed.wait()
        except BaseExceptionGroup as group_error:
            raise _first(group_error) from None

    # ── one window ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _handle(self, window: Window) -> None:
        try:
            page, checked, facts = await with_retries(self._kernel, self._provider, lambda: self._ask(window))
            answers = [self._answer(page, checked, facts)]
            if listing := self._unlisted_gap(window, page):
                answers.append(await self._ask_listing(listing))
        finally:
            self._fetching -= 1
            self._landed.set()
        for answer in answers:
            await self._save(answer)

    async def _ask(self, window: Window) -> tuple[Page, CheckedPage, tuple[Coverage, ...]]:
        """Fetch, check, and put what is left of the window back on the list."""
        page = await self._fetch(window.request)
        checked = check(page, self.grid, self._provider.capabilities)
        if not self.grid.count(window.span):
            # Only what opens between two slots was wanted; the candle that proves it belongs to another range.
            checked = checked.within(window.span)
        self.tally.fresh += self._fresh(checked.batch)
        believed = self.work.settle(window, checked)
        self._adapt(window.span, page)
        return page, checked, self._facts(page, (*checked.proofs, *believed))

    async def _fetch(self, request: FetchRequest) -> Page:
        await self._provider.budget.spend(request.costs, request.priority)
        self.tally.requests += 1
        page = await self._provider.hooks.fetch(request)
        self._provider.budget.observe(replace(page.feedback, server_time=page.answered_at))
        await self._kernel.emit(
            "page.fetched", self._record.symbol, rows=len(page.batch), size=page.size, source=request.source
        )
        return page

    def _fresh(self, batch: CandleBatch) -> int:
        if not len(batch):
            return 0
        unknown = (Spans((Span(batch.first, batch.last + 1),)) & Spans((self.work.wanted,))) - self.work.proven
        return sum(len(batch.between(span)) for span in unknown)

    def _adapt(self, window: Span, page: Page) -> None:
        """Ask more widely while pages are dense; ask one after another where they leap over emptiness."""
        inside = len(page.batch.between(window))
        dense = inside >= DENSE * self.grid.count(window)
        widest = self._provider.capabilities.concurrency
        self._fanout = min(widest, self._fanout * 2) if dense else max(1.0, self._fanout / 2)

    # ── the beginning of a market ───────────────────────────────────────────────────────────────────────────────────

    def _unlisted_gap(self, window: Window, page: Page) -> Span | None:
        """Everything before the page's first row, if that may be the market's first candle and nobody has asked yet."""
        anchored = window.request.anchor is Anchor.START and len(page.batch)
        if (
            self._listing_asked
            or not anchored
            or not self.grid.count(Span(window.span.start, page.batch.first + 1)) > 1
        ):
            return None
        self._listing_asked = True
        return Span(min(0, window.span.start), page.batch.first + 1)

    async def _ask_listing(self, span: Span) -> Answer:
        """Find the market's first candle, so that what lies before it is known as not listed and never asked again."""
        request = replace(self._wish, span=span, limit=1, costs=self._provider.capabilities.cost(self._wish.kind))
        page = await with_retries(self._kernel, self._provider, lambda: self._fetch(request))
        checked = check(page, self.grid, self._provider.capabilities)
        proofs: tuple[Proof, ...] = ()
        if len(page.batch) and page.batch.first > span.start:
            first = page.batch.first
            proofs = (Proof(Span(span.start, first), Evidence.LISTING, CoverageState.NOT_LISTED),)
            self.work.prove(proofs)
            market = replace(self._record.market, listed=first)
            self._record = await Catalogue(self._kernel).update_market(self._record, market)
        return self._answer(page, checked, self._facts(page, proofs))

    # ── saving ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _facts(self, page: Page, proofs: tuple[Proof, ...]) -> tuple[Coverage, ...]:
        return as_facts(proofs, f"{self._provider.name}:{page.request.source}", page.answered_at)

    def _answer(self, page: Page, checked: CheckedPage, facts: tuple[Coverage, ...]) -> Answer:
        source = page.request.source
        return Answer(
            symbol=self._record.symbol,
            source=f"{self._provider.name}:{source}",
            rank=self._provider.capabilities.sources.get(source, 0),
            answered_at=page.answered_at,
            batch=checked.batch,
            coverage=facts,
        )

    async def _save(self, answer: Answer) -> None:
        receipt = await self._writer.save(answer)
        self.tally.pages += 1
        self.tally.receipt += receipt
        await self._kernel.emit("save.committed", answer.symbol, rows=len(answer.batch), revised=receipt.revised)
        self._stored = self._stored | Spans.of(fact.span for fact in answer.coverage)
        if self.committed is not None and answer.coverage:
            self.committed(answer.coverage[0].span)


async def read_facts(kernel: Kernel, record: SymbolRecord, span: Span) -> list[Coverage]:
    """What is known of a symbol in a span."""
    return list(await kernel.storage().coverage(CoverageQuery(symbol=record.symbol, span=span)))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
