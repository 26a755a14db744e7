"""Which error an answer of Yahoo stands for.

Bodies are ``{"chart": {"result": null, "error": {"code": …, "description": …}}}``, under ``finance`` for the screener
and ``quoteSummary`` for quotes; a 429 is a line of text. Yahoo documents none of it; these were observed.
"""

from collections.abc import Mapping
from typing import Any, Final

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

PAUSE: Final = 60.0
"""Seconds to wait after a refusal that does not say how long: Yahoo tells nothing of its limits."""

_RATE_LIMITED: Final = (429, 999)
"""999 is Yahoo's own "request denied"."""

_BY_STATUS: Final[Mapping[int, tuple[type[ProviderError], str]]] = {
    400: (BadRequestError, ""),
    401: (AuthenticationError, "its cookie and crumb were refused, new ones too; try later"),
    403: (BadRequestError, "refused for this address"),
    404: (MarketGoneError, "delisted, renamed, or never listed; what is stored stays"),
    422: (BadRequestError, ""),
}


class NothingThereError(BadRequestError):
    """The market has no data at all in the range asked for: an empty answer in the form of an error.

    Attributes:
        size: bytes of the answer.
    """

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


def error_for(status: int, body: bytes, *, retry_after: str | None = None) -> ProviderError:
    """The error for an answer whose status is not 200.

    Args:
        status: of HTTP.
        body: as it came, unpacked.
        retry_after: the header of that name, seconds.
    """
    said = _said(body)
    text = f"Yahoo answered {status}: {said or beginning(body)}"
    if status in _RATE_LIMITED:
        seconds = float(retry_after) if retry_after and retry_after.strip().isdecimal() else PAUSE
        return RateLimitedError(text, retry_after=seconds)
    if status >= 500:
        return TransientError(f"{text} (it may pass)")
    if status == 400 and said.startswith("Data doesn't exist"):
        return NothingThereError(text, len(body))
    kind, advice = _BY_STATUS.get(status, (MalformedAnswerError, "this is not how Yahoo answers; check chart_url"))
    if kind is MarketGoneError and not said:
        kind, advice = BadRequestError, "nothing is there; check chart_url"
    return kind(text + (f" ({advice})" if advice else ""))


def beginning(body: bytes) -> str:
    """The first characters of an answer, for a message."""
    return repr(body[:100].decode(errors="replace"))


def _said(body: bytes) -> str:
    """Yahoo's own description; empty when the body has another form."""
    try:
        told: Any = msgspec.json.decode(body)
        (section,) = told.values()
        return str(section["error"]["description"])
    except (msgspec.MsgspecError, AttributeError, ValueError, KeyError, TypeError):
        return ""
