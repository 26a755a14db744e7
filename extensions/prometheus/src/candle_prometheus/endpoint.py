"""The address that Prometheus scrapes, served by a thread of its own: it answers while the event loop is busy."""

import socket
import socketserver
import threading
from contextlib import suppress
from typing import Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from candle_hookspecs import ConfigError

_LOOK: Final = 0.05
"""Seconds until the thread sees that it shall end."""
PATIENCE: Final = 30.0
"""Seconds to wait for the request of one who has connected."""


class Endpoint:
    """Serves from here on until `close`.

    Args:
        host: name or address to listen at.
        port: 0: any free one.

    Raises:
        ConfigError: it cannot listen there.
    """

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        try:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self._server = _Server(family, (str(address[0]), int(address[1])))
        except OSError as error:
            raise ConfigError(
                f"metrics cannot be served at {host}:{port}: {error.strerror or error}; if another candle process"
                " serves its own there, give this one another port, or a configuration without [extensions.prometheus]"
            ) from error
        self._server.set_app(make_wsgi_app(registry))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_LOOK,), name="candle-prometheus", daemon=True
        )
        self._thread.start()
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_port}/metrics"

    def close(self) -> None:
        """Stop listening. Waits for the thread."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Silent(WSGIRequestHandler):
    timeout = PATIENCE

    def handle(self) -> None:
        """Answer; who asks nothing, or went away without a word, keeps no thread and no connection."""
        with suppress(TimeoutError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each scrape."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, family: socket.AddressFamily, address: tuple[str, int]) -> None:
        self.address_family = family
        super().__init__(address, _Silent)

    def server_bind(self) -> None:
        """Bind without asking who we are: `HTTPServer` looks its own name up, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), port
        self.setup_environ()
