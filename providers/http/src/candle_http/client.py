"""One session: a GET sends one request and gives its answer, or a typed error."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import aiohttp

from candle_hookspecs import Costs, LimitFeedback, PluginContext, ProviderError, RateLimitedError, TransientError
from candle_http.answers import Answer, Refusal, moment_of
from candle_http.refusals import error_for

Headers: TypeAlias = Mapping[str, str]
Feedback: TypeAlias = Callable[[Headers], LimitFeedback]


def used_in(headers: Mapping[str, str]) -> Feedback:
    """Feedback of an exchange that tells what was spent, by limit: ``used_in({"weight": "x-mbx-used-weight-1m"})``."""

    def read(answered: Headers) -> LimitFeedback:
        told = {limit: answered.get(header, "") for limit, header in headers.items()}
        return LimitFeedback(used={limit: float(text) for limit, text in told.items() if text.isdecimal()})

    return read


class Client:
    """GETs of one host, over a session that is opened with the first of them.

    Args:
        url: what every path begins with.
        timeout: seconds until an unanswered request is given up.
        context: the plugin's.
        refuse: the error for an answer whose status is not 200; by default, by its status alone.
        feedback: what the headers say of the limits, if anything; the exchange's clock is added from ``Date``.
    """

    def __init__(
        self,
        url: str,
        timeout: float,
        context: PluginContext,
        *,
        refuse: Callable[[Refusal], ProviderError] = error_for,
        feedback: Feedback | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._context = context
        self._refuse = refuse
        self._feedback = feedback or used_in({})
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, parameters: Mapping[str, str | int] | None = None) -> Answer:
        """Send one request that the kernel has paid for; nothing is repeated and no redirection followed.

        Raises:
            TransientError: the connection failed, took too long or was cut.
            ProviderError: what `refuse` makes of a refusal.
        """
        try:
            async with self._opened().get(self._url + path, params=parameters, allow_redirects=False) as response:
                body = await response.read()
        except TimeoutError as error:
            raise TransientError(f"{self._url}{path} did not answer within {self._timeout.total} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransientError(f"{self._url}{path}: {_told(error)}") from error
        told = dict(parameters or {})
        self._context.logger.debug("GET %s%s: %s, %s bytes", path, told, response.status, len(body))
        if response.status != 200:
            raise self._refuse(Refusal(response.status, body, response.headers))
        feedback = replace(self._feedback(response.headers), server_time=moment_of(response.headers))
        return Answer(body, response.content_length or len(body), response.headers, feedback)

    async def get_own(self, path: str, parameters: Mapping[str, str | int] | None = None, *, costs: Costs) -> Answer:
        """Send one request on the plugin's own account: it passes the budget's gate, which hears what came of it.

        Raises:
            TransientError, ProviderError: as `get`; a pause that the exchange wants holds for everybody.
        """
        await self._context.budget.spend(costs)
        try:
            answer = await self.get(path, parameters)
        except RateLimitedError as error:
            if error.retry_after is not None:
                self._context.budget.pause(error.retry_after)
            raise
        self._context.budget.observe(answer.feedback)
        return answer

    async def close(self) -> None:
        """Close the session; harmless when there is none, and a later request opens another."""
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
        raise TransientError(f"{request.url.with_query(None)}: {_told(error)}") from error


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
