"""The markets of Kraken and OKX that a sandbox has when nobody names any."""

from __future__ import annotations

from candle_testkit.sandbox.config import KRAKEN, OKX, MarketConfig


def default_other_markets() -> list[MarketConfig]:
    """Two of each on the spot, and two contracts of OKX: one without end and one that ends."""
    return [
        MarketConfig("XXBTZUSD", "BTC", "USD", "0.1", "0.00001", "30000", "90000000", listed="2017-08-17T04:00",
                     exchange=KRAKEN),
        MarketConfig("XETHXXBT", "ETH", "BTC", "0.00001", "0.001", "0.06", "90", listed="2017-08-17T04:00",
                     exchange=KRAKEN),
        MarketConfig("BTC-USDT", "BTC", "USDT", "0.1", "0.00001", "30000", "200000000", listed="2019-01-22T04:00",
                     holes=[("2024-12-10T06:00", "2024-12-10T09:30")], exchange=OKX),
        MarketConfig("BTC-USDT-SWAP", "BTC", "USDT", "0.1", "0.0001", "30000", "400000000",
                     listed="2019-11-12T08:00", exchange=OKX),
        MarketConfig("BTC-USDT-261225", "BTC", "USDT", "0.1", "0.0001", "30000", "20000000",
                     listed="2024-06-28T08:00", delisted="2026-12-25T08:00", exchange=OKX),
        MarketConfig("ETH-USDT", "ETH", "USDT", "0.01", "0.0001", "2000", "90000000", listed="2019-01-22T04:00",
                     exchange=OKX),
    ]  # fmt: skip
