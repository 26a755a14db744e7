"""The extension: hears every request and event, and serves what it has counted."""

import time
from collections.abc import Awaitable, Generator

from pydantic import Field

from candle_hookspecs import (
    Event,
    ExtensionCapabilities,
    FetchRequest,
    Page,
    PluginContext,
    Settings,
    hookimpl,
)
from candle_prometheus.endpoint import Endpoint
from candle_prometheus.metrics import Metrics


class PrometheusSettings(Settings):
    """``[extensions.prometheus]``.

    Attributes:
        port: where Prometheus scrapes; 0: any free one, which the log tells.
        host: this machine alone by default, as nobody is asked for a password.
    """

    port: int = Field(default=9464, ge=0, le=65_535)
    host: str = "127.0.0.1"


class PrometheusExtension:
    """Metrics of one manager, served while it is open."""

    Settings = PrometheusSettings
    capabilities = ExtensionCapabilities(contract=1)

    def __init__(self, settings: PrometheusSettings, context: PluginContext) -> None:
        self._settings, self._context = settings, context
        self._endpoint: Endpoint | None = None
        self.metrics = Metrics()

    @hookimpl(wrapper=True)
    def candle_fetch(self, request: FetchRequest) -> Generator[None, Awaitable[Page], Awaitable[Page]]:
        """Measure a call."""
        inner = yield
        return self._measured(request, inner)

    async def _measured(self, request: FetchRequest, inner: Awaitable[Page]) -> Page:
        self.metrics.sent(request)
        began = time.perf_counter()
        try:
            page = await inner
        except Exception as error:
            self.metrics.failed(request, error)
            raise
        self.metrics.answered(page, time.perf_counter() - began)
        return page

    @hookimpl
    async def candle_event(self, event: Event) -> None:
        """Count an event; with the manager's opening, begin to serve.

        Raises:
            ConfigError: somebody else listens there. The kernel logs it, and goes on without metrics.
        """
        self.metrics.happened(event)
        if event.name == "manager.opened":
            self._endpoint = Endpoint(self.metrics.registry, self._settings.host, self._settings.port)
            self._context.logger.info("metrics at %s", self._endpoint.url)

    @hookimpl
    def candle_close(self) -> None:
        """Stop serving."""
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.close()
