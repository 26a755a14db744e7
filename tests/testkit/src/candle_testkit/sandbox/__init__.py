"""A sandbox exchange: a real HTTP server on loopback with synthetic markets, faults to order and a ledger of the truth.

See ``docs/sandbox.md``. It knows neither the kernel nor any plugin.
"""

from candle_testkit.sandbox.clock import SandboxClock
from candle_testkit.sandbox.config import MarketConfig, OffGrid, SandboxConfig
from candle_testkit.sandbox.defaults import default_markets
from candle_testkit.sandbox.errors import SandboxError
from candle_testkit.sandbox.faults import Fault, Faults
from candle_testkit.sandbox.ledger import Ledger, Request
from candle_testkit.sandbox.limits import Limits
from candle_testkit.sandbox.server import Sandbox
from candle_testkit.sandbox.stocks_config import Dividend, Split, StockConfig, YahooConfig
from candle_testkit.sandbox.stocks_defaults import default_stocks
from candle_testkit.sandbox.stocks_ledger import Stocks

__all__ = [
    "Dividend",
    "Fault",
    "Faults",
    "Ledger",
    "Limits",
    "MarketConfig",
    "OffGrid",
    "Request",
    "Sandbox",
    "SandboxClock",
    "SandboxConfig",
    "SandboxError",
    "Split",
    "StockConfig",
    "Stocks",
    "YahooConfig",
    "default_markets",
    "default_stocks",
]
