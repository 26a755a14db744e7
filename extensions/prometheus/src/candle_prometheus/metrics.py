"""The metrics: their names, labels and meaning. Labels take few values; a symbol is never one of them."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from candle_hookspecs import Event, FetchRequest, Page

CALL: Final = ("exchange", "kind", "source")
"""The labels of everything that is known of a call."""
KIND: Final = ("exchange", "kind")
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the buckets of latency."""


class Metrics:
    """All metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter("candle_requests", "Requests sent for market data", CALL, registry=registry)
        self._errors = Counter(
            "candle_request_errors", "Requests that ended in an error", (*CALL, "error"), registry=registry
        )
        self._seconds = Histogram(
            "candle_request_seconds", "How long answers took", CALL, buckets=SECONDS, registry=registry
        )
        self._rows = Counter(
            "candle_rows", "Candles, tickers, order books and trades that came", CALL, registry=registry
        )
        self._bytes = Counter("candle_bytes", "Bytes that came", CALL, registry=registry)
        self._spent = Counter("candle_spent", "Taken from a limit, in its unit", (*CALL, "limit"), registry=registry)
        self._retries = Counter("candle_retries", "Requests to be repeated", (*KIND, "cause"), registry=registry)
        self._pauses = Counter("candle_pauses", "Pauses that the exchange demanded", KIND, registry=registry)
        self._paused = Counter("candle_pause_seconds", "How long these pauses were", KIND, registry=registry)
        self._hits = Counter("candle_cache_hits", "Wishes that a cache fulfilled", KIND, registry=registry)
        self._misses = Counter("candle_cache_misses", "Wishes that no cache fulfilled", KIND, registry=registry)
        self._saved = Counter("candle_saved_rows", "Candles committed", ("exchange",), registry=registry)
        self._events = Counter("candle_events", "What happened", ("event",), registry=registry)

    def sent(self, request: FetchRequest) -> None:
        """Count a request that is about to be sent."""
        labels = _labels(request)
        self._requests.labels(*labels).inc()
        for limit, cost in request.costs.items():
            self._spent.labels(*labels, limit).inc(cost)

    def answered(self, page: Page, seconds: float) -> None:
        """Count an answer."""
        labels = _labels(page.request)
        self._seconds.labels(*labels).observe(seconds)
        self._bytes.labels(*labels).inc(page.size)
        rows = len(page.batch) + len(page.tickers) + len(page.orderbooks) + len(page.trades)
        self._rows.labels(*labels).inc(rows)

    def failed(self, request: FetchRequest, error: Exception) -> None:
        """Count a request that ended in an error."""
        self._errors.labels(*_labels(request), type(error).__name__).inc()

    def happened(self, event: Event) -> None:
        """Count an event."""
        self._events.labels(event.name).inc()
        data = event.data
        match event.name:
            case "request.retried":
                self._retries.labels(*_named(event, "provider"), str(data["cause"])).inc()
            case "limit.paused":
                self._pauses.labels(*_named(event, "provider")).inc()
                self._paused.labels(*_named(event, "provider")).inc(float(data["seconds"]))
            case "coordinator.finished":
                hits, joined, wishes = (float(data[name]) for name in ("cache_hits", "joined", "symbols"))
                self._hits.labels(*_named(event, "exchange")).inc(hits)
                self._misses.labels(*_named(event, "exchange")).inc(wishes - hits - joined)
            case "cache.looked_up":
                self._hits.labels(*_named(event, "exchange")).inc(float(data["hits"]))
                self._misses.labels(*_named(event, "exchange")).inc(float(data["misses"]))
            case "save.committed" if event.symbol is not None:
                self._saved.labels(event.symbol.exchange).inc(float(data["rows"]))


def _labels(request: FetchRequest) -> tuple[str, str, str]:
    return request.markets[0].exchange, str(request.kind), request.source


def _named(event: Event, name: str) -> tuple[str, str]:
    return str(event.data[name]).upper(), str(event.data["kind"])
