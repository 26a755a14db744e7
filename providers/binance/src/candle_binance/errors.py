"""Which error an answer of Binance stands for.

Codes: https://github.com/binance/binance-spot-api-docs, errors.md; statuses: rest-api.md, "HTTP Return Codes".
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from candle_binance.wire import beginning
from candle_hookspecs import (
    AuthenticationError,
    BadRequestError,
    MalformedAnswerError,
    MarketGoneError,
    ProviderError,
    RateLimitedError,
    TransientError,
)

ILLEGAL_CHARACTERS: Final = -1100

BY_CODE: Final[Mapping[int, type[ProviderError]]] = {
    -1000: TransientError,  # unknown error
    -1001: TransientError,  # internal error
    -1003: RateLimitedError,
    -1006: TransientError,  # unexpected response from the message bus
    -1007: TransientError,  # time-out of a backend
    -1008: TransientError,  # overloaded
    -1121: MarketGoneError,  # invalid symbol
    -1002: AuthenticationError,
    -2014: AuthenticationError,  # malformed key
    -2015: AuthenticationError,  # wrong key, address or permission
}
"""Other codes, -11xx above all, say that the request is wrong."""

BY_STATUS: Final[Mapping[int, tuple[type[ProviderError], str]]] = {
    401: (AuthenticationError, "check the key and its permissions"),
    403: (BadRequestError, "its firewall refused the request; asking again at once makes it worse"),
    404: (BadRequestError, "nothing is there; check rest_url"),
    429: (RateLimitedError, "slow down"),
    418: (RateLimitedError, "the address is banned"),
    451: (BadRequestError, "it does not serve the place this address is in"),
}

_BAN_END: Final = re.compile(r"banned until (\d{13})")


class ExchangeMessage(msgspec.Struct):
    """``{"code": -1121, "msg": "Invalid symbol."}``."""

    code: int
    msg: str


def code_of(body: bytes) -> ExchangeMessage | None:
    """The exchange's own error, or None when the body is something else (a firewall's page)."""
    try:
        return msgspec.json.decode(body, type=ExchangeMessage)
    except msgspec.MsgspecError:
        return None


def error_for(status: int, body: bytes, *, retry_after: str | None, now: int) -> ProviderError:
    """The error for an answer whose status is not 200.

    Args:
        status: of HTTP.
        body: as it came, unpacked.
        retry_after: the header of that name, seconds; None: it was not sent.
        now: the moment from which a ban that is given by its end is counted, UTC ms.
    """
    said = code_of(body)
    kind, advice = BY_STATUS.get(status, (None, ""))
    if kind is None and status >= 500:
        kind, advice = TransientError, "it may pass"
    if kind is None and said is not None:
        kind = BY_CODE.get(said.code, BadRequestError)
        if said.code == ILLEGAL_CHARACTERS and "'symbol" in said.msg:
            kind = MarketGoneError  # a name that no market can have
    if kind is None:
        kind, advice = MalformedAnswerError, "this is not how Binance answers; check rest_url"
    words = f"{said.code} {said.msg}" if said else beginning(body)
    message = f"the exchange answered {status}: {words}" + (f" ({advice})" if advice else "")
    if kind is RateLimitedError:
        ban = _BAN_END.search(said.msg) if said else None
        wait = _seconds(retry_after, int(ban[1]) if ban else None, now)
        return RateLimitedError(message, retry_after=wait, banned=status == 418 or ban is not None)
    return kind(message)


def _seconds(header: str | None, ban_end: int | None, now: int) -> float | None:
    if header is not None and header.strip().isdecimal():
        return float(header)
    return None if ban_end is None else max(0.0, (ban_end - now) / 1000)
