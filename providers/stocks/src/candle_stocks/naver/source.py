"""Days of Korean stocks from Naver.

``GET https://fchart.stock.naver.com/sise.nhn?timeframe=day&count=6000&requestType=0&symbol=005930`` answers XML in
EUC-KR, an ``<item data="20240102|78200|79800|78200|79600|17142847" />`` for each of the newest 6000 days: day, open,
high, low, close in whole won, volume. URL and columns are those of finance-datareader (``naver/data.py``); Naver
documents nothing. Reported by others who read it: all prices are in today's shares; a day without a trade has no price
but the last close (``20260925|0|0|0|175800|0``); today's row moves until the evening market has closed, at 20:00.
"""

import re
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urljoin, urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from candle_hookspecs import (
    BadRequestError,
    Floats,
    MalformedAnswerError,
    MarketGoneError,
    PluginContext,
    PluginError,
    RateLimitedError,
    TransientError,
    to_ms,
)
from candle_stocks.naver.library import Library
from candle_stocks.yahoo.session import COSTS

MOST: Final = 6000
"""So many days are asked for by the library."""

PAUSE: Final = 60.0
"""Seconds to wait after a refusal that does not say how long."""

_CODE: Final = re.compile(r"[0-9A-Z]{6}")
_SEOUL: Final = 9 * 3_600_000
"""Ahead of UTC, ms; without summer time since 1988."""

_DAY: Final = 86_400_000
_HOPS: Final = 3
"""Most redirections that are followed."""

_COLUMNS: Final = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Days:
    """Days that are over and had a trade, oldest first.

    Attributes:
        dates: of the sessions in Seoul, ``datetime64[D]``, rising.
        columns: open, high, low, close (won) and volume, all in the shares of `moment` and rounded to whole numbers, so
            that a price from before a split may be off by half of its ratio.
        moment: the server's clock, UTC ms.
        size: bytes of the answer, unpacked.
        complete: there are fewer days than were asked for, so Naver knows none before.
    """

    dates: NDArray[np.datetime64]
    columns: dict[str, Floats]
    moment: int
    size: int
    complete: bool


