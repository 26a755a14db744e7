"""Which error a status stands for, where the exchange's own words do not say it better."""

from collections.abc import Mapping
from typing import Final

from candle_hookspecs import (
    AuthenticationError,
    BadRequestError,
    MalformedAnswerError,
    MarketGoneError,
    ProviderError,
    RateLimitedError,
    TransientError,
)
from candle_http.answers import Refusal

PAUSE: Final = 60.0
"""Seconds after a 429 or 418 that does not say how long."""

_BY_STATUS: Final[Mapping[int, tuple[type[ProviderError], str]]] = {
    401: (AuthenticationError, "check the key and its permissions"),
    403: (BadRequestError, "refused for this address; asking again at once makes it worse"),
    404: (BadRequestError, "nothing is there; check the URL in the settings"),
    408: (TransientError, "it may pass"),
    451: (BadRequestError, "it does not serve the place this address is in"),
}


def error_for(refusal: Refusal, *, gone: str = "") -> ProviderError:
    """The error by status: 418 and 429 a pause, 5xx what may pass, other 4xx a wrong request.

    Args:
        refusal: what came back.
        gone: what the body of a 4xx has in it when the market is not there, if the exchange says so.
    """
    text = f"the exchange answered {refusal.status}: {refusal.beginning}"
    if refusal.status in (418, 429):
        banned, wait = refusal.status == 418, refusal.retry_after
        return RateLimitedError(text, retry_after=PAUSE if wait is None else wait, banned=banned)
    if refusal.status >= 500:
        return TransientError(f"{text} (it may pass)")
    if gone and gone.encode() in refusal.body:
        return MarketGoneError(f"{text} (delisted, or never listed; what is stored stays)")
    kind, advice = _BY_STATUS.get(
        refusal.status,
        (BadRequestError, "") if refusal.status >= 400 else (MalformedAnswerError, "this is no answer of its API"),
    )
    return kind(f"{text} ({advice})" if advice else text)
