"""The endpoint, by connections of a test's own."""

import socket
import threading
from contextlib import ExitStack
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from candle_prometheus import endpoint
from candle_prometheus.endpoint import Endpoint


def test_who_connects_and_asks_nothing_keeps_no_thread(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    """As one whose machine was switched off; a process that runs for months meets many."""
    assert endpoint._Silent.timeout == endpoint.PATIENCE
    monkeypatch.setattr(endpoint._Silent, "timeout", 0.05)
    before = set(threading.enumerate())
    serving = Endpoint(CollectorRegistry(), "127.0.0.1", 0)
    port = int(serving.url.rpartition(":")[2].removesuffix("/metrics"))
    with ExitStack() as stack:
        for _ in range(5):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=120))
            assert silent.recv(1) == b"", "it is closed by the endpoint"
    serving.close()
    begun = set(threading.enumerate()) - before
    for thread in begun:
        thread.join(timeout=120)
    assert not any(thread.is_alive() for thread in begun)
    assert capfd.readouterr().err == ""
