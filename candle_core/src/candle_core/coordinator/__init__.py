"""One door for every kind of market data: `MarketDataCoordinator`, its requests and its responses."""

from candle_core.coordinator.coordinator import MAX_CONCURRENCY, TTL, MarketDataCoordinator, Options
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
    "MAX_CONCURRENCY",
    "TTL",
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
    "Options",
    "RequestReport",
]
