"""What several tests use: stocks, the sandbox's Yahoo, and a provider before it."""

import urllib.request

from candle_hookspecs import FetchRequest, Market, MarketQuery, Page, Span, to_ms
from candle_stocks.provider import StocksProvider
from candle_testkit.context import OpenGate
from candle_testkit.sandbox import Dividend, Sandbox, Split, StockConfig

NOW = "2024-03-15T23:30:00"
"""A Friday evening in New York: the session is over, its last trade still told live until midnight."""

AAPL = StockConfig(
    "AAPL", "NMS", "Apple Inc.", "190", volume=60_000_000, trades=600_000,
    splits=[Split("2020-08-31", "4:1")],
    dividends=[Dividend("2020-08-07", "0.82"), Dividend("2020-11-06", "0.205"), Dividend("2024-03-06", "0.24")],
)  # fmt: skip
GE = StockConfig("GE", "NYQ", "GE Aerospace", "120", volume=6_000_000, splits=[Split("2021-08-02", "1:8")])
BERKSHIRE = StockConfig("BRK-B", "NYQ", "Berkshire Hathaway Inc.", "400", volume=4_000_000)
SAMSUNG = StockConfig(
    "005930.KS", "KSC", "Samsung Electronics Co., Ltd.", "70000", "100", 15_000_000, 200_000,
    splits=[Split("2018-05-04", "50:1")],
)  # fmt: skip
ECOPRO = StockConfig("247540.KQ", "KOE", "ECOPROBM CO., LTD.", "200000", "100", 900_000, listed="2019-03-05")
TOYOTA = StockConfig("7203.T", "JPX", "Toyota Motor Corporation", "2200", "0.5", 30_000_000, 200_000)
THIN = StockConfig("THIN", "ASE", "Thin Trading Corp.", "8", volume=2_000, trades=30)
HALTED = StockConfig(
    "HALT", "NMS", volume=9_000_000, trades=400_000,
    halts=[("2024-03-05T15:00", "2024-03-05T16:10"), ("2024-03-06T14:00", "2024-03-06T21:00")],
)  # fmt: skip
HOLED = StockConfig(
    "NULLS", "NMS", volume=9_000_000, trades=400_000,
    nulls=[("2024-03-05T15:00", "2024-03-05T15:10"), ("2024-03-06T14:00", "2024-03-06T21:00")],
)  # fmt: skip
FRESH = StockConfig(
    "FRESH", "NMS", "Fresh Split Inc.", "80", volume=5_000_000, trades=90_000,
    splits=[Split("2024-03-11", "3:2")], dividends=[Dividend("2024-03-05", "0.33")],
)  # fmt: skip
DEAD = StockConfig("TWTR", "NYQ", "Twitter, Inc.", "40", listed="2013-11-07", delisted="2022-10-28")
RENAMED = StockConfig("META", "NMS", "Meta Platforms, Inc.", "450", listed="2012-05-18", former=[("FB", "2022-06-09")])
FUND = StockConfig("SPY", "ASE", "SPDR S&P 500 ETF", "450", kind="ETF")
STOCKS = (AAPL, GE, BERKSHIRE, SAMSUNG, ECOPRO, TOYOTA, THIN, HALTED, HOLED, FRESH, DEAD, RENAMED, FUND)


class Stand:
    """Provider, exchange and the budget's gate."""

    def __init__(self, sandbox: Sandbox, provider: StocksProvider, gate: OpenGate) -> None:
        self.sandbox, self.provider, self.gate = sandbox, provider, gate

    def asked(self) -> int:
        """Requests since the last time."""
        count = self.sandbox.ledger.count()
        self.sandbox.ledger.clear()
        return count

    def market(self, name: str) -> Market:
        """The one of that name; what it cost is forgotten."""
        (market,) = self.provider.candle_markets(MarketQuery(name=name))
        self.asked()
        return market

    def request(self, name: str, timeframe: str, start: str, end: str) -> FetchRequest:
        """A wish."""
        return FetchRequest(markets=(self.market(name),), timeframe=timeframe, span=Span.of(start, end))

    def fetch(self, name: str, timeframe: str, start: str, end: str) -> list[Page]:
        """All pages of a wish."""
        wish = self.request(name, timeframe, start, end)
        return [self.provider.candle_fetch(part) for part in self.calls(wish)]

    def calls(self, wish: FetchRequest) -> list[FetchRequest]:
        """A wish for candles, cut."""
        return self.provider.candle_split(wish) or []


def chart_body(sandbox: Sandbox, symbol: str, interval: str, start: str, end: str) -> bytes:
    """What the sandbox answers."""
    query = (
        f"period1={to_ms(start) // 1000}&period2={to_ms(end) // 1000}&interval={interval}"
        "&events=div,splits&includePrePost=false"
    )
    with urllib.request.urlopen(f"{sandbox.url}/v8/finance/chart/{symbol}?{query}") as answer:
        body: bytes = answer.read()
    return body
