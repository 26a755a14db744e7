"""fetch → check → save → tell, over a work-list, as widely as the market is dense."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from candle_core.checks import check
from candle_core.coverage import count_slots
from candle_core.kernel import Kernel
from candle_core.plan import Window, WorkList, as_facts
from candle_core.provider import Provider
from candle_core.retry import with_retries
from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import (
    Anchor,
    Answer,
    CandleBatch,
    Coverage,
    CoverageQuery,
    CoverageState,
    Evidence,
    FetchRequest,
    MalformedAnswerError,
    Market,
    Page,
    Priority,
    Proof,
    Registration,
    SaveReceipt,
    Span,
    SymbolRecord,
    iso,
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


class Sink(Protocol):
    """Where answers go: the writer, or a buffer before it."""

    async def save(self, answer: Answer) -> SaveReceipt | None:
        """Take an answer.

        Returns:
            What became of its rows, now that it is durable. None: it is held, and whoever holds it commits it later.
        """
        ...


Committed = Callable[[Span], object]
"""Called after each commit with the span that the answer proved."""

Throttle = Callable[[], bool]
"""Says whether further requests may be sent now; `Pipeline.wake` has it asked again."""

Register = Callable[[Registration], Awaitable[object]]
"""Brings what is known of a market up to date, before the facts that rest on it are saved."""


class Pipeline:
    """Collects what is missing of one symbol in one span.

    Args:
        sink: takes the answers. What it holds back is tallied and told by itself.
        record: the registered symbol.
        wanted: clipped to what is closed by the exchange's clock.
        covered: what need not be asked; empty to fetch again.
        oldest_first: work from the oldest candle on, even where newest first costs fewer requests.
        throttle: holds further requests back while it says False.
        widest: most requests under way at once, asked before each; None: as many as pay.
        register: keeps what is learned of the market; None: the database, at once.
        priority: who goes first where the budget does not grant enough for all.
    """

    def __init__(
        self,
        kernel: Kernel,
        provider: Provider,
        sink: Sink,
        record: SymbolRecord,
        wanted: Span,
        covered: Spans,
        *,
        oldest_first: bool = False,
        throttle: Throttle | None = None,
        widest: Callable[[], int] | None = None,
        register: Register | None = None,
        priority: Priority = Priority.NORMAL,
    ) -> None:
        self.tally = Tally()
        self.committed: Committed | None = None
        self.grid: Grid = provider.grid(record.symbol.timeframe)
        self._kernel = kernel
        self._provider = provider
        self._sink = sink
        self._record = record
        self._throttle = throttle or (lambda: True)
        self._most = kernel.config.collect.concurrency or provider.capabilities.concurrency
        self._widest = widest or (lambda: self._most)
        self._register = register
        self._stored = covered
        self._beginning_asked = record.market.listed is not None
        self._first_candle: int | None = None
        self._wish = FetchRequest(
            markets=(record.market,), timeframe=record.symbol.timeframe, span=wanted, priority=priority
        )
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

    @property
    def under_way(self) -> int:
        """Requests that are not answered yet."""
        return self._fetching

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
                    while self._may_ask() and (window := self.work.take()):
                        self._fetching += 1
                        group.create_task(self._handle(window))
                    if not self._fetching and self._throttle():
                        break
                    await self._landed.wait()
        except BaseExceptionGroup as group_error:
            raise first_error(group_error) from None

    def _may_ask(self) -> bool:
        return self._fetching < min(int(self._fanout), self._widest()) and self._throttle()

    # ── one window ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _handle(self, window: Window) -> None:
        try:
            answer = await with_retries(self._provider, lambda: self._ask(window))
        finally:
            self._fetching -= 1
            self._landed.set()
        await self._save(answer)

    async def _ask(self, window: Window) -> Answer:
        """Fetch, check, and put what is left of the window back on the list."""
        page = await self._fetch(window.request)
        checked = check(page, self.grid, self._provider.capabilities)
        if beginning := self._perhaps_the_beginning(window, page):
            await self._find_beginning(beginning, page.batch.first if len(page.batch) else None)
        self._refuse_contradiction(window, page)
        if not self.grid.count(window.span):
            # Only what opens between two slots was wanted; the candle that proves it belongs to another range.
            checked = checked.within(window.span)
        self.tally.fresh += self._fresh(checked.batch)
        believed = self.work.settle(window, checked)
        self._adapt(window.span, page)
        return self._answer(page, checked.batch, (*checked.proofs, *believed))

    async def _fetch(self, request: FetchRequest) -> Page:
        async with self._provider.budget.under_way(request.costs, request.priority, by_plugin=True):
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
        self._fanout = min(self._most, self._fanout * 2) if dense else max(1.0, self._fanout / 2)

    # ── the beginning of a market ───────────────────────────────────────────────────────────────────────────────────

    def _perhaps_the_beginning(self, window: Window, page: Page) -> FetchRequest | None:
        """The question that tells whether the market begins in this window, if that may be and nobody has asked yet."""
        if self._beginning_asked:
            return None
        request, batch = window.request, page.batch
        earliest = min(0, self.work.wanted.start)
        if Anchor.START in self._provider.capabilities.anchors:
            # What comes first of all that there is?
            anchored = request.anchor is Anchor.START and len(batch)
            leaps = anchored and self.grid.count(Span(window.span.start, batch.first + 1)) > 1
            span = Span(earliest, batch.first + 1) if leaps else None
        else:
            # Is there anything before what came?
            edge = batch.first if len(batch) else window.span.end
            short = len(batch) + batch.repeated < request.limit
            span = Span(earliest, edge) if short and edge > earliest else None
        costs = self._provider.capabilities.cost(self._wish.kind)
        return replace(request, span=span, limit=1, costs=costs) if span else None

    async def _find_beginning(self, request: FetchRequest, edge: int | None) -> None:
        """Find the market's first candle, so that what lies before it is known as not listed and never asked again.

        Args:
            request: see `_perhaps_the_beginning`.
            edge: the oldest candle that came, if any did.
        """
        span = request.span
        assert span is not None
        self._beginning_asked = True  # before the answer: windows that are under way shall not ask too
        try:
            page = await self._fetch(request)
        except BaseException:
            self._beginning_asked = False
            raise
        if request.anchor is Anchor.START:
            first = edge = page.batch.first if len(page.batch) else None
        else:
            # Nothing before, and twice said so: by the answer that ended here, and by this one.
            first = None if len(page.batch) or page.asserted != span else span.end
        if request.anchor is Anchor.END and len(page.batch):
            self._beginning_asked = False  # not here, but perhaps further back
        if first is None or first == span.start:
            return
        proof = Proof(Span(span.start, first), Evidence.LISTING, CoverageState.NOT_LISTED)
        self.work.prove([proof])
        if edge is not None:
            self._first_candle = edge
            await self._know(replace(self._record.market, listed=edge))
        await self._save(self._answer(page, CandleBatch.empty(), (proof,)))

    async def _know(self, market: Market) -> None:
        registration = Registration(market=market, timeframes=(self._record.symbol.timeframe,))
        if self._register is not None:
            await self._register(registration)
        else:
            await self._kernel.storage().register([registration])
        self._record = replace(self._record, market=market)

    def _refuse_contradiction(self, window: Window, page: Page) -> None:
        """An answer that leaves out the market's first candle, which another gave, is not to be believed."""
        first, batch, span = self._first_candle, page.batch, window.span
        if first is None:
            return
        leaps = window.request.anchor is Anchor.START and len(batch) and span.start <= first < batch.first
        if leaps or (first in span and not len(batch)):
            raise MalformedAnswerError(f"the candle of {iso(first)} is lacking in the answer to {window.request!s}")

    # ── saving ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _answer(self, page: Page, batch: CandleBatch, proofs: tuple[Proof, ...]) -> Answer:
        source = f"{self._provider.name}:{page.request.source}"
        return Answer(
            symbol=self._record.symbol,
            source=source,
            rank=self._provider.capabilities.sources.get(page.request.source, 0),
            answered_at=page.answered_at,
            batch=batch,
            coverage=as_facts(proofs, source, page.answered_at),
            actions=page.actions,
        )

    async def _save(self, answer: Answer) -> None:
        receipt = await self._sink.save(answer)
        self.tally.pages += 1
        if receipt is None:
            return
        self.tally.receipt += receipt
        await self._kernel.emit("save.committed", answer.symbol, rows=len(answer.batch), revised=receipt.revised)
        self._stored = self._stored | Spans.of(fact.span for fact in answer.coverage)
        if self.committed is not None and answer.coverage:
            self.committed(answer.coverage[0].span)


async def read_facts(kernel: Kernel, record: SymbolRecord, span: Span) -> list[Coverage]:
    """What is known of a symbol in a span."""
    return list(await kernel.storage().coverage(CoverageQuery(symbol=record.symbol, span=span)))


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended a group of tasks."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
