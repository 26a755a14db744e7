"""The budget's store: counts of limits that machines share."""

import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from pydantic import SecretStr
from redis.connection import ConnectionPool
from redis.exceptions import RedisError

from candle_hookspecs import CacheUnavailableError, StoreBusyError
from candle_redis.address import options, place, unavailable
from candle_redis.script import Script

_LEASE: Final = 500
"""Milliseconds after which a lock whose holder died, or was stopped, is another's."""
_FORGOTTEN: Final = 7 * 86_400
"""Seconds after which the state of a limit that nobody uses is dropped; longer than any ban known."""
_GREETING: Final = 0.02
"""Seconds for which a connection that is being made is waited for; one to a Redis nearby is there by then."""
_CONNECTING: Final = 1.0
"""Seconds until making one is given up."""

_BEGIN: Final = Script("""
-- KEYS: the lock, then those of records. ARGV: token, milliseconds of the lease.
local time = redis.call('TIME')
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    -- What lives longer than a lock is none of ours, or the clock of Redis was set back.
    local left = redis.call('PTTL', KEYS[1])
    if left < 0 or left > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    return {time}
end
return {time, redis.call('MGET', unpack(KEYS, 2))}
""")
_END: Final = Script("""
-- KEYS: the lock, then those of records that changed. ARGV: token, seconds to live, values.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[i + 1], 'EX', ARGV[2]) end
redis.call('DEL', KEYS[1])
return 1
""")


class RedisBudgetStore:
    """A `candle_hookspecs.BudgetStore` in Redis.

    A transaction is two calls: one takes the lock and reads, the other writes and lets go, if the lock is still this
    transaction's. Whoever dies in between holds the others up for half a second at most. Connections are made in a
    thread, so that neither a name that is looked up nor a host that does not answer stops the event loop.

    Args:
        url: ``redis://…``, ``rediss://…`` or ``unix://…``.
        prefix: stands before every key.
        timeout: most seconds for which one call stops the event loop.

    Raises:
        ConfigError: the URL is none.
    """

    def __init__(self, url: SecretStr, *, prefix: str = "", timeout: float = 0.1) -> None:
        self.ahead = 0
        """Milliseconds by which the clock of Redis is ahead of this machine's, as far as is known."""
        self._place = place(url)
        self._prefix = f"{prefix}budget:"
        self._timeout = timeout
        self._pool = ConnectionPool.from_url(
            url.get_secret_value(), **{**options(timeout), "socket_connect_timeout": _CONNECTING}
        )
        self._attempt: _Attempt | None = None

    @contextmanager
    def transaction(self, *keys: str) -> Iterator[dict[str, Any]]:
        """See `BudgetStore`.

        Raises:
            StoreBusyError: as there; also at the end, where the block took so long that the lock is another's.
            CacheUnavailableError: Redis cannot be reached. At the end: it is not known whether anything was written.
        """
        token = secrets.token_hex(8)
        before = self._begin(token, keys)
        records = before.copy()
        try:
            yield records
        except BaseException:
            with suppress(CacheUnavailableError):  # then it loses the lock by itself
                self._end(token, {})
            raise
        if not self._end(token, {key: value for key, value in records.items() if value != before[key]}):
            raise StoreBusyError(f"what took longer than {_LEASE} ms was not written to the Redis at {self._place!r}")

    def close(self) -> None:
        """See `BudgetStore`."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None and attempt.connection is not None:
            attempt.connection.disconnect()

    def _begin(self, token: str, keys: tuple[str, ...]) -> dict[str, Any]:
        began = _now()
        (seconds, micros), *told = self._run(_BEGIN, [self._key("lock"), *map(self._key, keys)], [token, _LEASE])
        there = int(seconds) * 1000 + int(micros) // 1000
        # It read its clock at some moment in between, so the difference lies between these two.
        self.ahead = min(max(self.ahead, there - _now()), there - began)
        if not told:
            raise StoreBusyError(f"somebody else is writing to the Redis at {self._place!r}")
        try:
            return {key: _record(value) for key, value in zip(keys, told[0], strict=True)}
        except ValueError as error:
            self._end(token, {})  # or whoever tries again would find it locked, and take that for an answer
            raise unavailable(self._place, f"what stands under {self._prefix!r} are no counts: {error}") from error

    def _end(self, token: str, changed: Mapping[str, Any]) -> bool:
        values = [json.dumps(value, separators=(",", ":")) for value in changed.values()]
        done = self._run(_END, [self._key("lock"), *map(self._key, changed)], [token, _FORGOTTEN, *values])
        return bool(done)

    def _key(self, name: str) -> str:
        return self._prefix + name

    # ── speaking ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self, script: Script, keys: list[str], arguments: list[str | int]) -> Any:
        connection = self._connected()
        try:
            return script.run(connection, keys, arguments)
        except (RedisError, OSError) as error:
            self.close()
            raise unavailable(self._place, error) from error

    def _connected(self) -> Any:
        """The connection; where there is none, one is being made from now on.

        Raises:
            CacheUnavailableError: there is none yet.
        """
        failed = None
        if self._attempt is None or self._attempt.error is not None:
            failed = self._attempt and self._attempt.error
            self._attempt = _Attempt(self._pool)
            self._attempt.start()
            self._attempt.join(_GREETING)
        if self._attempt.connection is None:
            raise unavailable(self._place, self._attempt.error or failed or "no connection yet")
        return self._attempt.connection


class _Attempt(threading.Thread):
    """Makes one connection; ends with that, or with an error."""

    def __init__(self, pool: ConnectionPool) -> None:
        super().__init__(name="candle-redis", daemon=True)
        self._pool = pool
        self.connection: Any = None
        self.error: Exception | None = None

    def run(self) -> None:
        connection: Any = self._pool.make_connection()
        try:
            connection.connect()
        except (RedisError, OSError) as error:
            self.error = error
        else:
            self.connection = connection


def _record(value: bytes | None) -> dict[str, Any] | None:
    found = None if value is None else json.loads(value)
    if found is not None and not isinstance(found, dict):
        raise ValueError(f"{found!r:.40}")
    return found


def _now() -> int:
    return time.time_ns() // 1_000_000
