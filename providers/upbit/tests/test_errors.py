"""Every status and message that Upbit answers becomes the right error, and tells how long to wait."""

import json

import pytest

from candle_hookspecs import (
    AuthenticationError,
    BadRequestError,
    MalformedAnswerError,
    MarketGoneError,
    ProviderError,
    RateLimitedError,
    TransientError,
)
from candle_upbit.errors import BAN, error_for

HTML = b"<html>403 Forbidden</html>"


def body(name: str | int, message: str) -> bytes:
    return json.dumps({"error": {"name": name, "message": message}}, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (400, body(400, "Invalid parameter. Check the given value!"), BadRequestError),
        (400, body(400, "Type mismatch error. Check the parameters type!"), BadRequestError),
        (400, body(400, "Missing request parameter error. Check the required parameters!"), BadRequestError),
        (400, body(400, "specified unit is not valid."), BadRequestError),
        (404, body(404, "Code not found"), MarketGoneError),
        (404, body("404", "Code not found"), MarketGoneError),
        (404, body(404, "no Route matched with those values"), BadRequestError),
        (404, HTML, BadRequestError),
        (400, body(400, "Code not found"), BadRequestError),
        (401, body("invalid_access_key", "잘못된 엑세스 키입니다."), AuthenticationError),
        (403, HTML, BadRequestError),
        (429, body("too_many_requests", "Too many API requests."), RateLimitedError),
        (429, b"Too many API requests.", RateLimitedError),
        (418, body("too_many_requests", "blocked"), RateLimitedError),
        (418, b"", RateLimitedError),
        (500, body(500, "server error"), TransientError),
        (502, HTML, TransientError),
        (503, b"", TransientError),
        (302, b"", MalformedAnswerError),
        (204, b"", MalformedAnswerError),
    ],
)
def test_status_and_message(status: int, answer: bytes, kind: type[ProviderError]) -> None:
    error = error_for(status, answer)
    assert type(error) is kind
    assert str(status) in str(error)


@pytest.mark.parametrize("answer", [body("too_many_requests", "Too many API requests."), b"Too many API requests."])
def test_a_refusal_is_waited_for_until_the_next_second(answer: bytes) -> None:
    error = error_for(429, answer)
    assert isinstance(error, RateLimitedError)
    assert (error.retry_after, error.banned) == (1, False)
    assert "Too many API requests." in str(error)


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("This address is blocked for 120 seconds.", 120),
        ("blocked 5 minutes", 300),
        ("IP ban: 1h 30m", 5_400),
        ("try again in 2 days", 172_800),
        ("1분 30초 동안 차단되었습니다.", 90),
        ("2시간 동안 차단", 7_200),
        ("blocked", BAN),
        ("more than 10 requests", BAN),
        ("answered in 12 milliseconds", BAN),
    ],
)
@pytest.mark.parametrize("bare", [False, True])
def test_a_ban_lasts_as_long_as_its_message_says(message: str, seconds: float, bare: bool) -> None:
    error = error_for(418, message.encode() if bare else body("too_many_requests", message))
    assert isinstance(error, RateLimitedError)
    assert (error.retry_after, error.banned) == (seconds, True)


@pytest.mark.parametrize("status", [418, 429])
def test_a_header_that_says_how_long_is_believed(status: int) -> None:
    error = error_for(status, b"blocked for 5 seconds", retry_after="77")
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 77
