"""How a provider is asked for tickers, order books and trades, and how what comes is judged."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from candle_hookspecs import (
    Anchor,
    FetchRequest,
    Kind,
    Market,
    MarketQuery,
    Page,
    PluginContext,
    Span,
    Trade,
)
from candle_testkit.context import OpenGate, make_context
from candle_testkit.contracts.scenes import BINANCE, Scene
from candle_testkit.contracts.stage import LATEST_LAG, Stage
from candle_testkit.sandbox import Sandbox

PLACES: Final = Decimal("0.00000001")
"""The sandbox counts in these and, where a scene `pads`, writes every decimal with so many places."""


class MarketDataHarness:
    """What an adopter gives, and what the checks use."""

    name: ClassVar[str]
    scene: ClassVar[Scene] = BINANCE
    counted: ClassVar[int] = 2_500

    def build(self, url: str, context: PluginContext) -> Any:
        """The provider, asking the exchange at `url`."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls) -> Iterator[Sandbox]:
        """One exchange for all checks."""
        with cls.scene.open() as sandbox:
            yield sandbox

    @pytest.fixture
    def stage(self, sandbox: Sandbox, tmp_path: Path) -> Iterator[Stage]:
        """A provider of its own for each check, which knows the exchange's clock."""
        sandbox.faults.clear()
        sandbox.forgive()
        gate = OpenGate()
        provider = self.build(sandbox.url, make_context(tmp_path, self.name, budget=gate))
        stage = Stage(provider, sandbox, gate, (), self.scene)
        stage.call("candle_markets", MarketQuery(name=self.scene.main))
        sandbox.ledger.clear()
        yield stage
        stage.close()

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def fetch(self, stage: Stage, call: FetchRequest) -> Page:
        """One answer: one request on the wire that weighs what the call said, and its moment."""
        before = stage.sandbox.ledger.count()
        page = stage.call("candle_fetch", call)
        assert isinstance(page, Page), f"candle_fetch returned {page!r}, not a Page"
        (sent,) = stage.sandbox.ledger.requests()[before:]
        assert set(call.costs.values()) == {sent.weight}, f"{call.costs} for what weighs {sent.weight}"
        self.check_moment(stage, page.answered_at)
        assert page.size > 0, "the size of the body is not told"
        told = set(page.feedback.used) | set(page.feedback.remaining)
        assert told <= {limit.name for limit in stage.provider.capabilities.limits}, f"feedback of {told}"
        assert told or self.scene.meter is None, "what the headers say of limits is not told"
        return page

    def ask_state(self, stage: Stage, kind: Kind) -> Page:
        """One answer for the two markets that trade."""
        markets = (stage.market(self.scene.main), stage.market(self.scene.other))
        (call,) = split(stage, FetchRequest(kind=kind, markets=markets))
        return self.fetch(stage, call)

    def follow(self, stage: Stage, span: Span | None, limit: int) -> list[Page]:
        """Every page of a wish for trades, the rest of each answer included."""
        wish = FetchRequest(
            kind=Kind.TRADES, markets=(stage.market(self.scene.main),), span=span, limit=limit,
            anchor=stage.provider.capabilities.anchors[0] if span else Anchor.END,
        )  # fmt: skip
        calls, pages = list(split(stage, wish)), list[Page]()
        while calls and len(pages) < 100:
            pages.append(self.fetch(stage, calls.pop(0)))
            calls.extend(pages[-1].rest)
        assert not calls, "a hundred calls, and still a rest"
        return pages

    # ── judging ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def check_trades(self, stage: Stage, pages: Sequence[Page], count: int) -> None:
        """They are the newest so many."""
        self.check_rows(stage, pages, stage.sandbox.ledger.newest_trades(self.scene.main, count).tolist())

    def check_rows(self, stage: Stage, pages: Sequence[Page], truth: list[tuple[int, ...]]) -> None:
        """The pages together hold just these, and each is in order, inside its span, and within its limit."""
        for page in pages:
            request, trades = page.request, page.trades
            assert [one.at for one in trades] == sorted(one.at for one in trades), "oldest first"
            assert not request.limit or len(trades) <= request.limit, f"{len(trades)} for a limit of {request.limit}"
            assert request.span is None or all(one.at in request.span for one in trades), "outside of the span"
        found = [one for page in pages for one in page.trades]
        assert len({one.id for one in found}) == len(found), "two trades have one id, or one came twice"
        assert all(one.market == stage.market(self.scene.main) for one in found[:1]), "of another market"
        assert sorted(_key(one) for one in found) == sorted(row[1:] for row in truth), (
            f"{len(found)} trades came, {len(truth)} are true; or a price, an amount or a side is wrong"
        )
        assert all(self.exact(value) for one in found for value in (one.price, one.amount)), "not the wire's digits"

    def check_moment(self, stage: Stage, at: int) -> None:
        """It is the exchange's clock, or up to two seconds before."""
        now = stage.sandbox.clock.now()
        assert now - LATEST_LAG < at <= now, f"{at} is not the moment of the answer, {now}"

    def check_day(self, stage: Stage, market: Market, since: int, prices: Sequence[Decimal | None]) -> None:
        """Opening, high and low of a market's last day that traded."""
        now = stage.sandbox.clock.now()
        rows = stage.sandbox.ledger.rows(market.native_id, "1d", since, now + 1, include_open=True)
        opened = rows["open_time"].tolist()
        assert opened == [since], f"the last day that traded does not begin at {since}: {opened}"
        truth = [int(rows[name][0]) for name in ("open", "high", "low")]
        assert all(self.same(*pair) for pair in zip(prices, truth, strict=True)), f"{prices}, not {truth} e-8"

    def exact(self, value: Any) -> bool:
        """Whether it is a decimal of as many digits as on the wire."""
        if not isinstance(value, Decimal):
            return False
        _, digits, exponent = value.as_tuple()
        if self.scene.pads:
            return exponent == PLACES.as_tuple().exponent
        return exponent == 0 or (isinstance(exponent, int) and exponent < 0 and digits[-1] != 0)

    def same(self, value: Decimal | None, units: int) -> bool:
        """Whether a decimal is so many units of 1e-8, written as on the wire."""
        return value is not None and self.exact(value) and value == units * PLACES


def split(stage: Stage, request: FetchRequest) -> Sequence[FetchRequest]:
    """The calls: the provider's own or, where it leaves it to the kernel, groups of as many markets as it says."""
    own = stage.provider.candle_split(request) if hasattr(stage.provider, "candle_split") else None
    if own is not None:
        calls: Sequence[FetchRequest] = own
        return calls
    able, names = stage.provider.capabilities, request.markets
    size = able.most_markets(request.kind)
    groups = [names[start : start + size] for start in range(0, len(names), size)]
    return [replace(request, markets=group, costs=able.cost(request.kind)) for group in groups]


def able_to(stage: Stage, kind: Kind) -> Any:
    """The capabilities; the check is left out where they lack the kind."""
    able = stage.provider.capabilities
    if kind not in able.kinds:
        pytest.skip(f"it has no {kind}")
    return able


def _key(trade: Trade) -> tuple[int, ...]:
    """A trade as the ledger has it, without its number."""
    return trade.at, int(trade.price / PLACES), int(trade.amount / PLACES), int(bool(trade.taker_is_buyer))
