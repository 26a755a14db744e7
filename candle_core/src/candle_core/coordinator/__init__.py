"""One door for every kind of market data: `MarketDataCoordinator`, its requests and its responses."""

from candle_core.coordinator.coordinator import MarketDataCoordinator
from candle_core.coordinator.models import (
    LargeCandleRequest,
    LargeCandleResponse,
    LargeOrderbookRequest,
    LargeOrderbookResponse,
    LargeRequest,
    LargeResponse,
    LargeTickerRequest,
    LargeTickerResponse,
    LargeTradeRequest,
    LargeTradeResponse,
    RequestReport,
)

__all__ = [
    "LargeCandleRequest",
    "LargeCandleResponse",
    "LargeOrderbookRequest",
    "LargeOrderbookResponse",
    "LargeRequest",
    "LargeResponse",
    "LargeTickerRequest",
    "LargeTickerResponse",
    "LargeTradeRequest",
    "LargeTradeResponse",
    "MarketDataCoordinator",
    "RequestReport",
]
