"""What every provider of candles must do, checked against a sandbox exchange that knows the truth.

    from candle_testkit.contracts.provider import ProviderContract

    class TestExample(ProviderContract):
        name = "example"

        def build(self, url, context):
            return ExampleProvider(ExampleProvider.Settings(rest_url=url), context)

The sandbox speaks the wires of the scenes in `candle_testkit.contracts.scenes`; say which one is the provider's. A
provider of another exchange overrides `open_sandbox` with an exchange of its own that has the same `url`, `clock`,
`faults` and `ledger`, and describes it by a scene of its own.
"""

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import pluggy
import pytest

from candle_hookspecs import (
    COLUMNS,
    CONTRACT_VERSION,
    PROJECT,
    Anchor,
    BadRequestError,
    CandleSpecs,
    CoverageState,
    Evidence,
    FetchRequest,
    Kind,
    MalformedAnswerError,
    Market,
    MarketGoneError,
    MarketQuery,
    MarketStatus,
    Page,
    PluginContext,
    ProviderError,
    RateLimitedError,
    Settings,
    Span,
    TransientError,
    WarmupScope,
)
from candle_testkit.context import OpenGate, make_context
from candle_testkit.contracts.scenes import ABSENCES, BINANCE, MINUTE, Scene
from candle_testkit.contracts.stage import LATEST_LAG, UNITS, Stage
from candle_testkit.sandbox import Sandbox

FAULTS: Final = [
    # what the exchange does, the error it must become, an error that it must not become
    pytest.param("status", {"status": 500}, TransientError, MalformedAnswerError, id="500"),
    pytest.param("html", {"status": 503}, TransientError, MalformedAnswerError, id="503-html"),
    pytest.param("html", {"status": 403}, ProviderError, (TransientError, RateLimitedError), id="403-html"),
    pytest.param("html", {"status": 200}, MalformedAnswerError, (), id="200-html"),
    pytest.param("reset", {}, TransientError, MalformedAnswerError, id="reset"),
    pytest.param("truncated", {}, TransientError, (), id="truncated"),
    pytest.param("wrong_shape", {"shape": "object"}, MalformedAnswerError, (), id="object"),
    pytest.param("wrong_shape", {"shape": "short_row"}, MalformedAnswerError, (), id="short-row"),
    pytest.param("wrong_shape", {"shape": "null_price"}, MalformedAnswerError, (), id="null-price"),
    pytest.param("nan", {}, MalformedAnswerError, (), id="nan"),
    pytest.param("reordered", {}, MalformedAnswerError, (), id="reordered"),
    pytest.param("other_range", {}, MalformedAnswerError, (), id="other-range"),
]
WRONG_NAMES: Final = {
    # what is asked for, made of another market's base and quote; that base is `cut` and `last`
    "unknown-pair": "NOPE/{quote}",
    "unknown": "NOPE",
    "slash-moved": "{cut}/{last}{quote}",
    "settled": "{base}/{quote}:{quote}",
    "blank": "{base} {quote}",
    "slash": "/",
    "long": "x" * 40,
}
anchors = pytest.mark.parametrize("anchor", list(Anchor), ids=str)


