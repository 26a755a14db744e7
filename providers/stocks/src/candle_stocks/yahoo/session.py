"""The one place that every request to Yahoo passes, those that yfinance hides too.

yfinance asks on its own account for cookies, consents and crumbs, repeats what was refused, and shares one session and
one cookie in all of a process. Here it gets a session of each provider's own, in which a request waits for the budget,
goes where `chart_url` says, and raises a typed error when it is refused, so that nothing is repeated behind our back.
A chart needs neither cookie nor crumb, so yfinance is imported only for what does: listings, quotes, a refused chart.
"""

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urljoin, urlsplit, urlunsplit

from candle_hookspecs import AuthenticationError, PluginContext, RateLimitedError, TransientError, to_ms
from candle_stocks.yahoo.errors import error_for

HOST: Final = "https://query2.finance.yahoo.com"
COSTS: Final = {"requests": 1, "burst": 1}
"""What one request takes from the budget."""

_HOPS: Final = 6
"""Most redirections that are followed."""


class Answer:
    """What came back with status 200: the body unpacked, its size on the wire, the server's clock in UTC ms."""

    __slots__ = ("body", "moment", "size")

    def __init__(self, body: bytes, size: int, moment: int) -> None:
        self.body, self.size, self.moment = body, size, moment


class Yahoo:
    """Requests of one provider.

    Every method blocks and may be called by several threads. Each raises:
        TransientError: the connection failed, took too long or was cut, or the server failed.
        RateLimitedError: after the pause was told to the budget.
        ProviderError: any other of its children, by status and message.
    """

    def __init__(self, url: str | None, timeout: float, context: PluginContext) -> None:
        self._url, self._timeout, self._context = url, timeout, context
        self._lock = threading.Lock()
        self._paid = threading.local()
        self._offset = 0
        self._crumb_wanted = False
        self._session: Any = None
        self._library: Any = None

    def now(self) -> int:
        """Yahoo's clock, as far as its last answer told it, UTC ms."""
        return self._context.clock.now() + self._offset

    def prepaid(self) -> "_Prepaid":
        """A block whose first request was paid for by who calls."""
        return _Prepaid(self._paid)

    def get(self, path: str, parameters: Mapping[str, str | int], *, crumb: bool = False) -> Answer:
        """Ask for a path; with cookie and crumb where it wants a `crumb`, or when it was once refused without."""
        url = f"{HOST}{path}"
        if not crumb and not self._crumb_wanted:
            try:
                return self._answer(self._opened().request("GET", url, params=dict(parameters), timeout=self._timeout))
            except AuthenticationError:
                self._crumb_wanted = True
        return self._answer(self._with_crumb("get", url, params=dict(parameters)))

    def post(self, url: str, parameters: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
        """Send a search, with cookie and crumb."""
        return self._answer(self._with_crumb("post", url, params=dict(parameters), body=dict(body)))

    def greet(self) -> int:
        """Open a connection; returns Yahoo's clock, UTC ms."""
        response = self._opened().request("GET", f"{HOST}/", timeout=self._timeout)
        return self._answer(response).moment

    def close(self) -> None:
        """Close the session; a later request opens another."""
        with self._lock:
            session, self._session, self._library = self._session, None, None
        if session is not None:
            session.close()

    # ── how a request is sent ───────────────────────────────────────────────────────────────────────────────────────

    def send(self, method: str, url: str, ask: Any, **options: Any) -> Any:
        """Send what yfinance or we asked for, and what it is redirected to; `ask` is the library's own request."""
        page = urlsplit(url).path.strip("/")
        response = self._once(method, url, ask, options)
        for _ in range(_HOPS):
            target = response.headers.get("Location")
            if not 300 <= response.status_code < 400 or not target:
                break
            url = urljoin(url, target)
            options = {name: value for name, value in options.items() if name not in ("params", "json", "data")}
            response = self._once("GET", url, ask, options)
        # The front page is asked for its head alone: fc.yahoo.com gives the cookie with a 404.
        if response.status_code >= 300 and page:
            raise self._refused(response)
        return response

    def _once(self, method: str, url: str, ask: Any, options: Mapping[str, Any]) -> Any:
        from curl_cffi.requests.exceptions import RequestException

        here = self._here(url)
        with self._paying():
            try:
                response = ask(method, here, **{**options, "allow_redirects": False})
            except RequestException as error:
                raise TransientError(f"{urlsplit(here).netloc}{urlsplit(here).path}: {_told(error)}") from error
        self._observe(response)
        return response

    def _paying(self) -> AbstractContextManager[None]:
        """Around a request: it counts on our own account, unless it was paid for before."""
        if getattr(self._paid, "requests", 0):
            self._paid.requests -= 1
            return nullcontext()
        return self._context.budget.under_way_blocking(COSTS)

    def _here(self, url: str) -> str:
        if self._url is None:
            return url
        asked, target = urlsplit(url), urlsplit(self._url)
        path = target.path.rstrip("/") + (asked.path or "/")
        return urlunsplit((target.scheme, target.netloc, path, asked.query, ""))

    def _observe(self, response: Any) -> None:
        """Take the server's clock from the head of an answer (RFC 9110, 6.6.1)."""
        with suppress(TypeError, ValueError):
            moment = parsedate_to_datetime(response.headers.get("Date", ""))
            told = to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
            self._offset = told - self._context.clock.now()
        self._context.logger.debug(
            "%s: %s, %s bytes", urlsplit(response.url).path, response.status_code, len(response.content)
        )

    def _refused(self, response: Any) -> Exception:
        error = error_for(response.status_code, response.content, retry_after=response.headers.get("Retry-After"))
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            self._context.budget.pause(error.retry_after)
        return error

    def _answer(self, response: Any) -> Answer:
        size = response.headers.get("Content-Length", "")
        return Answer(response.content, int(size) if size.isdecimal() else len(response.content), self.now())

    def _with_crumb(self, method: str, url: str, **options: Any) -> Any:
        """Through yfinance, which fetches cookie and crumb when it has none. New ones are tried once."""
        data = self._crumbed()
        known = data._crumb is not None
        try:
            return getattr(data, method)(url, timeout=self._timeout, **options)
        except AuthenticationError:
            data._cookie, data._crumb = None, None
            if not known:
                raise
        return getattr(data, method)(url, timeout=self._timeout, **options)

    # ── sessions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _opened(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = _session(self)
            return self._session

    def _crumbed(self) -> Any:
        """The part of yfinance that knows of cookies and crumbs, one for each provider."""
        session = self._opened()
        with self._lock:
            if self._library is None:
                self._library = _library(session)
            return self._library


class _Prepaid:
    """While it is open, one request of this thread was paid for before."""

    def __init__(self, paid: threading.local) -> None:
        self._paid = paid

    def __enter__(self) -> Self:
        self._paid.requests = 1
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._paid.requests = 0


def _session(yahoo: Yahoo) -> Any:
    from curl_cffi import requests  # 70 ms

    class Session(requests.Session[requests.Response]):
        """What yfinance takes for a browser; threads have a connection each and share the cookies."""

        def request(self, method: Any, url: str, *args: Any, **options: Any) -> Any:
            return yahoo.send(method, url, super().request, **options)

    return Session(impersonate="chrome")


def _library(session: Any) -> Any:
    from yfinance.data import YfData  # half a second and 110 MiB

    class Data(YfData):  # type: ignore[misc]
        """Without the cookie file in the home folder: a cookie costs one request."""

        def _save_cookie_curlCffi(self) -> bool:  # noqa: N802
            self._cookie = True  # the session has it; else it is fetched anew before every request
            return True

        def _load_cookie_curlCffi(self) -> bool:  # noqa: N802
            return False

    # Past the metaclass, which keeps one instance, and with it one session, in the whole process.
    return type.__call__(Data, session=session)


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
