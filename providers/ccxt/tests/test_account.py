"""The keys of an account are ccxt's to sign with where a route wants it, and nobody else's."""

import base64
import hashlib
import hmac
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from candle_ccxt.provider import CcxtProvider
from candle_hookspecs import Account, MarketQuery
from candle_testkit.context import make_context
from candle_testkit.sandbox import MarketConfig, Sandbox, SandboxConfig

OKX = MarketConfig("BTC-USDT", "BTC", "USDT", "0.1", "0.00001", price="42000", exchange="OKX")
KEYS = {"api_key": SecretStr("the-key"), "api_secret": SecretStr("the-secret"), "passphrase": SecretStr("the-phrase")}


def build(tmp_path: Path, account: Account | None, name: str = "okx", **table: Any) -> CcxtProvider:
    context = replace(make_context(tmp_path, name), account=account)
    return CcxtProvider(CcxtProvider.Settings.model_validate(table), context)


def test_a_route_that_wants_a_key_is_signed_with_it(tmp_path: Path) -> None:
    provider = build(tmp_path, Account(name="main", exchange="okx", **KEYS))
    headers = provider._site.ccxt.sign("asset/currencies", ["private"])["headers"]
    # https://www.okx.com/docs-v5/en/#overview-rest-authentication
    signed = f"{headers['OK-ACCESS-TIMESTAMP']}GET/api/v5/asset/currencies"
    signature = base64.b64encode(hmac.digest(b"the-secret", signed.encode(), hashlib.sha256)).decode()
    assert headers["OK-ACCESS-KEY"] == "the-key"
    assert headers["OK-ACCESS-PASSPHRASE"] == "the-phrase"
    assert headers["OK-ACCESS-SIGN"] == signature


def test_a_route_that_wants_none_is_sent_none(tmp_path: Path) -> None:
    provider = build(tmp_path, Account(name="main", exchange="okx", **KEYS))
    assert "the-" not in repr(
        provider._site.ccxt.sign("market/history-candles", ["public"], params={"instId": "BTC-USDT"})
    )


def test_without_an_account_or_without_keys_there_is_none(tmp_path: Path) -> None:
    for account in (None, Account(name="main", exchange="okx")):
        exchange = build(tmp_path, account)._site.ccxt
        assert not exchange.check_required_credentials(False)


async def test_without_keys_a_listing_asks_nothing_that_wants_one(tmp_path: Path) -> None:
    with Sandbox(SandboxConfig(markets=[OKX], clock="2024-03-10", speed=0)) as sandbox:
        provider = build(tmp_path, None, rest_url=sandbox.url, tradetypes=["SPOT"])
        assert len(await provider.candle_markets(MarketQuery())) == 1
        await provider.candle_close()
        assert [one.path for one in sandbox.ledger.requests()] == ["/api/v5/public/instruments"]
