"""What a request cost is counted, and told to every extension."""

from typing import Any

import candle_core
from candle_core.coordinator import LargeTickerRequest, MarketDataCoordinator
from candle_hookspecs import Event, ExtensionCapabilities, Kind, hookimpl


class Listener:
    capabilities = ExtensionCapabilities(contract=1)

    def __init__(self) -> None:
        self.heard: list[Event] = []

    @hookimpl
    def candle_event(self, event: Event) -> None:
        self.heard.append(event)


async def test_what_a_request_cost_is_counted_and_told(clock: Any, bazaar: Any) -> None:
    listener = Listener()
    request = LargeTickerRequest(exchange="BAZAAR", symbols=["A/X", "B/X", "NO/SUCH"])
    async with candle_core.open({"storage": {"backend": "memory"}}, clock=clock) as candles:
        candles.kernel.dispatch.add_everywhere("extension:listener", listener)
        coordinator = MarketDataCoordinator(candles, ttl={Kind.TICKERS: 60.0})
        await coordinator.get_ticker_data(request)
        await coordinator.get_ticker_data(request)
        counted = (await candles.statistics()).of("BAZAAR", "tickers")
    assert (counted.calls, counted.hits, counted.rows) == (1, 2, 2)
    told = [event.data for event in listener.heard if event.name == "coordinator.finished"]
    assert [data["cache_hits"] for data in told] == [0, 2]
    assert dict(told[0]) == {
        "kind": "tickers", "exchange": "BAZAAR", "symbols": 3, "failed": 1, "rows": 2, "requests": 1, "retries": 0,
        "cache_hits": 0, "joined": 0, "size": 10,
    }  # fmt: skip
    assert [event.data["rows"] for event in listener.heard if event.name == "page.fetched"] == [2]
