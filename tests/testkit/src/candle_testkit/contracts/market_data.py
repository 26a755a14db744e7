"""What a provider of tickers, order books or trades must do, checked against a sandbox that knows the truth.

    from candle_testkit.contracts.market_data import MarketDataContract

    class TestExampleMarketData(MarketDataContract):
        name = "example"

        def build(self, url, context):
            return ExampleProvider(ExampleProvider.Settings(rest_url=url), context)

A kind that `capabilities.kinds` does not name is skipped. The sandbox speaks the wires of Binance, Upbit and, for
tickers of stocks, Yahoo; say which of their scenes is the provider's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from candle_hookspecs import (
    Anchor,
    FetchRequest,
    Kind,
    Market,
    MarketGoneError,
    MarketQuery,
    Page,
    PluginContext,
    ProviderError,
    RateLimitedError,
    Span,
    Trade,
    TransientError,
)
from candle_testkit.context import OpenGate, make_context
from candle_testkit.contracts.scenes import BINANCE, MINUTE, Scene
from candle_testkit.contracts.stage import LATEST_LAG, Stage
from candle_testkit.sandbox import Sandbox

STATES: Final = (Kind.TICKERS, Kind.ORDERBOOKS)
PLACES: Final = Decimal("0.00000001")
"""The sandbox counts in these and, where a scene `pads`, writes every decimal with so many places."""
BEST: Final = ("bid", "bid_amount", "ask", "ask_amount")
FAULTS: Final = [
    pytest.param("status", {"status": 500}, TransientError, id="500"),
    pytest.param("html", {"status": 503}, TransientError, id="503-html"),
    pytest.param("html", {"status": 200}, TransientError, id="200-html"),
    pytest.param("truncated", {}, TransientError, id="truncated"),
    pytest.param("reset", {}, TransientError, id="reset"),
    pytest.param("rate_limited", {"retry_after": 7}, RateLimitedError, id="429"),
    pytest.param("banned", {"retry_after": 130}, RateLimitedError, id="418"),
]
each_kind = pytest.mark.parametrize("kind", [*STATES, Kind.TRADES], ids=str)
each_state = pytest.mark.parametrize("kind", STATES, ids=str)


class MarketDataContract:
    """The checks. Subclass it under a name that pytest collects, and say how to `build` the provider.

    Attributes:
        name: what the provider stands under in the TOML.
        scene: the exchange that it is checked on.
        counted: how many trades are asked for at once where many are: more than two answers hold.
    """

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

    # ── what it says of itself ──────────────────────────────────────────────────────────────────────────────────────

    @each_kind
    def test_what_it_has_it_describes(self, stage: Stage, kind: Kind) -> None:
        """Costs name declared limits, and how much one answer holds is said."""
        able = _able(stage, kind)
        limits = {limit.name for limit in able.limits}
        assert able.cost(kind), f"capabilities.costs says nothing of {kind}"
        assert set(able.cost(kind)) <= limits, f"{able.cost(kind)} names no limit of {sorted(limits)}"
        assert able.most_markets(kind) >= 1, "a call names at least one market"
        assert able.most_markets(Kind.TRADES) == able.most_markets(Kind.CANDLES) == 1, "one market a call for rows"
        assert kind is Kind.TICKERS or able.most_rows(kind) >= 1, f"capabilities.rows says nothing of {kind}"

    @each_kind
    @pytest.mark.parametrize("count", [1, 2, 20, 21, 100, 101, 2_000])
    def test_calls_name_every_market_once(self, stage: Stage, kind: Kind, count: int) -> None:
        """Whatever the number of markets, the calls name each of them once, and say what they cost."""
        able, one = _able(stage, kind), stage.market(self.scene.main)
        markets = tuple(replace(one, native_id=f"{one.native_id}{number}") for number in range(count))
        calls = split(stage, FetchRequest(kind=kind, markets=markets))
        assert [market for call in calls for market in call.markets] == list(markets), "each market once, in order"
        for call in calls:
            assert call.costs, f"a call for {len(call.markets)} markets costs nothing"
            assert set(call.costs) <= {limit.name for limit in able.limits}, f"{call.costs} names no limit"
        assert len(calls) <= ceil(count / able.most_markets(kind)), f"{len(calls)} calls for {count} markets"

    # ── tickers and books ───────────────────────────────────────────────────────────────────────────────────────────

    def test_tickers_are_true(self, stage: Stage) -> None:
        """Every field of every ticker is what the exchange has, digit for digit."""
        _able(stage, Kind.TICKERS)
        page = self.ask_state(stage, Kind.TICKERS)
        assert len(page.tickers) == len(page.request.markets), "one ticker for each market"
        for ticker in page.tickers:
            truth = _ticker_truth(stage, ticker.market)
            self.check_moment(stage, ticker.at)
            told: dict[str, Decimal | None] = {
                name: getattr(ticker, name) for name in ("last", "volume", "quote_volume") if name in truth
            }
            told |= {name: value for name in BEST if (value := getattr(ticker, name)) is not None}
            if ticker.since == truth["opened"]:
                told |= {"open": ticker.open, "high": ticker.high, "low": ticker.low}
            elif ticker.since is not None:
                self.check_day(stage, ticker.market, ticker.since, [ticker.open, ticker.high, ticker.low])
            for name, value in told.items():
                assert name in truth, f"{name} of {ticker.market.native_id}: {value}, where the exchange does not say"
                said = f"{name} of {ticker.market.native_id}: {value}, not {truth[name]}e-8"
                assert self.same(value, truth[name]), said
            assert ticker.trades in (None, truth["trades"]), f"trades: {ticker.trades}, not {truth['trades']}"

    @pytest.mark.parametrize("levels", [1, 5, 0])
    def test_books_are_true(self, stage: Stage, levels: int) -> None:
        """Every level of both sides is what the exchange has, best first, no more than asked for, and never crossed."""
        _able(stage, Kind.ORDERBOOKS)
        names = [self.scene.main, self.scene.other]
        wish = FetchRequest(kind=Kind.ORDERBOOKS, markets=tuple(stage.market(name) for name in names), limit=levels)
        books = [book for call in split(stage, wish) for book in self.fetch(stage, call).orderbooks]
        assert sorted(book.market.native_id for book in books) == sorted(names), "one book for each market"
        for book in books:
            self.check_moment(stage, book.at)
            depth = len(book.asks)
            assert 0 < depth == (levels or depth), f"{depth} levels came for {levels}"
            for side, truth in zip(
                (book.bids, book.asks), stage.sandbox.ledger.book(book.market.native_id, depth), strict=True
            ):
                assert len(side) == len(truth), f"{len(side)} levels of {len(truth)}"
                for level, (price, amount) in zip(side, truth.tolist(), strict=True):
                    assert self.same(level.price, price), f"the price {level.price} is {price}e-8"
                    assert self.same(level.amount, amount), f"the amount {level.amount} is {amount}e-8"
            assert book.bids[0].price < book.asks[0].price, "crossed"

    @each_state
    def test_an_unknown_market_is_gone(self, stage: Stage, kind: Kind) -> None:
        """Alone it is an error of its own kind; among others the call is refused so, or answered for the others."""
        _able(stage, kind)
        known = stage.market(self.scene.main)
        unknown = replace(known, native_id=self.scene.absent)
        (alone,) = split(stage, FetchRequest(kind=kind, markets=(unknown,)))
        with pytest.raises(MarketGoneError):
            stage.call("candle_fetch", alone)
        for call in split(stage, FetchRequest(kind=kind, markets=(known, unknown))):
            try:
                page = stage.call("candle_fetch", call)
            except MarketGoneError:
                assert unknown in call.markets, "a call for a known market is answered"
            else:
                told = [one.market for one in (*page.tickers, *page.orderbooks)]
                assert told == [market for market in call.markets if market == known], "the known one has an answer"

    # ── trades ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_the_newest_trades_are_true(self, stage: Stage) -> None:
        """Without a span: the newest so many."""
        _able(stage, Kind.TRADES)
        pages = self.follow(stage, None, 10)
        assert len(pages) == 1, "ten trades are one call"
        self.check_trades(stage, pages, 10)

    def test_more_trades_than_a_page_holds(self, stage: Stage) -> None:
        """The newest of more than two pages: as many calls as pages."""
        able = _able(stage, Kind.TRADES)
        pages = self.follow(stage, None, self.counted)
        self.check_trades(stage, pages, self.counted)
        assert len(pages) <= ceil(self.counted / able.most_rows(Kind.TRADES)), f"{len(pages)} calls"

    @pytest.mark.parametrize("minutes", [0, 1, 45], ids=["a-moment", "a-minute", "pages"])
    def test_all_trades_of_a_span(self, stage: Stage, minutes: int) -> None:
        """All of a span, none twice, none from beside it, in few calls more than pages."""
        able, ledger = _able(stage, Kind.TRADES), stage.sandbox.ledger
        newest = ledger.newest_trades(self.scene.main, self.counted)["at"].tolist()
        end = newest[-1] + (1 if minutes == 0 else 0)
        start = end - 1 if minutes == 0 else max(newest[0], end - minutes * MINUTE)
        pages = self.follow(stage, Span(start, end), 0)
        truth = ledger.trades(self.scene.main, start, end)
        self.check_rows(stage, pages, truth.tolist())
        most = ceil(len(truth) / able.most_rows(Kind.TRADES)) + 2
        assert len(pages) <= most, f"{len(pages)} calls for {len(truth)} trades; {most} suffice"

    def test_a_span_without_trades(self, stage: Stage) -> None:
        """Nothing, in one call."""
        _able(stage, Kind.TRADES)
        end = int(stage.sandbox.ledger.newest_trades(self.scene.main, 1)["at"][0])
        pages = self.follow(stage, Span(end + 1, end + 2), 0)
        assert [len(page.trades) for page in pages] == [0], f"{pages!r}"

    # ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────

    @each_kind
    @pytest.mark.parametrize(("fault", "options", "expected"), FAULTS)
    def test_trouble_becomes_the_right_error(
        self, stage: Stage, kind: Kind, fault: str, options: dict[str, Any], expected: type[ProviderError]
    ) -> None:
        """One request, not repeated, and an error that says whether to try again, and when."""
        _able(stage, kind)
        (call,) = split(stage, FetchRequest(kind=kind, markets=(stage.market(self.scene.main),), limit=5))
        stage.sandbox.ledger.clear()
        tries = 2 if fault == "reset" and self.scene.reconnects else 1
        stage.sandbox.faults.script(fault, path="*", times=2, **options)
        with pytest.raises(ProviderError) as caught:
            stage.call("candle_fetch", call)
        stage.sandbox.faults.clear()
        assert isinstance(caught.value, expected), f"{caught.value!r}"
        assert stage.sandbox.ledger.count() == tries, "a hook tries once"
        if isinstance(caught.value, RateLimitedError):
            wait = self.scene.waits.get(fault, options["retry_after"])
            assert caught.value.retry_after == wait, f"wait {wait} s, not {caught.value.retry_after}"
            assert caught.value.banned is (fault == "banned" and self.scene.tells_bans), "a ban is a ban"

    # ── asking and judging ──────────────────────────────────────────────────────────────────────────────────────────

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


def _able(stage: Stage, kind: Kind) -> Any:
    """The capabilities, if they have this kind."""
    able = stage.provider.capabilities
    if kind not in able.kinds:
        pytest.skip(f"it has no {kind}")
    return able


def _ticker_truth(stage: Stage, market: Market) -> dict[str, int]:
    """What the exchange has, decimals in units of 1e-8; the best prices and amounts are of its book, if it has one."""
    truth = stage.sandbox.ledger.ticker(market.native_id)
    if "bid" in truth:
        return truth
    bids, asks = stage.sandbox.ledger.book(market.native_id, 1)
    values = (side[name][0] for side in (bids, asks) for name in ("price", "amount"))
    return truth | dict(zip(BEST, map(int, values), strict=True))


def _key(trade: Trade) -> tuple[int, ...]:
    """A trade as the ledger has it, without its number."""
    return trade.at, int(trade.price / PLACES), int(trade.amount / PLACES), int(bool(trade.taker_is_buyer))
