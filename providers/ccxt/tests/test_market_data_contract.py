"""What every provider of tickers, order books and trades must do, through ccxt's own classes, on four wires."""

from dataclasses import replace
from typing import Any, ClassVar, Final

import pytest

from candle_ccxt.calls import COST
from candle_ccxt.errors import BAN, PAUSE
from candle_ccxt.provider import CcxtProvider
from candle_hookspecs import BadRequestError, FetchRequest, Kind, Page, PluginContext
from candle_testkit.contracts.market_data import MarketDataContract
from candle_testkit.contracts.scenes import BINANCE, UPBIT, Scene
from candle_testkit.contracts.stage import Stage
from candle_testkit.sandbox import MarketConfig

PAUSED: Final = {"rate_limited": PAUSE, "banned": BAN}
MAIN, ENDED, OTHER = BINANCE.markets


def of(market: MarketConfig, exchange: str, **changes: Any) -> MarketConfig:
    """A market of Binance's scene at another exchange."""
    return replace(market, exchange=exchange, off_grid=(), **changes)


OKX: Final = Scene(
    markets=(of(MAIN, "OKX", symbol="BTC-USDT"), of(ENDED, "OKX", symbol="LUNA-USDT"),
             of(OTHER, "OKX", symbol="ETH-BTC")),
    main="BTC-USDT", other="ETH-BTC", ended="LUNA-USDT", absent="GONE-USDT", meter=None, own_meter="cost", walk=0,
    waits=PAUSED,
)  # fmt: skip
KRAKEN: Final = Scene(
    markets=(of(MAIN, "KRAKEN", symbol="XXBTZUSD", quote="USD"), of(ENDED, "KRAKEN", symbol="LUNAUSD", quote="USD"),
             of(OTHER, "KRAKEN", symbol="XETHXXBT")),
    main="XXBTZUSD", other="XETHXXBT", ended="LUNAUSD", absent="GONEUSD", meter=None, own_meter="cost", walk=0,
    waits=PAUSED,
)  # fmt: skip


class CcxtMarketData(MarketDataContract):
    """Attributes: prices: path → what ccxt charges for it, of one market and of several."""

    prices: ClassVar[dict[str, tuple[float, float]]]

    def build(self, url: str, context: PluginContext) -> CcxtProvider:
        return CcxtProvider(CcxtProvider.Settings.model_validate({"rest_url": url, "tradetypes": ["SPOT"]}), context)

    def fetch(self, stage: Stage, call: FetchRequest) -> Page:
        """One request, which costs what ccxt says: what the call said of it and, at the gate, what is above that."""
        before, spent = stage.sandbox.ledger.count(), len(stage.gate.spent)
        page: Page = stage.call("candle_fetch", call)
        (sent,) = stage.sandbox.ledger.requests()[before:]
        above = sum(costs[COST] for costs in stage.gate.spent[spent:])
        assert call.costs[COST] + above == pytest.approx(self.prices[sent.path][len(call.markets) > 1])
        self.check_moment(stage, page.answered_at)
        assert page.size > 0
        return page


class TestBinance(CcxtMarketData):
    """Back from a moment."""

    name = "binance"
    scene = replace(BINANCE, meter=None)
    prices: ClassVar = {"/api/v3/ticker/24hr": (0.4, 16), "/api/v3/depth": (1, 1), "/api/v3/aggTrades": (0.4, 0.4)}


class TestOkx(CcxtMarketData):
    """Back from a moment, and then by the ids of trades; all tickers at once, whatever is named."""

    name = "okx"
    scene = OKX
    prices: ClassVar = {
        "/api/v5/market/ticker": (1, 1), "/api/v5/market/tickers": (1, 1), "/api/v5/market/books": (0.5, 0.5),
        "/api/v5/market/trades": (0.2, 0.2), "/api/v5/market/history-trades": (2, 2),
    }  # fmt: skip


class TestKraken(CcxtMarketData):
    """On from a moment; the newest are one page."""

    name = "kraken"
    scene = KRAKEN
    prices: ClassVar = {"/0/public/Ticker": (1, 1), "/0/public/Depth": (1.2, 1.2), "/0/public/Trades": (1.2, 1.2)}

    def test_more_trades_than_a_page_holds(self, stage: Stage) -> None:
        with pytest.raises(BadRequestError, match="of the newest no more than 1000 can be had: give a beginning"):
            self.follow(stage, None, self.counted)

    def test_tickers_are_true(self, stage: Stage) -> None:
        """It says a mean price and no volume of the quote; what ccxt makes of that is not the exchange's word."""
        page = self.ask_state(stage, Kind.TICKERS)
        names = [market.native_id for market in page.request.markets]
        assert [ticker.market.native_id for ticker in page.tickers] == names
        for ticker in page.tickers:
            truth = stage.sandbox.ledger.ticker(ticker.market.native_id)
            told = {"last": ticker.last, "high": ticker.high, "low": ticker.low, "volume": ticker.volume}
            assert {name: str(value) for name, value in told.items()} == {name: _text(truth[name]) for name in told}
            assert (ticker.quote_volume, ticker.since, ticker.at) == (None, None, page.answered_at)
            bids, asks = stage.sandbox.ledger.book(ticker.market.native_id, 1)
            best = [ticker.bid, ticker.bid_amount, ticker.ask, ticker.ask_amount]
            assert [str(one) for one in best] == [_text(int(side[name][0])) for side in (bids, asks)
                                                  for name in ("price", "amount")]  # fmt: skip


class TestUpbit(CcxtMarketData):
    """The newest, whatever is asked. (Days and cursors are for Upbit's own plugin.)"""

    name = "upbit"
    scene = replace(UPBIT, meter=None, waits=PAUSED)
    prices: ClassVar = {"/v1/ticker": (2, 2), "/v1/orderbook": (2, 2), "/v1/trades/ticks": (2, 2)}

    def test_more_trades_than_a_page_holds(self, stage: Stage) -> None:
        with pytest.raises(BadRequestError, match="UPBIT tells its newest 500 trades, so no more can be counted"):
            self.follow(stage, None, self.counted)

    @pytest.mark.parametrize("minutes", [0, 1, 45], ids=["a-moment", "a-minute", "pages"])
    def test_all_trades_of_a_span(self, stage: Stage, minutes: int) -> None:
        """The newest 500 are eleven seconds of this market."""
        if not minutes:
            super().test_all_trades_of_a_span(stage, minutes)
            return
        with pytest.raises(BadRequestError, match="UPBIT tells its newest 500 trades, from 2024-03-10T12:"):
            super().test_all_trades_of_a_span(stage, minutes)


def _text(units: int) -> str:
    return f"{units // 10**8}.{units % 10**8:08d}"
