"""What is sent and received, by aiohttp; imported with the first request."""

from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import (
    ClientError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ServerDisconnectedError,
    TCPConnector,
)

from candle_hookspecs import TransientError


class Reply(NamedTuple):
    """What came back, with any status; `size` in bytes on the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int


class Session:
    """Kept connections.

    Args:
        timeout: seconds until an unanswered request is given up.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        # The kernel decides how many requests are under way; a second bound here would only hide it.
        connector = TCPConnector(limit=0)
        self._session = ClientSession(timeout=ClientTimeout(timeout), connector=connector, middlewares=(_once,))

    async def get(self, url: str, parameters: Mapping[str, str | int] | None) -> Reply:
        """Send one request; nothing is repeated and no redirection followed.

        Raises:
            TransientError: the connection failed, took too long or was cut.
        """
        try:
            async with self._session.get(url, params=parameters, allow_redirects=False) as response:
                body = await response.read()
        except TimeoutError as error:
            raise TransientError(f"{url} did not answer within {self._timeout} s") from error
        except (ClientError, OSError) as error:
            raise TransientError(f"{url}: {_told(error)}") from error
        return Reply(response.status, response.headers, body, response.content_length or len(body))

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


async def _once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Keep aiohttp from sending a GET a second time, unasked and uncounted, when a kept connection breaks."""
    try:
        return await handler(request)
    except (ClientOSError, ServerDisconnectedError) as error:
        raise TransientError(f"{request.url.with_query(None)}: {_told(error)}") from error


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
