"""What a provider's checks stand on: the plugin, the sandbox that it asks, and the truth to compare with."""

import asyncio
import inspect
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

import numpy as np
import pytest

from candle_hookspecs import (
    Anchor,
    CoverageState,
    Evidence,
    FetchRequest,
    LimitFeedback,
    Market,
    MarketQuery,
    Page,
    Span,
)
from candle_testkit.context import OpenGate
from candle_testkit.contracts.scenes import MINUTE, Scene
from candle_testkit.sandbox import Request, Sandbox

UNITS: Final = {
    "s": 1_000, "m": MINUTE, "h": 60 * MINUTE, "d": 1_440 * MINUTE, "w": 10_080 * MINUTE, "M": 44_640 * MINUTE,
    "y": 525_600 * MINUTE,
}  # fmt: skip
"""Milliseconds, a long month and a common year."""
MARGIN: Final = 120 * MINUTE
"""So much of what is in reach may be given up, lest it leaves the reach while it is asked for."""
LATEST_LAG: Final = 2_000
"""Milliseconds by which a moment told in whole seconds may lie behind the clock, with one to spare."""


class Stage:
    """A provider before its sandbox, and what may be asked of both.

    Attributes:
        provider: the plugin under test. sandbox: its exchange, with the clock stopped.
        gate: remembers what the provider spent on its own account.
        columns: the names that its candles must have.
        scene: the exchange's markets, and what is special about its wire.
    """

    def __init__(self, provider: Any, sandbox: Sandbox, gate: OpenGate, columns: Iterable[str], scene: Scene) -> None:
        self.provider, self.sandbox, self.gate = provider, sandbox, gate
        self.columns, self.scene = tuple(columns), scene
        self._number = 0
        self._runner = asyncio.Runner()

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def has(self, hook: str) -> bool:
        """Whether the provider has an optional hook."""
        return hasattr(self.provider, hook)

    def need(self, hook: str) -> None:
        """Leave a check out that is about an optional hook which the provider does not have."""
        if not self.has(hook):
            pytest.skip(f"the provider has no {hook!r}, which is optional")

    def call(self, hook: str, *arguments: Any) -> Any:
        """What the hook returns, awaited if it must be."""
        answer = getattr(self.provider, hook)(*arguments)
        return self._runner.run(_awaited(answer)) if inspect.isawaitable(answer) else answer

    def market(self, name: str) -> Market:
        """The one market of that name."""
        (market,) = self.call("candle_markets", MarketQuery(name=name))
        assert isinstance(market, Market)
        return market

    def request(
        self, span: Span, anchor: Anchor | None = None, limit: int = 0, *, name: str = "", timeframe: str = "1m"
    ) -> FetchRequest:
        """A request for candles as the kernel would make it. The check is left out where it cannot be asked so.

        Args:
            span: the open times that are wanted.
            anchor: the end from which rows are counted; None: one that the provider knows.
            limit: most rows; 0: a whole page.
            name: the market; empty: the scene's `main`.
            timeframe: of the candles.
        """
        able = self.provider.capabilities
        anchor = anchor or able.anchors[0]
        if anchor not in able.anchors:
            pytest.skip(f"it does not count from the {anchor}")
        market = self.market(name or self.scene.main)
        return FetchRequest(
            markets=(market,), timeframe=timeframe, span=span, anchor=anchor, limit=limit or able.page_limit
        )

    def fetch(self, request: FetchRequest) -> Page:
        """One page; it must have cost one request over the wire, and it must claim nothing that is not so.

        Where the scene allows of more, they must have passed the gate.
        """
        self._number, most, before = self.sandbox.ledger.count(), self.scene.requests, len(self.gate.spent)
        page = self.call("candle_fetch", request)
        sent = self.sandbox.ledger.requests()[self._number :]
        told = "exactly one" if most == 1 else f"one to {most}"
        assert 1 <= len(sent) <= most, f"candle_fetch sent {len(sent)} requests; it sends {told}"
        if most > 1:
            paid, own = self.spent(before), sum(one.weight for one in sent[1:])
            assert paid == own, f"of {len(sent)} requests all but the first pass the gate; {paid} was spent for {own}"
        assert isinstance(page, Page), f"candle_fetch returned {page!r}, not a Page"
        self.check_claims(page)
        return page

    def used(self, feedback: LimitFeedback, limit: str) -> float:
        """What is spent of a limit by the exchange's word, be it told as used or as left."""
        if limit in feedback.used:
            return feedback.used[limit]
        (amount,) = [one.amount for one in self.provider.capabilities.limits if one.name == limit]
        return float(amount - feedback.remaining[limit])

    def spent(self, since: int = 0) -> float:
        """What the provider spent at the gate on its own account, from its spending of this number on."""
        return sum(costs.get(self.scene.own_meter, 0) for costs in self.gate.spent[since:])

    def asked(self) -> Request:
        """The request that the last page came from."""
        return self.sandbox.ledger.requests()[self._number]

    def body(self) -> bytes:
        """The body that answers it, fetched once more by other means."""
        one = self.asked()
        with urlopen(f"{self.sandbox.url}{one.path}?{urlencode(one.params)}") as answer:  # noqa: S310 (loopback)
            body: bytes = answer.read()
        return body

    def close(self) -> None:
        """Close the provider and the event loop."""
        if self.has("candle_close"):
            self.call("candle_close")
        self._runner.run(asyncio.sleep(0.01))
        self._runner.close()

    # ── judging ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def truth(self, request: FetchRequest, span: Span, *, told: bool = True) -> dict[str, Any]:
        """The sandbox's own candles, the open one included; with `told` not where the exchange has no candle of it."""
        timeframe = request.timeframe or ""
        include_open = not told or timeframe not in self.scene.live
        return self.sandbox.ledger.candles(
            request.market.native_id, timeframe, span.start, span.end, include_open=include_open
        )

    def check_rows(self, page: Page) -> None:
        """The page holds the true rows nearest to the anchor: all of them, in order, value by value."""
        request, batch = page.request, page.batch
        span, count = request.span, len(batch)
        assert span is not None
        assert count <= request.limit, f"{count} rows came for a limit of {request.limit}"
        if request.anchor is Anchor.START:
            reach = Span(span.start, max(span.end, batch.last + 1) if count else span.end)
            nearest = slice(0, count)
        else:
            reach = Span(min(span.start, batch.first) if count else span.start, span.end)
            nearest = slice(-count, None)
        truth = self.truth(request, reach)
        wanted = min(request.limit, int(np.count_nonzero(_inside(truth["open_time"], span))))
        assert count >= wanted, f"{count} rows came where {wanted} exist within the limit: {request!s}"
        if not count:
            return
        columns = batch.columns()
        for name in self.columns:
            assert name in columns, f"the column {name!r} is missing"
            np.testing.assert_array_equal(columns[name], truth[name][nearest], f"column {name!r} of {request!s}")

    def check_existence(self, page: Page) -> None:
        """The page holds no candle that does not exist."""
        batch = page.batch
        if len(batch):
            truth = self.truth(page.request, Span(batch.first, batch.last + 1))["open_time"]
            invented = np.setdiff1d(batch.open_time, truth)
            assert not len(invented), f"{len(invented)} candles never were, from {invented[0]} on"

    def check_reach(self, page: Page, lost: Span, edge: int) -> int:
        """The page declares all of `lost` out of reach, and little behind the edge. Returns until when it does."""
        parts = [proof.span for proof in page.proofs if proof.state is CoverageState.OUT_OF_REACH]
        assert covers(parts, lost), f"{lost} is out of reach, and the page says so of {parts}"
        end = max(part.end for part in parts)
        assert end <= edge + MARGIN, f"{parts} reach too far: the exchange answers from {edge} on"
        return end

    def check_claims(self, page: Page) -> None:
        """No proof covers a candle that exists and that the page lacks; what a short page does not say is asserted."""
        request, span, now = page.request, page.request.span, self.sandbox.clock.now()
        assert span is not None
        for proof in page.proofs:
            if proof.state is CoverageState.OUT_OF_REACH:
                assert proof.evidence is Evidence.DECLARED, f"{proof}: who cannot answer for a span must declare it"
                continue
            there = self.truth(request, proof.span, told=False)["open_time"]
            lacking = there if proof.state is not CoverageState.ANSWERED else np.setdiff1d(there, page.batch.open_time)
            assert not len(lacking), f"{proof} covers {len(lacking)} candles that the page lacks, from {lacking[0]} on"
        said = [proof.span for proof in page.proofs] + ([page.asserted] if page.asserted else [])
        if len(page.batch) + page.batch.repeated < request.limit:
            assert covers(said, span), f"a short page must prove or assert all of {span}; it speaks of {said}"
        if page.asserted:
            assert span.intersect(page.asserted) == page.asserted, f"{page.asserted} was not asked for"
        assert page.answered_at <= now, f"answered_at {page.answered_at} is later than the exchange's clock, {now}"
        assert page.answered_at > now - LATEST_LAG, f"answered_at {page.answered_at} is older than the answer, {now}"
        assert page.size > 0, "the size of the body is unknown"


def covers(parts: Iterable[Span], span: Span) -> bool:
    """Whether the parts leave nothing of the span out."""
    reached = span.start
    for part in sorted(parts):
        if part.start > reached:
            return False
        reached = max(reached, part.end)
    return reached >= span.end


async def _awaited(answer: Any) -> Any:
    return await answer


def _inside(times: Any, span: Span) -> Any:
    return (times >= span.start) & (times < span.end)
