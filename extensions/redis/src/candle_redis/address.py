"""Where a Redis is. Its password is used, and never shown."""

from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from candle_hookspecs import CacheUnavailableError, ConfigError

_FORMS: Final = "redis://[user:password@]host:6379/0, rediss://… (TLS) or unix:///path/redis.sock"


def place(url: SecretStr) -> str:
    """What messages call it: host and port, or the path of a socket.

    Raises:
        ConfigError: it is no address of a Redis. The address itself is not told, as a password may be anywhere in it.
    """
    try:
        parts: dict[str, Any] = dict(parse_url(url.get_secret_value()))  # type: ignore[no-untyped-call]
        number = "" if "path" in parts else urlsplit(url.get_secret_value()).path.strip("/")
        if number and not number.isdecimal():  # the library would take 0 for a name, and 12 for 1/2
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"this is no address of a Redis: write {_FORMS}; special characters of a password as in %2F for /"
        ) from None
    if "path" in parts:
        return str(parts["path"])
    host = parts.get("host", "localhost")
    return f"[{host}]:{parts.get('port', 6379)}" if ":" in host else f"{host}:{parts.get('port', 6379)}"


def options(timeout: float) -> dict[str, Any]:
    """How clients speak to it: no wait longer than `timeout` seconds, and what fails is told, not repeated."""
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }


def unavailable(where: str, reason: object) -> CacheUnavailableError:
    """The error that says so."""
    return CacheUnavailableError(
        f"the Redis at {where!r} cannot be used: {reason}; see that it runs, and that [extensions.redis] names it"
    )
