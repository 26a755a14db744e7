"""The cache: values that all processes, on all machines, see."""

import asyncio
import math
from collections.abc import Awaitable
from typing import Any, Final

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from candle_redis.address import options, place, unavailable

_SWAP: Final = """
-- KEYS: the key. ARGV: 1 where something must be there, what that is, 1 where something comes, what, for how many ms.
local there = redis.pcall('GET', KEYS[1])
if type(there) == 'table' then there = false end  -- an error: it is no string
if ARGV[1] == '1' then
    if there ~= ARGV[2] then return 0 end
elseif there then
    return 0
end
if ARGV[3] == '1' then
    redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
else
    redis.call('DEL', KEYS[1])
end
return 1
"""
_LONGEST: Final = 10 * 366 * 86_400.0
"""Seconds; more than anything is cached for, and little enough for Redis to count in milliseconds."""


class RedisCache:
    """A `candle_hookspecs.Cache` in Redis.

    Connects when it is first used, and again by itself when the connection was lost. Made for one event loop.

    Args:
        url: ``redis://…``, ``rediss://…`` or ``unix://…``.
        prefix: stands before every key; with none, keys are what they are called (``market:info:binance``).
        timeout: most seconds that a call may take, connecting included.

    Raises:
        ConfigError: the URL is none.
    """

    def __init__(self, url: SecretStr, *, prefix: str = "", timeout: float = 1.0) -> None:
        self._place = place(url)
        self._prefix = prefix
        self._timeout = timeout
        self._client: Any = Redis.from_url(url.get_secret_value(), **options(timeout))

    async def get(self, key: str) -> bytes | None:
        """See `Cache`. What is no string, another program wrote."""
        value: bytes | None = await self._answer(self._string(self._prefix + key))
        return value

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """See `Cache`."""
        if ttl <= 0:
            await self.delete(key)
        else:
            await self._answer(self._client.set(self._prefix + key, value, px=_milliseconds(ttl)))

    async def delete(self, key: str) -> None:
        """See `Cache`."""
        await self._answer(self._client.delete(self._prefix + key))

    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        """See `Cache`."""
        if ttl <= 0:
            new = None
        swapped = await self._answer(
            self._client.eval(
                _SWAP, 1, self._prefix + key,
                int(old is not None), old or b"", int(new is not None), new or b"", _milliseconds(ttl),
            )
        )  # fmt: skip
        return bool(swapped)

    async def close(self) -> None:
        """Let go of connections; a later call makes new ones."""
        await self._client.aclose()

    async def _string(self, name: str) -> bytes | None:
        try:
            value: bytes | None = await self._client.get(name)
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            return None
        return value

    async def _answer(self, command: Awaitable[Any]) -> Any:
        """What Redis answers.

        Raises:
            CacheUnavailableError: nothing in time, or an error.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await command
        except TimeoutError:
            raise unavailable(self._place, f"no answer within {self._timeout:g} s") from None
        except (RedisError, OSError) as error:
            raise unavailable(self._place, error) from error


def _milliseconds(ttl: float) -> int:
    return max(1, math.ceil(min(ttl, _LONGEST) * 1000))
