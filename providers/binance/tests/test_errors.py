"""Every status and code that Binance documents becomes the right error."""

import json

import pytest

from candle_binance.errors import error_for
from candle_hookspecs import (
    AuthenticationError,
    BadRequestError,
    MalformedAnswerError,
    MarketGoneError,
    ProviderError,
    RateLimitedError,
    TransientError,
)

NOW = 1_700_000_000_000
HTML = b"<html>403 Forbidden</html>"


def error(status: int, code: int = 0, message: str = "", retry_after: str | None = None) -> ProviderError:
    body = json.dumps({"code": code, "msg": message}).encode() if code else HTML
    return error_for(status, body, retry_after=retry_after, now=NOW)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        *((400, code, TransientError) for code in (-1000, -1001, -1006, -1007, -1008)),
        *((400, code, BadRequestError) for code in (-1020, -1101, -1102, -1104, -1105, -1120, -1127, -1130, -1194)),
        *((400, code, AuthenticationError) for code in (-1002, -2014, -2015)),
        (400, -1121, MarketGoneError),
        (400, -1003, RateLimitedError),
        (401, -2015, AuthenticationError),
        (401, 0, AuthenticationError),
        (403, 0, BadRequestError),
        (404, 0, BadRequestError),
        (451, 0, BadRequestError),
        (429, 0, RateLimitedError),
        (418, 0, RateLimitedError),
        (500, -1000, TransientError),
        *((status, 0, TransientError) for status in (500, 502, 503, 504, 520)),
        (400, 0, MalformedAnswerError),
        (302, 0, MalformedAnswerError),
    ],
)
def test_status_and_code(status: int, code: int, kind: type[ProviderError]) -> None:
    assert type(error(status, code, "said so")) is kind


def test_a_symbol_that_cannot_be_is_a_market_that_is_not() -> None:
    message = "Illegal characters found in parameter '{}'; legal range is '^[A-Z0-9-_.]{{1,20}}$'."
    assert type(error(400, -1100, message.format("symbol"))) is MarketGoneError
    assert type(error(400, -1100, message.format("limit"))) is BadRequestError


@pytest.mark.parametrize(
    ("status", "message", "header", "wait", "banned"),
    [
        (429, "Too much request weight used", "7", 7.0, False),
        (429, "Too much request weight used", None, None, False),
        (429, "Too much request weight used", "soon", None, False),
        (418, "Way too much request weight used; IP banned until 1700000120000. Please", "60", 60.0, True),
        (418, "Way too much request weight used; IP banned until 1700000120000. Please", None, 120.0, True),
        (400, "Way too much request weight used; IP banned until 1700000120000. Please", None, 120.0, True),
        (418, "IP banned until 1600000000000.", None, 0.0, True),
    ],
)
def test_the_wait(status: int, message: str, header: str | None, wait: float | None, banned: bool) -> None:
    caught = error(status, -1003, message, header)
    assert isinstance(caught, RateLimitedError)
    assert (caught.retry_after, caught.banned) == (wait, banned)


def test_the_message_says_what_the_exchange_said() -> None:
    assert "400" in str(error(400, -1120, "Invalid interval."))
    assert "-1120 Invalid interval." in str(error(400, -1120, "Invalid interval."))
    assert "403 Forbidden" in str(error(403))