class ProviderContract:
    """The checks. Subclass it under a name that pytest collects, and say how to `build` the provider.

    Attributes:
        name: what the provider stands under in the TOML.
        columns: the candle columns that the exchange gives.
        scene: the exchange that it is checked on.
    """

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]] = COLUMNS
    scene: ClassVar[Scene] = BINANCE

    def build(self, url: str, context: PluginContext) -> Any:
        """The provider, asking the exchange at `url`."""
        raise NotImplementedError

    @classmethod
    def open_sandbox(cls) -> Sandbox:
        """The exchange, with the markets of the scene and a clock that stands still."""
        return cls.scene.open()

    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls) -> Iterator[Sandbox]:
        """One exchange for all checks."""
        with cls.open_sandbox() as sandbox:
            yield sandbox

    @pytest.fixture
    def stage(self, sandbox: Sandbox, tmp_path: Path) -> Iterator[Stage]:
        """A provider of its own for each check, before an exchange that has forgotten the last."""
        sandbox.faults.clear()
        sandbox.forgive()
        sandbox.ledger.clear()
        gate = OpenGate()
        provider = self.build(sandbox.url, make_context(tmp_path, self.name, budget=gate))
        stage = Stage(provider, sandbox, gate, self.columns, self.scene)
        yield stage
        stage.close()

    # ── what it says of itself ──────────────────────────────────────────────────────────────────────────────────────

    def test_capabilities_are_sane(self, stage: Stage) -> None:
        """What it says it can do fits together: every cost names a declared limit, every grid a timeframe."""
        able = stage.provider.capabilities
        assert able.contract == CONTRACT_VERSION
        assert Kind.CANDLES in able.kinds
        assert able.tradetypes
        assert all(name == name.upper() for name in (*able.tradetypes, able.archetype))
        assert able.timeframes
        assert len(set(able.timeframes)) == len(able.timeframes)
        assert able.anchors
        assert min(able.page_limit, able.concurrency) >= 1
        assert min(able.settle, able.doubt) >= 0
        amounts = {limit.name: limit.amount for limit in able.limits}
        assert all(limit.amount > 0 and limit.period > 0 for limit in able.limits)
        for kind, costs in able.costs.items():
            for name, cost in costs.items():
                assert 0 < cost <= amounts.get(name, 0), f"{kind} costs {cost} of {name!r}; the limits are {amounts}"
        assert set(able.grid) <= set(able.timeframes)

    def test_hooks_are_known(self, stage: Stage) -> None:
        """Every hook it marks is one of the contract's, and its settings are a model that refuses unknown keys."""
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(CandleSpecs)
        manager.register(stage.provider)
        manager.check_pending()
        assert issubclass(type(stage.provider).Settings, Settings)

    # ── markets ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_listing_has_every_market_once_and_exactly(self, stage: Stage) -> None:
        """The listing has every market once, with exact steps and the right status."""
        markets = stage.call("candle_markets", MarketQuery())
        listed = stage.scene.listed
        assert sorted(market.native_id for market in markets) == sorted(listed)
        for market in markets:
            wanted = listed[market.native_id]
            assert (market.base, market.quote) == (wanted.base, wanted.quote)
            assert market.ccxt_symbol == wanted.symbol
            assert market.exchange == self.name.upper()
            steps = tuple(None if step is None else Decimal(step) for step in (wanted.tick, wanted.step))
            assert (market.price_tick, market.amount_step) == steps
            assert (market.status is MarketStatus.TRADING) == wanted.trading
            bounds = [getattr(market, one.name) for one in fields(Market) if one.name.startswith(("min_", "max_"))]
            assert all(bound is None or isinstance(bound, Decimal) for bound in bounds)

    def test_orders_can_be_rounded_to_what_is_listed(self, stage: Stage) -> None:
        """Ticks, also those of a table, and steps are above zero; no limit is below."""
        for market in stage.call("candle_markets", MarketQuery()):
            table = market.tick_table  # reads the text of one, and refuses what is none
            ticks = [tick for one in table.tables for _, tick in one.bands] if table else []
            assert all(step > 0 for step in (*ticks, market.amount_step) if step is not None), market
            bounds = [getattr(market, one.name) for one in fields(Market) if one.name.startswith(("min_", "max_"))]
            assert all(bound >= 0 for bound in bounds if bound is not None), market

    def test_listing_is_filtered(self, stage: Stage) -> None:
        """A listing by status or trade type leaves the others out."""
        closed = stage.call("candle_markets", MarketQuery(status=MarketStatus.TRADING))
        assert {market.native_id for market in closed} == stage.scene.trading
        assert not stage.call("candle_markets", MarketQuery(tradetype="NO-SUCH-TYPE"))

    @pytest.mark.parametrize("lower", [False, True], ids=["as-listed", "lower"])
    @pytest.mark.parametrize("spelling", ["ccxt_symbol", "native_id"])
    def test_one_market_by_any_of_its_names(self, stage: Stage, spelling: str, lower: bool) -> None:
        """By ccxt's symbol or native id, in any case, comes the market that the listing has."""
        listing = stage.call("candle_markets", MarketQuery())
        (wanted,) = [market for market in listing if market.native_id == stage.scene.other]
        name = getattr(wanted, spelling)
        assert stage.market(name.lower() if lower else name) == wanted

    @pytest.mark.parametrize("pattern", WRONG_NAMES.values(), ids=WRONG_NAMES)
    def test_unknown_market_is_an_empty_list(self, stage: Stage, pattern: str) -> None:
        """A name that no market has is answered by an empty list, not by an error or another market."""
        other = stage.scene.listed[stage.scene.other]
        name = pattern.format(base=other.base, quote=other.quote, cut=other.base[:-1], last=other.base[-1:])
        assert list(stage.call("candle_markets", MarketQuery(name=name))) == []

    def test_own_requests_pass_the_gate(self, stage: Stage) -> None:
        """What it sends on its own account is spent before and observed after, to the last unit."""
        scene = stage.scene
        for query in (MarketQuery(), MarketQuery(name=scene.listed[scene.other].symbol)):
            stage.call("candle_markets", query)
        if stage.has("candle_warmup"):
            stage.call("candle_warmup", WarmupScope())
        spent = stage.spent()
        assert spent == sum(request.weight for request in stage.sandbox.ledger.requests())
        if scene.meter is not None:
            assert [stage.used(feedback, scene.own_meter) for feedback in stage.gate.observed][-1:] == [spent]

    # ── a page ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @anchors
    @pytest.mark.parametrize("limit", [1, 7, 0])
    def test_page_holds_the_rows_nearest_to_its_anchor(self, stage: Stage, anchor: Anchor, limit: int) -> None:
        """In the middle of history a page is the true rows nearest to the anchor, as many as the limit allows."""
        request = self._request(stage, stage.scene.day, anchor, limit)
        there = len(stage.truth(request, stage.scene.day)["open_time"])
        assert there > 7, "the day is not as the scene says"
        page = stage.fetch(request)
        # Rows beyond the day are welcome, so what is there is the least.
        assert min(request.limit, there) <= len(page.batch) <= request.limit
        stage.check_rows(page)

    @anchors
    def test_every_timeframe(self, stage: Stage, anchor: Anchor) -> None:
        """Every timeframe it declares is the exchange's own."""
        for timeframe in stage.provider.capabilities.timeframes:
            span = Span(stage.scene.now - 8 * int(timeframe[:-1]) * UNITS[timeframe[-1]], stage.scene.now)
            stage.check_rows(stage.fetch(self._request(stage, span, anchor, 5, timeframe=timeframe)))

    @anchors
    def test_open_candle_is_there(self, stage: Stage, anchor: Anchor) -> None:
        """The candle still open comes too; the kernel decides what is final."""
        now = stage.scene.now
        page = stage.fetch(self._request(stage, Span(now - 10 * MINUTE, now + 10 * MINUTE), anchor, 100))
        stage.check_rows(page)
        assert page.batch.last == now - now % MINUTE

    @anchors
    @pytest.mark.parametrize("case", ABSENCES)
    def test_where_candles_are_absent(self, stage: Stage, anchor: Anchor, case: str) -> None:
        """A hole longer than a page, before listing, after delisting, the future: true rows, no false claim.

        Where the exchange forgets what is delisted, that market is gone, from the list too.
        """
        role, span = stage.scene.absences[case]
        name, request = stage.scene.name(role), self._request(stage, span, anchor)
        if role == "ended" and stage.scene.forgets:
            assert not stage.call("candle_markets", MarketQuery(name=name))
            ended = replace(request, markets=(replace(request.market, native_id=name),))
            with pytest.raises(MarketGoneError):
                stage.call("candle_fetch", ended)
            return
        stage.check_rows(stage.fetch(self._request(stage, span, anchor, name=name)))

    @anchors
    def test_walk_loses_and_repeats_nothing(self, stage: Stage, anchor: Anchor) -> None:
        """Page after page across a hole, a quiet stretch and rows off the grid, every candle comes once."""
        whole = stage.scene.walked
        request = self._request(stage, whole, anchor, min(300, stage.provider.capabilities.page_limit))
        truth = stage.truth(request, whole)["open_time"]
        assert len(truth) == stage.scene.walk, "this stretch of history is not as the scene says"
        left, found = whole, np.empty(0, np.int64)
        for _ in range(len(truth) // request.limit + 2):
            page = stage.fetch(self._request(stage, left, anchor, request.limit))
            stage.check_rows(page)
            found = np.append(found, page.batch.between(whole).open_time)
            done = page.proofs[0].span if page.proofs else left
            if done.start <= left.start and done.end >= left.end:
                break
            left = Span(done.end, left.end) if anchor is Anchor.START else Span(left.start, done.start)
        np.testing.assert_array_equal(np.sort(found), truth)

    def test_what_is_out_of_reach_is_declared(self, stage: Stage) -> None:
        """What the exchange looks back to no more is declared out of reach, never empty; what is nearer is there."""
        if not stage.scene.reach:
            pytest.skip("the exchange looks back to the beginning")
        for timeframe, reach in stage.scene.reach.items():
            edge, anchor = stage.scene.now - reach, stage.provider.capabilities.anchors[0]
            lost = Span(edge - 9 * UNITS["d"], edge - 3 * UNITS["d"])
            page = stage.call("candle_fetch", self._request(stage, lost, anchor, timeframe=timeframe))
            told = {(proof.state, proof.evidence) for proof in page.proofs}
            assert told == {(CoverageState.OUT_OF_REACH, Evidence.DECLARED)}, f"{lost} is out of reach, not {told}"
            assert (len(page.batch), page.asserted) == (0, None)
            stage.check_reach(page, lost, edge)
            across = Span(edge - UNITS["d"], edge + 3 * UNITS["d"])
            page = stage.fetch(self._request(stage, across, anchor, timeframe=timeframe))
            left = Span(stage.check_reach(page, Span(across.start, edge), edge), across.end)
            assert len(page.batch.between(left)), "this stretch of history is not as the scene says"
            stage.check_rows(replace(page, request=replace(page.request, span=left)))

    @anchors
    @pytest.mark.parametrize(
        ("kind", "options"),
        [("lying_empty", {}), ("one_row", {"keep": "first"}), ("one_row", {"keep": "last"}), ("duplicates", {}),
         ("short", {"rows": 100, "side": "last"}), ("short", {"rows": 100, "side": "first"})],
    )  # fmt: skip
    def test_lies_are_asserted_at_most(self, stage: Stage, anchor: Anchor, kind: str, options: dict[str, Any]) -> None:
        """An answer that leaves rows out is not believed where a second look can tell."""
        day = stage.scene.day
        request = self._request(stage, Span(day.start, min(day.start + 500 * MINUTE, day.end)), anchor)
        stage.sandbox.faults.script(kind, **options)
        page = stage.call("candle_fetch", request)
        stage.check_existence(page)
        # Rows left out next to the anchor cannot be noticed in one answer; between anchor and far end they can.
        near = (kind, options.get("keep", options.get("side")))
        unseen = {
            Anchor.START: {("one_row", "last"), ("short", "first")},
            Anchor.END: {("one_row", "first"), ("short", "last")},
        }
        if near not in unseen[anchor]:
            stage.check_claims(page)
        if kind == "lying_empty":
            assert (page.proofs, page.asserted) == ((), request.span)

    def test_feedback_is_what_the_exchange_counted(self, stage: Stage) -> None:
        """`Page.feedback` says what the exchange says was spent."""
        meter = stage.scene.meter
        if meter is None:
            pytest.skip("the wire tells nothing of what was spent")
        request = self._request(stage, stage.scene.day, stage.provider.capabilities.anchors[0])
        for _ in range(3):
            page = stage.fetch(request)
            charged = [one for one in stage.sandbox.ledger.requests() if one.limit == stage.asked().limit]
            assert stage.used(page.feedback, meter) == sum(one.weight for one in charged)

    def test_decode_reads_the_wire(self, stage: Stage) -> None:
        """`candle_decode` makes of the wire's own body, or of its parsed rows, what `candle_fetch` returned."""
        page = stage.fetch(self._request(stage, stage.scene.day, stage.provider.capabilities.anchors[0]))
        body = stage.body()
        assert stage.call("candle_decode", body) == page.batch
        assert stage.call("candle_decode", json.loads(body)) == page.batch

    @pytest.mark.parametrize("raw", [b"", b"<html>", b"{}", b"[1]", b"[[1]]", [["x"] * 12], [[1, "2"]], None], ids=repr)
    def test_decode_refuses_what_are_no_candles(self, stage: Stage, raw: Any) -> None:
        """What are no candles is refused, never guessed at."""
        with pytest.raises(MalformedAnswerError):
            stage.call("candle_decode", raw)

    # ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize(("kind", "options", "error", "unlike"), FAULTS)
    def test_fault_becomes_its_error(
        self, stage: Stage, kind: str, options: dict[str, Any], error: type[ProviderError], unlike: Any
    ) -> None:
        """Every way in which an exchange fails becomes its error of the tree, after one request."""
        caught = self._caught(stage, error, kind, **options)
        assert not isinstance(caught, unlike)

    @pytest.mark.parametrize(("kind", "wait"), [("rate_limited", 7), ("banned", 120)])
    def test_limit_is_told_with_its_wait(self, stage: Stage, kind: str, wait: int) -> None:
        """429 and 418 come with the exchange's own wait; a ban is told from a slowdown."""
        caught = self._caught(stage, RateLimitedError, kind, retry_after=wait)
        assert isinstance(caught, RateLimitedError)
        banned = kind == "banned" and stage.scene.tells_bans
        assert (caught.retry_after, caught.banned) == (stage.scene.waits.get(kind, wait), banned)

    def test_unknown_names_are_told(self, stage: Stage) -> None:
        """A timeframe that the exchange does not have is a bad request, a market that it does not have is gone."""
        request = self._request(stage, stage.scene.day, stage.provider.capabilities.anchors[0])
        with pytest.raises(BadRequestError):
            stage.call("candle_fetch", replace(request, timeframe="7m"))
        symbol = request.market.ccxt_symbol.replace(request.market.base, "GONE")
        gone = replace(request.market, native_id=stage.scene.absent, ccxt_symbol=symbol, base="GONE")
        with pytest.raises(MarketGoneError):
            stage.call("candle_fetch", replace(request, markets=(gone,)))

    # ── a session ───────────────────────────────────────────────────────────────────────────────────────────────────

    def test_warmup_reads_the_exchange_clock(self, stage: Stage) -> None:
        """The warm-up reads the exchange's clock by one request, and lists markets only if asked."""
        stage.need("candle_warmup")
        clock = stage.provider.context.clock
        before = clock.now()
        info = stage.call("candle_warmup", WarmupScope())
        assert before <= info.local_time <= clock.now()
        assert stage.scene.now - LATEST_LAG < info.server_time <= stage.scene.now
        assert not info.markets
        assert stage.sandbox.ledger.count() <= 1
        listing = stage.call("candle_markets", MarketQuery())
        assert list(stage.call("candle_warmup", WarmupScope(markets=True)).markets) == list(listing)

    def test_close_may_come_twice(self, stage: Stage) -> None:
        """Closing twice is harmless."""
        stage.fetch(self._request(stage, stage.scene.day, stage.provider.capabilities.anchors[0], 1))
        stage.call("candle_close")
        stage.call("candle_close")

    # ── how ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def _request(
        stage: Stage, span: Span, anchor: Anchor, limit: int = 0, *, name: str = "", timeframe: str = "1m"
    ) -> FetchRequest:
        if anchor not in stage.provider.capabilities.anchors:
            pytest.skip(f"it does not count from the {anchor}")
        return stage.request(name or stage.scene.main, timeframe, span, anchor, limit)

    def _caught(self, stage: Stage, error: type[ProviderError], kind: str, **options: Any) -> ProviderError:
        """The error that a fault became; it must have cost one request, and the next one must be answered."""
        request = self._request(stage, stage.scene.day, stage.provider.capabilities.anchors[0], 50)
        tries = 2 if kind == "reset" and stage.scene.reconnects else 1
        stage.sandbox.faults.script(kind, times=tries, **options)
        stage.sandbox.ledger.clear()
        with pytest.raises(error) as caught:
            stage.call("candle_fetch", request)
        assert stage.sandbox.ledger.count() == tries, "a provider tries once; retries belong to the kernel"
        assert isinstance(stage.fetch(request), Page)
        return caught.value
