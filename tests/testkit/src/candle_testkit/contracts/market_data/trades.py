"""Trades: the newest of a market, and all of a span."""

from math import ceil

import pytest

from candle_hookspecs import Kind, Span
from candle_testkit.contracts.market_data.harness import MarketDataHarness, able_to
from candle_testkit.contracts.scenes import MINUTE
from candle_testkit.contracts.stage import Stage


class TradeChecks(MarketDataHarness):
    """Trades are those of the exchange, none twice and none left out."""

    def test_the_newest_trades_are_true(self, stage: Stage) -> None:
        """Without a span: the newest so many."""
        able_to(stage, Kind.TRADES)
        pages = self.follow(stage, None, 10)
        assert len(pages) == 1, "ten trades are one call"
        self.check_trades(stage, pages, 10)

    def test_more_trades_than_a_page_holds(self, stage: Stage) -> None:
        """The newest of more than two pages: as many calls as pages."""
        able = able_to(stage, Kind.TRADES)
        pages = self.follow(stage, None, self.counted)
        self.check_trades(stage, pages, self.counted)
        assert len(pages) <= ceil(self.counted / able.most_rows(Kind.TRADES)), f"{len(pages)} calls"

    @pytest.mark.parametrize("minutes", [0, 1, 45], ids=["a-moment", "a-minute", "pages"])
    def test_all_trades_of_a_span(self, stage: Stage, minutes: int) -> None:
        """All of a span, none twice, none from beside it, in few calls more than pages."""
        able, ledger = able_to(stage, Kind.TRADES), stage.sandbox.ledger
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
        able_to(stage, Kind.TRADES)
        end = int(stage.sandbox.ledger.newest_trades(self.scene.main, 1)["at"][0])
        pages = self.follow(stage, Span(end + 1, end + 2), 0)
        assert [len(page.trades) for page in pages] == [0], f"{pages!r}"
