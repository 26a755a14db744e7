"""Signatures are masked under the names that exchanges give them, and words that only look alike are left."""

import base64
import hashlib
import hmac
import html
import json
import logging
import time
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from multidict import CIMultiDict

from candle_core.secrets import MASK, REDACTOR, Redactor, guarded, scrubbed
from candle_hookspecs import AuthenticationError

DIGEST = hmac.new(b"a key", b"timestamp=1", hashlib.sha512).digest()
VALUES = {
    "hexadecimal": DIGEST[:32].hex(),
    "md5": hashlib.md5(b"timestamp=1").hexdigest().upper(),
    "base64": base64.b64encode(DIGEST).decode(),
    "base64 for urls": base64.urlsafe_b64encode(DIGEST).decode(),
}
NAMES = (
    "signature", "Signature", "sign", "SIGN", "API-Sign", "OK-ACCESS-SIGN", "KC-API-SIGN", "X-BAPI-SIGN",
    "X-GEMINI-SIGNATURE", "bfx-signature", "x-phemex-request-signature", "KC-API-PASSPHRASE", "userSignature",
)  # fmt: skip
WRITTEN: dict[str, Callable[[str, str], str]] = {
    "query": lambda name, value: f"GET https://x.example/order?timestamp=1&{urlencode({name: value})}&recvWindow=5000",
    "query as it is": lambda name, value: f"/order?{name}={value}",
    "body": lambda name, value: f"{name}={value}&timestamp=1",
    "url in a url": lambda name, value: quote(f"https://x.example/?a=1&{name}={value}", safe=""),
    "query in html": lambda name, value: html.escape(f"?a=1&{name}={value}"),
    "header": lambda name, value: f"Host: x.example\r\n{name}: {value}\r\nAccept: */*",
    "headers shown": lambda name, value: repr(f"Host: x.example\n{name}: {value}\nAccept: */*"),
    "json": lambda name, value: json.dumps({"a": 1, name: value, "b": 2}),
    "json, slashes escaped": lambda name, value: json.dumps({name: value}).replace("/", "\\/"),
    "json, plus escaped": lambda name, value: json.dumps({name: value}).replace("+", "\\u002b"),
    "json in json": lambda name, value: json.dumps(json.dumps({name: value})),
    "json in html": lambda name, value: html.escape(json.dumps({name: value})),
    "dict": lambda name, value: repr({name: value}),
    "parsed query": lambda name, value: repr({name: [value]}),
    "pair": lambda name, value: repr((name, value)),
    "pair of bytes": lambda name, value: repr((name.encode(), value.encode())),
    "aiohttp's headers": lambda name, value: repr(CIMultiDict({name: value})),
}


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_whatever_the_name_and_however_it_is_written(value: str, write: Callable[[str, str], str]) -> None:
    redactor = Redactor()  # it was told no key
    pieces = {value[at : at + 12] for at in range(0, len(value) - 12, 12)}
    for name in NAMES:
        text = write(name, value)
        clean = redactor.scrub(text)
        assert redactor.finds(text)
        assert MASK in clean, text
        assert [piece for piece in pieces if piece in clean or quote(piece, safe="") in clean] == []
        assert not redactor.finds(clean), clean
        assert name.partition("/")[0] in clean, "what it was is told"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}", "authorization: bearer {}", "Authorization: Basic {}", "Authorization: HS256 {}",
        "{{'Authorization': 'Bearer {}'}}", '{{"Authorization":"Bearer {}"}}', "Authorization: {}",
        "curl -H 'bearer {}'", "access_token={}", '{{"access_token": "{}"}}',
        "Authorization: deri-hmac-sha256 id=me,ts=1,sig={},nonce=1",
        "https://x.example/?token=1&signature={}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_tokens(text: str, value: str) -> None:
    clean = Redactor().scrub(text.format(value))
    assert clean == text.format(MASK)


def test_what_is_sent_in_clear_is_masked_though_it_is_short() -> None:
    clean = Redactor().scrub("{'Authorization': 'Basic dXNlcjpwYXNz', 'a': 1} ?sign=ab12cd&a=1")
    assert clean == f"{{'Authorization': 'Basic {MASK}', 'a': 1}} ?sign={MASK}&a=1"


@pytest.mark.parametrize(
    "text",
    [
        "Signature for this request is not valid.",
        "invalid signature: misconfiguration of the key",
        "the sign: a minus, assigned = 12345678901234567890123456789012345",
        "design=0123456789abcdef0123456789abcdef0123456789",
        "SignatureMethod=HmacSHA256&SignatureVersion=2",
        "KRW-SIGN: CRYPTO-UPBIT-SPOT-SIGN-KRW-1m, SIGN: 0.0712",
        "('KRW-SIGN', 'CRYPTO-BINANCE-COINM-SIGN-USDT-260327-1m')",
        '{"base": "SIGN", "quote": "USDT", "SIGN": "12345678.90123456"}',
        "https://api.example/candles?market=KRW-SIGN&to=2024-01-01T00:00:00Z",
        "Authorization: required; unauthorized: bearer of bad news",
        "Authorization: Bearer authentication is required",
        "passphrase: { env = \"OKX_PASSPHRASE\" }",
        "token=0x0123 of the contract, tokens: BTC, ETH",
    ],
)  # fmt: skip
def test_innocent_words_are_left(text: str) -> None:
    assert not Redactor().finds(text)
    assert Redactor().scrub(text) == text


@pytest.mark.parametrize("words", ["authorization:", "authorization=", "signature=", "sign: ", "bearer+", "&sign"])
def test_a_hostile_answer_takes_no_longer_than_it_is_long(words: str) -> None:
    began = time.process_time()
    Redactor().scrub(words * (150_000 // len(words)) + " id=")
    assert time.process_time() - began < 10, "it took a minute where each word was followed to the end"


def request() -> dict[str, Any]:
    """A request as libraries keep it."""
    return {
        "params": {"timestamp": ["1"], "signature": [VALUES["hexadecimal"]]},
        "headers": {"OK-ACCESS-SIGN": VALUES["base64"], "Authorization": f"Bearer {VALUES['md5']}"},
        "raw": [(b"KC-API-SIGN", VALUES["base64"].encode()), ["sign", VALUES["hexadecimal"]]],
        "status": 401,
    }


def test_an_error_that_carries_a_request_keeps_all_else() -> None:
    error = AuthenticationError("refused", request())
    vars(error)["signature"] = VALUES["base64"]
    clean = scrubbed(error)
    told = "".join(traceback.format_exception(clean)) + repr(clean.args) + repr(vars(clean))
    assert [name for name, value in VALUES.items() if value in told] == []
    assert type(clean) is AuthenticationError
    assert clean.args[1]["params"] == {"timestamp": ["1"], "signature": [MASK]}
    assert clean.args[1]["raw"] == [(b"KC-API-SIGN", MASK.encode()), ["sign", MASK]]
    assert clean.args[1]["status"] == 401
    assert vars(clean) == {"signature": MASK}


def test_log_records(caplog: pytest.LogCaptureFixture) -> None:
    REDACTOR.remember("planted-77aa-key")  # who has no key signs nothing
    logger = guarded("candle.signing")
    with caplog.at_level(logging.DEBUG):
        logger.debug(
            "sent %s", request(), extra={"signature": VALUES["base64"], "wire": CIMultiDict(sign=VALUES["md5"])}
        )
    told = "".join(f"{record.getMessage()}{vars(record)!r}" for record in caplog.records)
    assert "sent" in told
    assert [name for name, value in VALUES.items() if value in told] == []
