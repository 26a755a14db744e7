"""Which error an answer of Upbit stands for.

Statuses and bodies: https://docs.upbit.com, "REST API". The form is ``{"error": {"name": 404, "message": "…"}}``, the
name a number or a word; a 429 has been seen as bare text too.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from candle_hookspecs import (
    AuthenticationError,
    BadRequestError,
    MalformedAnswerError,
    MarketGoneError,
    ProviderError,
    RateLimitedError,
    TransientError,
)
from candle_http import Refusal
from candle_upbit.wire import beginning

PAUSE: Final = 1.0
"""Seconds after a 429, where none are said: the period of every limit, at whose end the exchange counts anew."""

BAN: Final = 300.0
"""Seconds after a 418 that does not say how long it lasts. A request during a ban makes it longer."""

BY_STATUS: Final[Mapping[int, tuple[type[ProviderError], str]]] = {
    400: (BadRequestError, ""),
    401: (AuthenticationError, "market data needs no key"),
    403: (BadRequestError, "its firewall refused the request; asking again at once makes it worse"),
    404: (BadRequestError, "nothing is there; check rest_url"),
    429: (RateLimitedError, "slow down"),
    418: (RateLimitedError, "the address is banned"),
}

BY_MESSAGE: Final[Mapping[tuple[int, str], tuple[type[ProviderError], str]]] = {
    (404, "code not found"): (MarketGoneError, "delisted, or never listed; what is stored stays"),
}
"""Where the words decide and the status alone does not."""

_SECONDS: Final[Mapping[str, int]] = {
    "s": 1,
    "초": 1,
    "m": 60,
    "분": 60,
    "h": 3_600,
    "시": 3_600,
    "d": 86_400,
    "일": 86_400,
}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m(?=in|\W|$)|h|d|초|분|시간|일)", re.IGNORECASE)


class _Said(msgspec.Struct):
    name: int | str
    message: str


class _Body(msgspec.Struct):
    error: _Said


def said(body: bytes) -> str | None:
    """The exchange's own message, or None when the body has another form (bare text, a firewall's page)."""
    try:
        return msgspec.json.decode(body, type=_Body).error.message
    except msgspec.MsgspecError:
        return None


def refusal(refused: Refusal) -> ProviderError:
    """The error for an answer whose status is not 200."""
    return error_for(refused.status, refused.body, retry_after=refused.headers.get("Retry-After"))


def error_for(status: int, body: bytes, *, retry_after: str | None = None) -> ProviderError:
    """The error for an answer whose status is not 200.

    Args:
        status: of HTTP.
        body: as it came, unpacked.
        retry_after: the header of that name, seconds; Upbit documents none, but a proxy may send it.
    """
    message = said(body)
    words = beginning(body) if message is None else message
    kind, advice = BY_STATUS.get(status, (MalformedAnswerError, "this is not how Upbit answers; check rest_url"))
    if status >= 500:
        kind, advice = TransientError, "it may pass"
    if message is not None:
        kind, advice = BY_MESSAGE.get((status, message.strip().casefold()), (kind, advice))
    text = f"the exchange answered {status}: {words}" + (f" ({advice})" if advice else "")
    if kind is RateLimitedError:
        banned = status == 418
        return RateLimitedError(text, retry_after=_wait(retry_after, words, banned), banned=banned)
    return kind(text)


def _wait(header: str | None, words: str, banned: bool) -> float:
    if header is not None and header.strip().isdecimal():
        return float(header)
    if not banned:
        return PAUSE
    told = sum(float(number) * _SECONDS[unit[0].lower()] for number, unit in _DURATION.findall(words))
    return told or BAN
