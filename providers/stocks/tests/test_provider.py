"""What is asked of Yahoo, what that costs, and what comes of it. The truth is the sandbox's ledger."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from candle_hookspecs import (
    ActionKind,
    Anchor,
    AuthenticationError,
    BadRequestError,
    CandleBatch,
    ConfigError,
    CoverageState,
    Kind,
    MalformedAnswerError,
    MarketGoneError,
    MarketQuery,
    ProviderError,
    RateLimitedError,
    Span,
    TransientError,
    UnknownMarketError,
    WarmupScope,
    to_ms,
)
from candle_stocks.provider import StocksProvider
from candle_testkit.context import OpenGate, make_context
from candle_testkit.sandbox import Sandbox, YahooConfig
from providers.stocks.tests.conftest import MakeStand
from providers.stocks.tests.stand import NOW, Stand, chart_body

DAY = 86_400_000


def assert_as_traded(sandbox: Sandbox, native_id: str, timeframe: str, batch: CandleBatch, start: int) -> None:
    """To the last digit, and nothing left out.

    A volume before a reverse split alone is known no better than Yahoo tells it: in whole shares of today.
    """
    truth = sandbox.stocks.candles(native_id, timeframe, start, batch.last + 1)
    for name in ("open_time", "open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(batch, name), truth[name], err_msg=name)
    np.testing.assert_allclose(batch.volume, truth["volume"], rtol=0, atol=4 if native_id == "GE" else 0)


# ── candles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("exchange", "name", "timeframe", "start", "end", "requests"),
    [
        ("nasdaq", "AAPL", "1d", "2015-01-01", "2024-03-16", 1),
        ("nasdaq", "AAPL", "1d", "2020-08-03", "2020-09-03", 1),
        ("nyse", "GE", "1d", "2020-01-01", "2024-01-01", 1),
        ("nyse", "brk.b", "1d", "2023-01-01", "2024-01-01", 1),
        ("krx", "005930", "1d", "2017-01-01", "2024-01-01", 1),
        ("krx", "247540", "15m", "2024-03-01", "2024-03-10", 1),
        ("nasdaq", "AAPL", "1h", "2022-04-01", "2024-03-16", 2),  # a dividend is in it
        ("nasdaq", "HALT", "5m", "2024-02-01", "2024-03-16", 1),
        ("nasdaq", "NULLS", "2m", "2024-02-01", "2024-03-16", 1),
        ("amex", "THIN", "1m", "2024-03-11", "2024-03-16", 1),
    ],
)
def test_candles_are_those_of_their_day(
    make_stand: MakeStand, exchange: str, name: str, timeframe: str, start: str, end: str, requests: int
) -> None:
    stand = make_stand(exchange)
    market = stand.market(name)
    (page,) = stand.fetch(name, timeframe, start, end)
    assert stand.asked() == requests
    assert_as_traded(stand.sandbox, market.native_id, timeframe, page.batch, to_ms(start))
    assert page.proofs[0].span.start == to_ms(start)
    assert page.proofs[0].span.end == page.batch.last + 1


def test_minutes_come_week_by_week_with_the_splits_since(make_stand: MakeStand) -> None:
    stand = make_stand()
    pages = stand.fetch("FRESH", "1m", "2024-02-20", "2024-03-16")
    assert len(pages) == 4
    assert stand.asked() == 4 + 3, "the last reaches to now; the others need to know what came after"
    whole = CandleBatch.concat([page.batch for page in pages])
    assert_as_traded(stand.sandbox, "FRESH", "1m", whole, to_ms("2024-02-20"))
    told = {(action.kind, action.at): action for page in pages for action in page.actions}
    ((split, ratio),) = stand.sandbox.stocks.splits("FRESH", 0, to_ms(NOW))
    ((dividend, amount),) = stand.sandbox.stocks.dividends("FRESH", 0, to_ms(NOW))
    assert told[ActionKind.SPLIT, split].value == ratio == 1.5
    paid = told[ActionKind.DIVIDEND, dividend]
    before = stand.sandbox.stocks.candles("FRESH", "1d", to_ms("2024-03-04"), to_ms("2024-03-05"))
    assert (paid.value, paid.close) == (float(amount), before["close"][0])


def test_splits_and_dividends_are_those_of_their_day(stand: Stand) -> None:
    (page,) = stand.fetch("AAPL", "1d", "2020-08-07", "2021-01-01")
    stocks = stand.sandbox.stocks
    assert [(one.kind.value, one.at, one.value) for one in page.actions] == [
        ("dividend", stocks.dividends("AAPL", 0, to_ms(NOW))[0][0], 0.82),
        ("split", stocks.splits("AAPL", 0, to_ms(NOW))[0][0], 4.0),
        ("dividend", stocks.dividends("AAPL", 0, to_ms(NOW))[1][0], 0.205),
        ("dividend", stocks.dividends("AAPL", 0, to_ms(NOW))[2][0], 0.24),
    ]
    for one in page.actions:
        if one.kind is ActionKind.DIVIDEND:
            days = stocks.candles("AAPL", "1d", one.at - 10 * DAY, one.at)
            assert one.close == days["close"][-1], "though it lies before what was asked for"


@pytest.mark.parametrize(("timeframe", "days"), [("1m", 30), ("2m", 60), ("90m", 60), ("1h", 730)])
def test_what_is_out_of_reach_is_told_so_and_not_asked_for(stand: Stand, timeframe: str, days: int) -> None:
    wish = stand.request("AAPL", timeframe, "2010-01-01", "2010-01-05")
    page = stand.provider.candle_fetch(stand.calls(wish)[0])
    assert stand.asked() == 0
    (proof,) = page.proofs
    assert proof.state is CoverageState.OUT_OF_REACH
    assert proof.span.start <= 0
    assert abs(proof.span.end - (to_ms(NOW) - days * DAY)) < DAY / 12
    assert not len(page.batch)
    assert page.asserted is None


def test_the_rest_of_a_window_on_the_edge_is_asked_for(stand: Stand) -> None:
    (page,) = stand.fetch("AAPL", "5m", "2023-12-01", "2024-03-01")
    answered, gone = page.proofs
    assert gone.state is CoverageState.OUT_OF_REACH
    assert answered.span.start == gone.span.end
    assert_as_traded(stand.sandbox, "AAPL", "5m", page.batch, gone.span.end)


def test_days_have_no_bound(stand: Stand) -> None:
    (page,) = stand.fetch("AAPL", "1d", "1970-01-01", "2024-03-16")
    assert [proof.state for proof in page.proofs] == [CoverageState.ANSWERED]
    assert stand.asked() == 1


def test_before_its_first_day_a_stock_has_nothing(make_stand: MakeStand) -> None:
    stand = make_stand("krx")
    (page,) = stand.fetch("247540", "1d", "2012-01-02", "2012-02-01")
    assert page.batch.first >= to_ms("2019-03-05"), "the far end is left open, so its first day tells it"
    wish = replace(stand.request("247540", "1m", "2012-01-02", "2012-01-03"))
    assert not len(stand.provider.candle_fetch(wish).batch)


@pytest.mark.parametrize(
    "changes", [{"kind": Kind.TRADES}, {"span": None}, {"timeframe": "1w"}, {"anchor": Anchor.END}]
)
def test_what_yahoo_does_not_have_is_a_bad_request(stand: Stand, changes: dict[str, Any]) -> None:
    wish = stand.request("AAPL", "1d", "2024-01-01", "2024-02-01")
    with pytest.raises(BadRequestError, match="candles"):
        stand.provider.candle_fetch(replace(wish, **changes))


def test_another_currency_is_not_believed(stand: Stand) -> None:
    wish = stand.request("AAPL", "1d", "2024-01-01", "2024-02-01")
    euros = replace(wish.market, quote="EUR")
    with pytest.raises(MalformedAnswerError, match="asked for 'AAPL' in 'EUR', Yahoo answered with 'AAPL' in 'USD'"):
        stand.provider.candle_fetch(replace(wish, markets=(euros,)))


def test_a_body_that_somebody_holds_is_decoded(stand: Stand) -> None:
    body = chart_body(stand.sandbox, "AAPL", "1d", "2020-08-03", "2020-09-10")
    batch = stand.provider.candle_decode(body)
    assert_as_traded(stand.sandbox, "AAPL", "1d", batch, to_ms("2020-08-03"))


@pytest.mark.parametrize("start", ["2018-05-04", "2024-01-02"])
def test_korean_days_come_from_naver_too(make_stand: MakeStand, start: str) -> None:
    stand = make_stand("krx", naver=True)
    wish = replace(stand.request("005930", "1d", start, "2024-03-16"), anchor=Anchor.END)
    (part,) = stand.calls(wish)
    page = stand.provider.candle_fetch(part)
    assert stand.asked() == 2
    assert page.request.source == "naver"
    inside = page.batch.between(Span.of(start, "2024-03-16"))
    assert_as_traded(stand.sandbox, "005930.KS", "1d", inside, to_ms(start))
    assert len(inside) > 40
    ((split, _),) = stand.sandbox.stocks.splits("005930.KS", 0, to_ms(NOW))
    assert page.batch.first == split, "what was before is rounded there"


def test_before_a_split_naver_tells_nothing(make_stand: MakeStand) -> None:
    stand = make_stand("krx", naver=True)
    wish = replace(stand.request("005930", "1d", "2017-01-01", "2018-01-01"), anchor=Anchor.END)
    page = stand.provider.candle_fetch(wish)
    assert not len(page.batch)
    assert CoverageState.OUT_OF_REACH in {proof.state for proof in page.proofs}
    assert wish.span is not None
    assert any(proof.span.start <= wish.span.start and wish.span.end <= proof.span.end for proof in page.proofs)


def test_naver_is_for_korea(make_stand: MakeStand) -> None:
    with pytest.raises(ConfigError, match="for Korean stocks alone"):
        make_stand("nasdaq", naver=True)


# ── markets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("exchange", "name", "native_id", "base", "requests"),
    [
        ("nasdaq", "aapl", "AAPL", "AAPL", 1),
        ("nyse", "BRK-B", "BRK-B", "BRK.B", 1),
        ("nyse", "brk.b", "BRK-B", "BRK.B", 1),
        ("krx", "005930", "005930.KS", "005930", 1),
        ("krx", "005930.ks", "005930.KS", "005930", 1),
        ("krx", "247540", "247540.KQ", "247540", 2),
    ],
)
def test_one_market_by_any_of_its_names(
    make_stand: MakeStand, exchange: str, name: str, native_id: str, base: str, requests: int
) -> None:
    stand = make_stand(exchange)
    (market,) = stand.provider.candle_markets(MarketQuery(name=name))
    assert (market.native_id, market.base, market.ccxt_symbol) == (native_id, base, base)
    assert market.answers_to(name)
    assert market.listed == stand.sandbox.stocks[native_id].opened
    assert stand.asked() == requests
    assert market.archetype == "STOCK"
    assert market.exchange == exchange.upper()


@pytest.mark.parametrize("name", ["NOPE", "AAPL/USD", "/", "../v1/test", "x" * 40, "", "A B"])
def test_an_unknown_name_is_an_empty_list(stand: Stand, name: str) -> None:
    assert stand.provider.candle_markets(MarketQuery(name=name)) == []
    assert stand.asked() <= 1


def test_a_stock_of_another_exchange_is_told_where_it_is(stand: Stand) -> None:
    with pytest.raises(UnknownMarketError, match=r"'GE' is not traded at NASDAQ: Yahoo has it at 'NYQ'"):
        stand.provider.candle_markets(MarketQuery(name="GE"))


def test_an_exchange_by_configuration_alone(make_stand: MakeStand) -> None:
    table = {"calendar": "XTKS", "region": "jp", "codes": {"JPX": ".T"}}
    stand = make_stand("tse", settings=table)
    (market,) = stand.provider.candle_markets(MarketQuery(name="7203"))
    assert (market.exchange, market.native_id, market.quote) == ("TSE", "7203.T", "JPY")
    (page,) = stand.fetch("7203", "1h", "2024-03-04", "2024-03-09")
    assert_as_traded(stand.sandbox, "7203.T", "1h", page.batch, to_ms("2024-03-04"))
    sessions = stand.provider.candle_calendar(Span.of("2024-03-04", "2024-03-05"))
    assert [session.pause is not None for session in sessions] == [True]


def test_an_exchange_that_nothing_is_known_of_says_what_to_set(tmp_path: Path) -> None:
    provider = StocksProvider(StocksProvider.Settings(calendar="XTKS"), make_context(tmp_path, "tse"))
    with pytest.raises(ConfigError, match=r"exchange 'tse': set codes, region under \[providers.tse\]"):
        provider.candle_markets(MarketQuery())


def test_the_sessions_are_those_of_the_exchange(make_stand: MakeStand) -> None:
    for exchange, symbol in (("nasdaq", "AAPL"), ("krx", "005930.KS")):
        stand = make_stand(exchange)
        span = Span.of("2023-01-01", "2024-12-31")
        told = [(one.span.start, one.span.end) for one in stand.provider.candle_calendar(span)]
        truth = stand.sandbox.stocks.sessions(symbol, span.start, span.end)
        assert told == [(one.open, one.close) for one in truth]


# ── refusals, each counted ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("exchange", "name"), [("nyse", "TWTR"), ("nasdaq", "FB")])
def test_a_ticker_that_died_or_was_renamed_costs_one_request(make_stand: MakeStand, exchange: str, name: str) -> None:
    stand = make_stand(exchange, clock="2022-01-10T23:30:00")
    wish = stand.request(name, "1d", "2021-12-01", "2024-01-01")
    assert stand.provider.candle_fetch(wish).batch.last >= to_ms("2022-01-07")
    stand.sandbox.clock.set(NOW)
    stand.asked()
    with pytest.raises(MarketGoneError, match="No data found, symbol may be delisted"):
        stand.provider.candle_fetch(wish)
    assert stand.asked() == 1


def test_a_rate_limit_costs_one_request_and_pauses_everybody(stand: Stand) -> None:
    wish = stand.request("AAPL", "1d", "2024-01-01", "2024-02-01")
    stand.sandbox.faults.script("rate_limited", times=9)
    with pytest.raises(RateLimitedError, match="Edge: Too Many Requests") as caught:
        stand.provider.candle_fetch(wish)
    assert stand.asked() == 1
    assert stand.gate.paused == [caught.value.retry_after]
    assert caught.value.retry_after


def test_a_chart_that_wants_a_crumb_gets_one(make_stand: MakeStand) -> None:
    stand = make_stand(yahoo=YahooConfig(chart_crumb=True))
    (page,) = stand.fetch("AAPL", "1d", "2024-01-01", "2024-02-01")
    assert len(page.batch) > 20
    assert stand.asked() == 1, "the look-up was refused, and fetched a crumb"


@pytest.mark.parametrize("known", [False, True])
def test_a_crumb_that_is_refused_costs_few_requests(make_stand: MakeStand, known: bool) -> None:
    stand = make_stand(yahoo=YahooConfig(chart_crumb=known))
    wish = stand.request("AAPL", "1d", "2024-01-01", "2024-02-01")
    stand.gate.spent.clear()
    stand.sandbox.faults.script("status", times=99, status=401)
    with pytest.raises(AuthenticationError, match="Invalid Crumb"):
        stand.provider.candle_fetch(wish)
    requests = stand.asked()
    assert requests <= 5
    assert requests == len(stand.gate.spent) + 1, "the first was paid for by the kernel"


def test_a_refused_crumb_heals(make_stand: MakeStand) -> None:
    stand = make_stand(yahoo=YahooConfig(chart_crumb=True))
    wish = stand.request("AAPL", "1d", "2024-01-01", "2024-02-01")
    stand.provider._yahoo._crumbed()._crumb = "worn out"
    assert len(stand.provider.candle_fetch(wish).batch) > 20
    assert stand.asked() == 4, "refused, cookie, crumb, answered"


@pytest.mark.parametrize(
    ("fault", "options", "error", "said"),
    [
        ("status", {"status": 500}, TransientError, "Yahoo answered 500"),
        ("html", {"status": 503}, TransientError, "Yahoo answered 503"),
        ("html", {"status": 403}, BadRequestError, "refused for this address"),
        ("html", {"status": 200}, MalformedAnswerError, "not a chart"),
        ("html", {"status": 404}, BadRequestError, "check chart_url"),
        ("reset", {}, TransientError, "/v8/finance/chart/AAPL"),
        ("truncated", {}, TransientError, "truncated"),
        ("wrong_shape", {"shape": "short_row"}, MalformedAnswerError, "columns of other lengths"),
        ("wrong_shape", {"shape": "null_price"}, MalformedAnswerError, "lacks a price"),
        ("nan", {}, MalformedAnswerError, "not a chart"),
        ("reordered", {}, MalformedAnswerError, "do not rise"),
    ],
)
def test_a_fault_is_a_typed_error_and_one_request(
    stand: Stand, fault: str, options: dict[str, Any], error: type[ProviderError], said: str
) -> None:
    wish = stand.request("AAPL", "1d", "2024-01-02", "2024-03-02")
    stand.sandbox.faults.script(fault, times=9, **options)
    with pytest.raises(error, match=said) as caught:
        stand.provider.candle_fetch(wish)
    assert type(caught.value) in (error, MalformedAnswerError)
    # A kept connection that breaks before the first byte is opened anew by curl itself.
    assert stand.asked() <= (2 if fault == "reset" else 1)


def test_who_does_not_answer_is_given_up(stand: Stand, tmp_path: Path) -> None:
    wish = stand.request("AAPL", "1d", "2024-01-02", "2024-03-02")
    stand.sandbox.faults.script("slow", seconds=600)
    settings = StocksProvider.Settings(chart_url=stand.sandbox.url, timeout=0.3)
    hasty = StocksProvider(settings, make_context(tmp_path, "nasdaq", budget=OpenGate()))
    with pytest.raises(TransientError, match="chart/AAPL"):
        hasty.candle_fetch(wish)
    hasty.candle_close()


def test_every_request_is_paid_for(make_stand: MakeStand) -> None:
    stand = make_stand(warm=False, yahoo=YahooConfig(chart_crumb=True))
    stand.provider.candle_warmup(WarmupScope())
    stand.provider.candle_markets(MarketQuery())
    stand.provider.candle_markets(MarketQuery(name="AAPL"))
    assert len(stand.gate.spent) == stand.sandbox.ledger.count()
    assert all(costs == {"requests": 1, "burst": 1} for costs in stand.gate.spent)


def test_the_clock_is_yahoos(make_stand: MakeStand) -> None:
    stand = make_stand(warm=False)
    info = stand.provider.candle_warmup(WarmupScope())
    assert info.server_time == pytest.approx(to_ms(NOW), abs=1_000)
    assert stand.asked() == 1


def test_two_exchanges_share_nothing(make_stand: MakeStand) -> None:
    one, other = make_stand("nasdaq"), make_stand("krx")
    one.provider.candle_markets(MarketQuery())
    other.provider.candle_markets(MarketQuery())
    assert one.asked() > 1
    one.provider.candle_markets(MarketQuery(name="AAPL"))
    assert (one.asked(), bool(other.asked())) == (1, True)