class Naver:
    """Requests of one provider. Methods block and may be called by several threads.

    Args:
        url: where to ask instead of Naver's host.
        timeout: seconds until a request is given up.
        context: its budget is asked before every request.
    """

    def __init__(self, url: str | None, timeout: float, context: PluginContext) -> None:
        self._url, self._timeout, self._context = url, timeout, context
        self._lock = threading.Lock()
        self._library: Library | None = None
        self._asked = threading.local()

    def days(self, code: str, *, paid: bool = False) -> Days:
        """The newest days of a stock, as many as there are up to `MOST`, without today. Costs one request.

        What this proves: every session from the first of `dates` to yesterday of which there is no row had no trade; if
        `complete`, so had those before. Without `complete` nothing is known of what was before.

        Args:
            code: the stock's, six characters: ``005930``.
            paid: the request was paid for by who calls.

        Raises:
            PluginError: finance-datareader is not installed, or no longer what it was.
            BadRequestError: no such code is possible, or the address is refused.
            MarketGoneError: Naver has no day of it.
            MalformedAnswerError: the answer is no document, was cut, or has rows that cannot be.
            RateLimitedError: after the pause was told to the budget.
            TransientError: the connection failed or took too long, or the server failed.
        """
        if not _CODE.fullmatch(code):
            raise BadRequestError(f"{code!r} is no code of a Korean stock; they have six characters, such as '005930'")
        self._asked.paid, self._asked.told = paid, None
        frame = self._opened().days(code)
        if self._asked.told is None:
            raise PluginError("this finance-datareader asks Naver past us: pip install -U 'candle-stocks[krx]'")
        if not len(frame):
            raise MarketGoneError(f"Naver has no day of {code!r} (delisted, or never listed; what is stored stays)")
        return _days(frame, code, *self._asked.told)

    def _opened(self) -> Library:
        with self._lock:
            if self._library is None:
                self._library = Library(self._get)
            return self._library

    # ── how a request is sent ───────────────────────────────────────────────────────────────────────────────────────

    def _get(self, url: str) -> str:
        """The document behind a URL of the library's, which may have moved."""
        response = self._send(url)
        for _ in range(_HOPS):
            target = response.headers.get("Location")
            if not 300 <= response.status_code < 400 or not target:
                break
            url = urljoin(url, target)
            response = self._send(url)
        if response.status_code != 200:
            raise self._refused(response)
        body: bytes = response.content
        # Whole rows may be lacking from what was cut; the library would not see it.
        if not body.rstrip().endswith(b"</protocol>"):
            raise MalformedAnswerError(f"not Naver's document of days, or cut: it begins {_beginning(body)}")
        self._asked.told = self._moment(response), len(body)
        # Names are in EUC-KR; what the library reads are digits.
        return body.decode("ascii", errors="replace")

    def _send(self, url: str) -> Any:
        from curl_cffi import requests

        paying = nullcontext() if self._asked.paid else self._context.budget.under_way_blocking(COSTS)
        self._asked.paid = False
        here = self._here(url)
        place = urlsplit(here)._replace(query="").geturl()
        with paying:
            try:
                response = requests.get(here, timeout=self._timeout, allow_redirects=False, impersonate="chrome")
            except requests.exceptions.RequestException as error:
                raise TransientError(f"{place}: {str(error) or type(error).__name__}") from error
        self._context.logger.debug("%s: %s, %s bytes", place, response.status_code, len(response.content))
        return response

    def _here(self, url: str) -> str:
        if self._url is None:
            return url
        asked, target = urlsplit(url), urlsplit(self._url)
        return urlunsplit((target.scheme, target.netloc, target.path.rstrip("/") + asked.path, asked.query, ""))

    def _refused(self, response: Any) -> Exception:
        status, told = response.status_code, response.headers.get("Retry-After", "")
        text = f"Naver answered {status}: {_beginning(response.content)}"
        if status == 429:
            seconds = float(told) if told.strip().isdecimal() else PAUSE
            self._context.budget.pause(seconds)
            return RateLimitedError(text, retry_after=seconds)
        if status >= 500:
            return TransientError(f"{text} (it may pass)")
        return BadRequestError(f"{text} (refused for this address, or no longer there; check naver_url)")

    def _moment(self, response: Any) -> int:
        """The server's clock, from the head of its answer (RFC 9110, 6.6.1); ours where it says nothing."""
        try:
            moment = parsedate_to_datetime(response.headers.get("Date", ""))
        except ValueError:
            return self._context.clock.now()
        return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _days(frame: Any, code: str, moment: int, size: int) -> Days:
    """Settled days of the library's table."""
    try:
        table = np.stack([frame[name.capitalize()].to_numpy(np.float64) for name in _COLUMNS])
    except (ValueError, TypeError) as error:
        raise MalformedAnswerError(f"a day of {code!r} at Naver is no row of numbers: {error}") from error
    dates = frame.index.to_numpy().astype("datetime64[D]")
    if (np.diff(dates) <= np.timedelta64(0, "D")).any():
        raise MalformedAnswerError(f"Naver tells a day of {code!r} twice")
    open_, high, low, close, volume = table
    idle = (table[:3] == 0).all(axis=0)
    # Written so that what is not a number is not sound.
    sound = (low > 0) & (low <= np.minimum(open_, close)) & (high >= np.maximum(open_, close)) & (volume >= 0)
    if (wrong := ~(sound | idle)).any():
        place = int(np.flatnonzero(wrong)[0])
        raise MalformedAnswerError(f"{dates[place]} of {code!r} at Naver cannot be: {table[:, place].tolist()!r}")
    today = np.datetime64((moment + _SEOUL) // _DAY, "D")
    kept = ~idle & (dates < today)
    columns = {name: column[kept] for name, column in zip(_COLUMNS, table, strict=True)}
    return Days(dates[kept], columns, moment, size, complete=len(dates) < MOST)


def _beginning(body: bytes) -> str:
    return repr(body[:100].decode(errors="replace"))
