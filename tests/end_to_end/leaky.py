"""A provider that lets its keys out wherever it can, and a program that prints and logs all it can lay hands on.

``python -m tests.end_to_end.leaky`` is the program. With ``LEAKY_UNSCRUBBED`` in the environment nothing is scrubbed,
which shows that the keys would be found.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
import os
import traceback
from dataclasses import asdict
from typing import Any

import aiohttp
import numpy as np
from pydantic import SecretStr

import candle_core
from candle_core.config import load_config
from candle_core.kernel import Kernel
from candle_core.secrets import Redactor
from candle_hookspecs import (
    REQUIRED_COLUMNS,
    AuthenticationError,
    CandleBatch,
    FetchRequest,
    Kind,
    Limit,
    Market,
    MarketQuery,
    MarketStatus,
    Page,
    PluginContext,
    ProviderCapabilities,
    Scope,
    Settings,
    hookimpl,
)

EXCHANGES = ("refused", "quoted", "foreign", "raising", "logging")
"""What becomes of a request: 401 with the key in its body; the same, encoded; an error of the library's; one of the
plugin's own; candles, and a log full of keys."""

if os.environ.get("LEAKY_UNSCRUBBED"):
    Redactor.scrub = lambda self, text: text  # type: ignore[method-assign]
    Redactor.finds = lambda self, text: False  # type: ignore[method-assign]


def signatures(secret: str) -> tuple[str, str]:
    """What exchanges sign requests with, in hexadecimal and in base64, made with that key."""
    digest = hmac.new(secret.encode(), b"timestamp=1700000000000", hashlib.sha256).digest()
    return digest.hex(), base64.b64encode(digest).decode()


class LeakyProvider:
    """One market; its name in the TOML decides how it leaks."""

    class Settings(Settings):
        url: str
        dsn: SecretStr

    capabilities = ProviderCapabilities(
        contract=1, tradetypes=("SPOT",), timeframes=("1m",), page_limit=100,
        limits=(Limit("requests", 600, 60.0, scope=Scope.ACCOUNT),), costs={Kind.CANDLES: {"requests": 1}},
    )  # fmt: skip

    def __init__(self, settings: Settings, context: PluginContext) -> None:
        assert context.account is not None
        account = context.account
        keys = (account.api_key, account.api_secret, account.passphrase, settings.dsn)
        self.keys = [key.get_secret_value() for key in keys if key is not None]
        self.settings, self.context = settings, context

    @hookimpl
    async def candle_markets(self, query: MarketQuery) -> list[Market]:
        market = Market(
            archetype="CRYPTO", exchange=self.context.name.upper(), tradetype="SPOT", base="BTC", quote="USDT",
            native_id="BTCUSDT", ccxt_symbol="BTC/USDT", status=MarketStatus.TRADING, listed=0,
        )  # fmt: skip
        return [market] if query.selects(market) else []

    @hookimpl
    async def candle_fetch(self, request: FetchRequest) -> Page:
        if self.context.name == "raising":
            self.fail()
        if self.context.name == "logging":
            self.log()
            return self.page(request)
        sent = dict(zip(("key", "secret", "passphrase", "dsn"), self.keys, strict=True))
        basic = base64.b64encode(":".join(self.keys[:2]).encode()).decode()
        headers = {"X-KEY": self.keys[0], "Authorization": f"Basic {basic}"}
        if self.context.name != "quoted":  # there it would stand without its name
            sent["signature"], headers["OK-ACCESS-SIGN"] = signatures(self.keys[1])
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.settings.url}/{self.context.name}", params=sent, headers=headers) as response,
        ):
            body = await response.text()
            if self.context.name == "foreign":
                response.raise_for_status()
        raise AuthenticationError(f"the exchange answered {response.status} to {response.url}: {body}")

    def fail(self) -> None:
        try:
            raise KeyError(self.keys[0])
        except KeyError as error:
            error.add_note(f"tried with {self.keys!r}")
            raise RuntimeError(
                "cannot sign", {"keys": self.keys, "raw": self.keys[1].encode()}, self.signed()
            ) from error

    def signed(self) -> dict[str, Any]:
        """A request as libraries keep it."""
        in_hex, in_base64 = signatures(self.keys[1])
        headers = {"Authorization": f"Bearer {in_hex}", "KC-API-SIGN": in_base64}
        return {
            "url": f"https://exchange.example/order?timestamp=1&sign={in_hex}",
            "params": {"timestamp": ["1"], "signature": [in_hex]},
            "headers": headers,
            "raw": [(name.encode(), value.encode()) for name, value in headers.items()],
        }

    def log(self) -> None:
        for logger in (self.context.logger, self.context.logger.getChild("wire"), logging.getLogger("leaky.library")):
            logger.warning("signing with %s", self.keys)
            logger.debug(f"signing with {self.keys[0]}")  # noqa: G004 - as some write it
            logger.debug("sending %r", self.signed())
            try:
                self.fail()
            except RuntimeError:
                logger.exception("signing failed")
        self.context.logger.error("sent", extra={"headers": {"X-KEY": self.keys[0]}, **self.signed()["params"]})

    def page(self, request: FetchRequest) -> Page:
        assert request.span is not None
        times = np.arange(-(-request.span.start // 60_000), request.span.end // 60_000)[: request.limit] * 60_000
        columns = dict.fromkeys(REQUIRED_COLUMNS, times / 60000) | {"open_time": times}
        return Page.of(request, CandleBatch.from_columns(columns), answered_at=self.context.clock.now())


class Everything(logging.Formatter):
    """Writes all that a record holds."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{super().format(record)}\n{vars(record)!r}"


async def collect(exchange: str) -> Any:
    """Ten candles, or what came instead."""
    async with candle_core.open() as candles:
        return await candles.collect_candles_only(
            "BTC/USDT", "1m", exchange=exchange.upper(), tradetype="SPOT", start="2024-01-01", end="2024-01-01T00:10"
        )


async def show() -> None:
    """Print whatever an error, a summary, a configuration and what is made of it tell of themselves."""
    for exchange in EXCHANGES:
        try:
            shown: Any = await collect(exchange)
        except Exception as error:  # noqa: BLE001 - it is what is looked at
            traceback.print_exc()
            shown = error
        print(exchange, shown, repr(shown), vars(shown) if hasattr(shown, "__dict__") else "")
    config = load_config()
    kernel = Kernel(config)
    provider = kernel.provider("refused")
    made = [config, *config.accounts, *config.check_accounts(), *config.providers.values(), kernel, provider]
    made += [
        provider.hooks,
        provider.budget,
        config.account("refused"),
        config.source,
        config.provider("refused").values,
    ]
    for one in made:
        print(repr(one), str(one))
    print(asdict(config), [asdict(one) for one in config.accounts], vars(kernel))
    await kernel.close()


if __name__ == "__main__":
    handler = logging.FileHandler("all.log")
    handler.setFormatter(Everything())
    logging.basicConfig(level=1, handlers=[handler])
    asyncio.run(show())
    asyncio.run(collect("foreign"))  # and one that nobody catches
