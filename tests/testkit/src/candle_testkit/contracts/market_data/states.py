"""Tickers and order books: the state of markets at one moment."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

import pytest

from candle_hookspecs import FetchRequest, Kind, Market, MarketGoneError
from candle_testkit.contracts.market_data.harness import MarketDataHarness, able_to, split
from candle_testkit.contracts.stage import Stage

STATES: Final = (Kind.TICKERS, Kind.ORDERBOOKS)
BEST: Final = ("bid", "bid_amount", "ask", "ask_amount")
each_state = pytest.mark.parametrize("kind", STATES, ids=str)


class StateChecks(MarketDataHarness):
    """Tickers and books are those of the exchange."""

    def test_tickers_are_true(self, stage: Stage) -> None:
        """Every field of every ticker is what the exchange has, digit for digit."""
        able_to(stage, Kind.TICKERS)
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
        able_to(stage, Kind.ORDERBOOKS)
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
        able_to(stage, kind)
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


def _ticker_truth(stage: Stage, market: Market) -> dict[str, int]:
    """What the exchange has, decimals in units of 1e-8; the best prices and amounts are of its book, if it has one."""
    truth = stage.sandbox.ledger.ticker(market.native_id)
    if "bid" in truth:
        return truth
    bids, asks = stage.sandbox.ledger.book(market.native_id, 1)
    values = (side[name][0] for side in (bids, asks) for name in ("price", "amount"))
    return truth | dict(zip(BEST, map(int, values), strict=True))
