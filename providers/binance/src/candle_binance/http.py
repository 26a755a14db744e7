"""One HTTP session: a GET sends one request and gives its answer, or a typed error."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

import aiohttp

from candle_binance.calls import WEIGHT
from candle_binance.errors import error_for
from candle_hookspecs import LimitFeedback, MalformedAnswerError, PluginContext, TransientError, to_ms


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back with status 200: the body unpacked, its size in bytes on the wire, and the headers."""

    body: bytes
    size: int
    headers: Mapping[str, str]

    @property
    def moment(self) -> int:
        """The exchange's clock when it answered, UTC ms: the ``Date`` header, which rounds down to the second.

        Raises:
            MalformedAnswerError: there is none, so nobody can tell which candles were closed.
        """
        moment = moment_of(self.headers)
        if moment is None:
            raise MalformedAnswerError(f"no time in the header 'Date' of the answer: {self.headers.get('Date')!r}")
        return moment

    @property
    def feedback(self) -> LimitFeedback:
        """What the headers say of the limits."""
        used = self.headers.get("x-mbx-used-weight-1m", "")
        return LimitFeedback(
            used={WEIGHT: float(used)} if used.isdecimal() else {}, server_time=moment_of(self.headers)
        )


def moment_of(headers: Mapping[str, str]) -> int | None:
    """UTC ms of the ``Date`` header (RFC 9110, 6.6.1), or None."""
    try:
        moment = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


class Client:
    """GETs of one host over a session that is opened with the first of them."""

    def __init__(self, url: str, timeout: float, context: PluginContext) -> None:
        self._url = url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._context = context
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, parameters: Mapping[str, str | int]) -> Answer:
        """Send one request; nothing is repeated and no redirection followed.

        Raises:
            TransientError: the connection failed, took too long or was cut, or the server failed.
            ProviderError: any other of its children, by status and code.
        """
        try:
            async with self._opened().get(self._url + path, params=parameters, allow_redirects=False) as response:
                body = await response.read()
        except TimeoutError as error:
            raise TransientError(f"{self._url}{path} did not answer within {self._timeout.total} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransientError(f"{self._url}{path}: {str(error) or type(error).__name__}") from error
        self._context.logger.debug("GET %s%s: %s, %s bytes", path, dict(parameters), response.status, len(body))
        if response.status != 200:
            now = moment_of(response.headers) or self._context.clock.now()
            raise error_for(response.status, body, retry_after=response.headers.get("Retry-After"), now=now)
        return Answer(body, response.content_length or len(body), response.headers)

    async def close(self) -> None:
        """Close the session; harmless when there is none."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # The kernel decides how many requests are under way; a second bound here would only hide it.
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, connector=aiohttp.TCPConnector(limit=0), middlewares=(_once,)
            )
        return self._session


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET a second time, unasked and uncounted, when a kept connection breaks."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise TransientError(f"{request.url.with_query(None)}: {str(error) or type(error).__name__}") from error
