"""The keys of an account are ccxt's to sign with where a route wants it, and nobody else's."""

import base64
import hashlib
import hmac
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from candle_ccxt.provider import CcxtProvider
from candle_hookspecs import Account
from candle_testkit.context import make_context

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


def test_without_an_account_or_without_keys_nothing_can_be_signed(tmp_path: Path) -> None:
    for account in (None, Account(name="main", exchange="okx")):
        with pytest.raises(Exception, match='requires "apiKey" credential'):
            build(tmp_path, account)._site.ccxt.sign("asset/currencies", ["private"])


def test_between_signatures_there_is_no_key_to_be_found(tmp_path: Path) -> None:
    """Whoever finds one asks for more than was wanted."""
    exchange = build(tmp_path, Account(name="main", exchange="okx", **KEYS))._site.ccxt
    exchange.sign("asset/currencies", ["private"])
    half = build(tmp_path, Account(name="main", exchange="okx", api_key=KEYS["api_key"]))._site.ccxt
    with pytest.raises(Exception, match='requires "secret" credential'):
        half.sign("asset/currencies", ["private"])
    for one in (exchange, half):
        assert not one.check_required_credentials(False)
        assert (one.apiKey, one.secret, one.password) == (None, None, None)
