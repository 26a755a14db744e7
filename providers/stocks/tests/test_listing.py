"""The universe of an exchange: complete whatever happens between two pages, and what it costs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from candle_hookspecs import AuthenticationError, ConfigError, MalformedAnswerError, MarketStatus, RateLimitedError
from candle_stocks.exchanges import KNOWN
from candle_stocks.yahoo.listing import PAGE, Page, Quote, listing, market_of, parse, walk
from candle_stocks.yahoo.session import Yahoo
from candle_testkit.context import OpenGate, make_context
from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig, StockConfig

SCREENER = "/v1/finance/screener"
NASDAQ = KNOWN["nasdaq"]
NOW = "2024-03-15T15:00"
NEXT_DAY = 86_400_000
MANY = [
    *(StockConfig(f"X{number:03}", ("NMS", "NYQ")[number % 2], listed="2020-01-02") for number in range(600)),
    StockConfig("BRK-B", "NYQ", "Berkshire Hathaway Inc.", "400", listed="2012-05-18"),
    StockConfig("SPY", "NMS", "SPDR S&P 500 ETF", "450", kind="ETF"),
    StockConfig("GONE", "NYQ", delisted="2022-10-28"),
    StockConfig("X000A", "NMS", listed="2024-03-18"),
    StockConfig("X599A", "NYQ", listed="2024-03-18"),
    StockConfig("W", "NYQ", delisted="2024-03-18"),
    StockConfig("005930.KS", "KSC", "Samsung Electronics Co., Ltd.", "70000", "100"),
]
US = replace(NASDAQ, codes={"NMS": "", "NYQ": ""})


class Interrupted(OpenGate):
    """A budget at which something happens before a request."""

    def __init__(self, number: int, happens: Callable[[], None]) -> None:
        super().__init__()
        self._number, self._happens = number, happens

    @contextmanager
    def under_way_blocking(self, *given: object) -> Iterator[None]:
        with super().under_way_blocking({"requests": 1}):
            if len(self.spent) == self._number:
                self._happens()
            yield


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(markets=1, stocks=MANY, clock=NOW, speed=0, limits=Limits(yahoo=None))) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: Sandbox) -> Iterator[Sandbox]:
    shared.faults.clear()
    shared.ledger.clear()
    shared.forgive()
    before = shared.clock.now()
    yield shared
    shared.clock.advance(before - shared.clock.now())


def connect(sandbox: Sandbox, tmp_path: Path, gate: OpenGate | None = None) -> Yahoo:
    return Yahoo(sandbox.url, 5, make_context(tmp_path, "nasdaq", budget=gate or OpenGate()))


@pytest.fixture
def gate() -> OpenGate:
    return OpenGate()


@pytest.fixture
def yahoo(sandbox: Sandbox, tmp_path: Path, gate: OpenGate) -> Iterator[Yahoo]:
    yahoo = connect(sandbox, tmp_path, gate)
    yield yahoo
    yahoo.close()


def truth(sandbox: Sandbox, codes: Sequence[str]) -> set[str]:
    """Known to the sandbox at this moment, from its ledger of stocks."""
    here = [stock for stock in sandbox.stocks if stock.config.venue in codes]
    return {name for stock in here if (name := stock.symbol_at(sandbox.clock.now()))}


# ── over the wire ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_stock_for_one_request_a_page(yahoo: Yahoo, sandbox: Sandbox, gate: OpenGate) -> None:
    found = listing(yahoo, US, "nasdaq")
    names = [market.native_id for market in found]
    assert set(names) == truth(sandbox, ["NMS", "NYQ"])
    assert len(names) == len(set(names)) == 603
    asked = [(one.path, one.params.get("offset")) for one in sandbox.ledger.requests()]
    pages = [(SCREENER, str(offset)) for offset in (0, 249, 498)]
    assert asked == [("/", None), ("/v1/test/getcrumb", None), *pages, (SCREENER, "0")]
    assert [costs["requests"] for costs in gate.spent] == [1] * 6
    listing(yahoo, KNOWN["krx"], "krx")
    assert len(gate.spent) == 8, "shares and funds; cookie and crumb are known"


def test_what_a_market_says(yahoo: Yahoo) -> None:
    found = {market.native_id: market for market in listing(yahoo, US, "nyse")}
    berkshire, spider = found["BRK-B"], found["SPY"]
    assert (berkshire.archetype, berkshire.exchange, berkshire.tradetype) == ("STOCK", "NYSE", "SPOT")
    assert (berkshire.base, berkshire.ccxt_symbol, berkshire.quote) == ("BRK.B", "BRK.B", "USD")
    assert (berkshire.status, berkshire.title) == (MarketStatus.TRADING, "Berkshire Hathaway Inc.")
    assert berkshire.listed == 1_337_347_800_000, "2012-05-18 13:30 UTC, the opening in New York"
    assert berkshire.extra == {"yahoo_exchange": "NYQ", "kind": "EQUITY"}
    assert spider.extra == {"yahoo_exchange": "NMS", "kind": "ETF"}
    (samsung,) = listing(yahoo, KNOWN["krx"], "krx")
    assert (samsung.native_id, samsung.base, samsung.quote) == ("005930.KS", "005930", "KRW")


def test_an_exchange_without_a_stock_has_none(yahoo: Yahoo) -> None:
    assert listing(yahoo, KNOWN["amex"], "amex") == []


@pytest.mark.parametrize("number", [4, 5], ids=["after one page", "after two"])
def test_one_that_is_listed_meanwhile_hides_no_other(sandbox: Sandbox, tmp_path: Path, number: int) -> None:
    before = truth(sandbox, ["NMS", "NYQ"])
    gate = Interrupted(number, lambda: sandbox.clock.advance(3 * NEXT_DAY))
    found = [market.native_id for market in listing(connect(sandbox, tmp_path, gate), US, "nasdaq")]
    after = truth(sandbox, ["NMS", "NYQ"])
    assert after - before == {"X000A", "X599A"}
    assert before - after == {"W"}
    assert set(found) >= before & after
    assert len(found) == len(set(found))
    assert "X599A" in found, "it comes behind what had been read"


def test_a_refused_crumb_is_renewed_once(yahoo: Yahoo, sandbox: Sandbox, gate: OpenGate) -> None:
    listing(yahoo, NASDAQ, "nasdaq")
    spent = len(gate.spent)
    sandbox.faults.script("status", path=SCREENER, status=401)
    assert {market.native_id for market in listing(yahoo, NASDAQ, "nasdaq")} == truth(sandbox, ["NMS"])
    assert len(gate.spent) - spent == 3 + 3, "three pages, the refused one, a cookie and a crumb"


def test_a_crumb_that_stays_refused_is_an_error_soon(yahoo: Yahoo, sandbox: Sandbox, gate: OpenGate) -> None:
    sandbox.faults.script("status", path=SCREENER, status=401, times=100)
    with pytest.raises(AuthenticationError, match="Invalid Crumb"):
        listing(yahoo, NASDAQ, "nasdaq")
    assert len(gate.spent) == len(sandbox.ledger.requests()) == 3, "cookie, crumb, search: all of them new"
    with pytest.raises(AuthenticationError):
        listing(yahoo, NASDAQ, "nasdaq")
    assert len(gate.spent) <= 3 + 4


@pytest.mark.parametrize("path", [SCREENER, "/v1/test/getcrumb"])
def test_a_rate_limit_is_asked_no_second_time(yahoo: Yahoo, sandbox: Sandbox, gate: OpenGate, path: str) -> None:
    sandbox.faults.script("rate_limited", path=path, times=100)
    with pytest.raises(RateLimitedError):
        listing(yahoo, NASDAQ, "nasdaq")
    assert [one.status for one in sandbox.ledger.requests(path)] == [429]
    assert len(gate.paused) == 1


def test_a_rate_limit_costs_one_request(yahoo: Yahoo, sandbox: Sandbox, gate: OpenGate) -> None:
    listing(yahoo, NASDAQ, "nasdaq")
    spent = len(gate.spent)
    sandbox.faults.script("rate_limited", path="*", times=100)
    with pytest.raises(RateLimitedError):
        listing(yahoo, NASDAQ, "nasdaq")
    assert len(gate.spent) == spent + 1


@pytest.mark.parametrize("kind", ["truncated", "html"])
def test_half_an_answer_is_no_listing(yahoo: Yahoo, sandbox: Sandbox, kind: str) -> None:
    sandbox.faults.script(kind, path=SCREENER)
    with pytest.raises(MalformedAnswerError, match="not a listing"):
        listing(yahoo, NASDAQ, "nasdaq")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"region": "xx"}, r"\[providers\.mine\] region 'xx' .* us, "),
        ({"codes": {"NMS": "", "KSC": ".KS", "ZZZ": ""}}, r"codes \['KSC', 'ZZZ'\] .* 'us'; .*NYQ"),
        ({"codes": {}}, r"codes \[\] .* take some of "),
    ],
)
def test_codes_that_yahoo_does_not_have(yahoo: Yahoo, sandbox: Sandbox, changes: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        listing(yahoo, replace(NASDAQ, **changes), "mine")  # type: ignore[arg-type]
    assert sandbox.ledger.requests() == []


def test_all_known_exchanges_are_known_to_yahoo_too(yahoo: Yahoo) -> None:
    for name, exchange in KNOWN.items():
        listing(yahoo, exchange, name)


# ── the walk ────────────────────────────────────────────────────────────────────────────────────────────────────────


def page(names: Sequence[str], offset: int) -> Page:
    return Page(offset, len(names), [Quote(name) for name in names[offset : offset + PAGE]])


def names_of(quotes: Sequence[Quote]) -> list[str]:
    return [quote.symbol for quote in quotes]


changes = st.lists(
    st.tuples(st.sampled_from(["add", "remove"]), st.integers(0, 99_999), st.integers(1, 60)), max_size=2
)


@given(st.integers(0, 900), st.lists(changes, max_size=3))
@example(251, [[("remove", 0, 98)], [("remove", 0, 152)]])  # all of the first page goes
@example(278, [[("remove", 88825, 39), ("add", 0, 16)]])  # the end comes nearer, and the beginning moves away
def test_what_is_there_all_the_time_is_found_once(number: int, between: list[list[tuple[str, int, int]]]) -> None:
    """Before the second, third … page stocks come or go, so many in a row and anywhere."""
    listed = [f"{place:06}" for place in range(0, number * 100, 100)]
    stayed, asked, waiting = set(listed), 0, list(between)

    def ask(offset: int) -> Page:
        nonlocal asked, listed
        asked += 1
        if asked > 1 and waiting:
            for what, place, many in waiting.pop(0):
                if what == "add":
                    listed = sorted({*listed, *(f"{place:06}+{one}" for one in range(many))})
                else:
                    at = place * len(listed) // 100_000
                    stayed.difference_update(listed[at : at + many])
                    del listed[at : at + many]
        return page(listed, offset)

    found = names_of(walk(ask))
    assert stayed <= set(found)
    assert len(found) == len(set(found))
    assert asked <= 2 * (number // PAGE) + 8


@pytest.mark.parametrize(("number", "offsets"), [(2, [0, 249, 249, 498]), (3, [0, 249, 498, 498])])
@pytest.mark.parametrize("honest", [True, False])
def test_a_page_told_twice_is_asked_for_again(number: int, offsets: list[int], honest: bool) -> None:
    names = [f"{place:04}" for place in range(600)]
    asked: list[int] = []

    def ask(offset: int) -> Page:
        asked.append(offset)
        if len(asked) != number:
            return page(names, offset)
        return Page(0 if honest else offset, len(names), page(names, 0).quotes)

    assert names_of(walk(ask)) == names
    assert asked == offsets


@pytest.mark.parametrize("honest", [True, False])
def test_the_same_page_for_ever_ends(honest: bool) -> None:
    names, asked = [f"{place:04}" for place in range(600)], 0

    def ask(offset: int) -> Page:
        nonlocal asked
        asked += 1
        first = page(names, 0)
        return first if honest else Page(offset, first.total, first.quotes)

    with pytest.raises(MalformedAnswerError, match="nothing new after 250 stocks, at 249"):
        walk(ask)
    assert asked <= 6


def test_empty_pages_end() -> None:
    asked: list[int] = []

    def ask(offset: int) -> Page:
        asked.append(offset)
        return Page(offset, 600, [])

    with pytest.raises(MalformedAnswerError, match="nothing new after 0 stocks"):
        walk(ask)
    assert len(asked) <= 6


def test_an_end_that_moves_away_ends() -> None:
    asked: list[int] = []

    def ask(offset: int) -> Page:
        asked.append(offset)
        return Page(offset, offset + 600, [Quote(f"{place:06}") for place in range(offset, offset + PAGE)])

    with pytest.raises(MalformedAnswerError, match="grows while it is read"):
        walk(ask)
    assert len(asked) <= 8


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"<html>", b'{"finance":{"result":[],"error":null}}', b'{"finance":{"result":null}}',
     b'{"finance":{"result":[{"start":0,"total":1}]}}',
     b'{"finance":{"result":[{"start":0,"total":1,"quotes":[{}]}]}}'],
)  # fmt: skip
def test_what_is_no_listing_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        parse(body)


def test_what_cannot_be_a_market_is_left_out() -> None:
    told = parse(
        b'{"finance":{"result":[{"start":0,"count":3,"total":3,"quotes":[{"symbol":"GE","exchange":"NYQ","x":1,'
        b'"currency":"USD","longName":null,"shortName":"GE","firstTradeDateMilliseconds":-252322200000},'
        b'{"symbol":"SHELL","exchange":"NYQ"},{"symbol":"OTHER","exchange":"PNK","currency":"USD"}]}],"error":null}}'
    )
    old, *others = (market_of(quote, "EQUITY", KNOWN["nyse"], "nyse") for quote in told.quotes)
    assert old is not None
    assert (old.title, old.listed) == ("GE", -252_322_200_000), "before 1970"
    assert others == [None, None]
