"""Which error of ours an error of ccxt stands for.

Its classes: ``ccxt.base.errors``. What they mean is not the same at every exchange: a limit may come as
`DDoSProtection`, as `RateLimitExceeded` or as a bare `ExchangeError`, and a status of 403 as an exchange that is not
available. So the status decides where it can.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp

from candle_ccxt.calls import Answer
from candle_hookspecs import (
    AuthenticationError,
    BadRequestError,
    CandleError,
    MalformedAnswerError,
    MarketGoneError,
    ProviderError,
    RateLimitedError,
    TransientError,
)

PAUSE: Final = 10.0
"""Seconds after a limit was passed, where the exchange does not say."""

BAN: Final = 300.0
"""Seconds after a 418 that does not say how long it lasts. A request during a ban makes it longer."""

_MISREAD: Final = (TypeError, LookupError, AttributeError, ValueError, ArithmeticError)
"""What ccxt's parsers fail with when an answer has not the form that they were written for."""

BY_NAME: Final[tuple[tuple[str, type[ProviderError]], ...]] = (
    # The first that an error is a child of; what comes before another is the more special one.
    ("DDoSProtection", RateLimitedError),
    ("RateLimitExceeded", RateLimitedError),
    ("AuthenticationError", AuthenticationError),
    ("BadSymbol", MarketGoneError),
    ("BadResponse", MalformedAnswerError),
    ("NetworkError", TransientError),
    ("OperationFailed", TransientError),
)
"""By the names of ccxt's classes, so that reading this imports nothing; all else is a refused request."""


@contextmanager
def translated(what: object) -> Iterator[None]:
    """Turn what ccxt raises into our errors.

    Args:
        what: was asked, for the message.
    """
    from ccxt.base.errors import BaseError

    try:
        yield
    except BaseError as error:
        raise error_for(error, what) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise TransientError(f"{what}: {str(error) or type(error).__name__}") from error
    except CandleError:
        raise
    except _MISREAD as error:
        raise MalformedAnswerError(f"ccxt cannot read the answer to {what}: {type(error).__name__}: {error}") from error


def is_misread(error: Exception) -> bool:
    """Whether ccxt failed while it read an answer, and not because of what the exchange said or did not say."""
    from ccxt.base.errors import BaseError

    if isinstance(error, BaseError):
        return "answer" not in vars(error)
    return isinstance(error, _MISREAD) and not isinstance(error, CandleError)


def unreadable(error: Exception, what: str) -> Exception:
    """What an error of `is_misread` is. A bare one of ccxt's is its word for a row that lacks something."""
    bare = type(error).__name__ == "ExchangeError"
    return MalformedAnswerError(f"ccxt cannot read {what}: {error}") if bare else error


def error_for(error: Exception, what: object) -> ProviderError:
    """The error of our tree for one of ccxt's; the answer that it came with, if any, is its `answer`."""
    answer: Answer | None = vars(error).get("answer")
    status = answer.status if answer else 0
    kind = _kind(error, status)
    text = f"{what}: {str(error)[:300]} ({type(error).__name__}"
    text += f", {status} from {answer.url[:200]})" if answer and answer.url not in text else ")"
    if kind is RateLimitedError:
        banned = status == 418
        wait = answer.retry_after if answer else None
        return RateLimitedError(text, retry_after=(BAN if banned else PAUSE) if wait is None else wait, banned=banned)
    return kind(text)


def _kind(error: Exception, status: int) -> type[ProviderError]:
    if status in (418, 429):
        return RateLimitedError
    if isinstance(error.__cause__, (aiohttp.ClientError, TimeoutError)):
        return TransientError
    names = {one.__name__ for one in type(error).__mro__}
    meant = next((kind for name, kind in BY_NAME if name in names), BadRequestError)
    if status >= 500 and meant is BadRequestError:
        return TransientError
    if meant is TransientError and 400 <= status < 500 and status != 408:
        return BadRequestError
    return meant
