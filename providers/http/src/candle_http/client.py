"""One session: a GET sends one request and gives its answer, or a typed error."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from candle_hookspecs import Costs, LimitFeedback, PluginContext, ProviderError, RateLimitedError
from candle_http.answers import Answer, Refusal, moment_of
from candle_http.refusals import error_for

if TYPE_CHECKING:
    from candle_http.session import Session

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
        self._timeout = timeout
        self._context = context
        self._refuse = refuse
        self._feedback = feedback or used_in({})
        self._session: Session | None = None

    async def get(self, path: str, parameters: Mapping[str, str | int] | None = None) -> Answer:
        """Send one request that the kernel has paid for; nothing is repeated and no redirection followed.

        Raises:
            TransientError: the connection failed, took too long or was cut.
            ProviderError: what `refuse` makes of a refusal.
        """
        reply = await self._opened().get(self._url + path, parameters)
        told = dict(parameters or {})
        self._context.logger.debug("GET %s%s: %s, %s bytes", path, told, reply.status, len(reply.body))
        if reply.status != 200:
            raise self._refuse(Refusal(reply.status, reply.body, reply.headers))
        feedback = replace(self._feedback(reply.headers), server_time=moment_of(reply.headers))
        return Answer(reply.body, reply.size, reply.headers, feedback)

    async def get_own(self, path: str, parameters: Mapping[str, str | int] | None = None, *, costs: Costs) -> Answer:
        """Send one request on the plugin's own account: it passes the budget's gate, which hears what came of it.

        Raises:
            TransientError, ProviderError: as `get`; a pause that the exchange wants holds for everybody.
        """
        async with self._context.budget.under_way(costs):
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

    def _opened(self) -> "Session":
        if self._session is None:
            from candle_http.session import Session  # not before: who only looks at what is stored asks nobody

            self._session = Session(self._timeout)
        return self._session
