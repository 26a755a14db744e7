"""The one tree of errors. Everything the kernel or a plugin raises on purpose is a `CandleError`.

A message names the thing with ``!r`` and says what to do. Messages never carry secrets. Every error survives pickling,
so that it can travel back from another process.
"""

from typing import ClassVar


class CandleError(Exception):
    """Root of the tree.

    `exit_code` is what the command line ends with: 2 bad input, 3 nothing reachable, 1 otherwise.
    """

    exit_code: ClassVar[int] = 1


# ── what the user typed ──────────────────────────────────────────────────────────────────────────────────────────────


class BadInputError(CandleError, ValueError):
    """A value given by the caller is wrong; nothing was sent and nothing was stored."""

    exit_code = 2


class ConfigError(BadInputError):
    """The TOML file, an environment variable it names, or a default that is missing."""


class UnknownMarketError(BadInputError):
    """No such market at this exchange."""


class UnknownTimeframeError(BadInputError):
    """Not a timeframe at all, or not one that this exchange has."""


class BadSpanError(BadInputError):
    """A range of time that cannot be: end before start, no time zone, neither bounds nor count."""


class MissingLibraryError(BadInputError, ImportError):
    """A library that this call needs and others do not is not installed; the message says what to install."""


class MemoryLimitError(BadInputError):
    """A result would hold more candles than the caller allowed; raised before any request is sent."""


# ── plugins ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class PluginError(CandleError):
    """A plugin cannot be used as it is installed or configured."""

    exit_code = 2


class MissingPluginError(PluginError):
    """No installed distribution offers this name; the message says what to install."""


class DuplicatePluginError(PluginError):
    """Two distributions claim one name; the message names both."""


class BrokenPluginError(PluginError):
    """It is installed but raises at import, has wrong settings, or breaks the contract; the cause is chained."""


class MissingHookError(PluginError):
    """The plugin asked for does not implement the hook that is needed."""


# ── exchanges ────────────────────────────────────────────────────────────────────────────────────────────────────────


class ProviderError(CandleError):
    """An exchange did not give what was asked for. One symbol's error is that symbol's error alone."""


class TransientError(ProviderError):
    """May go away by itself.

    Connection lost, 5xx, a body cut short. The only kind (with its children) that is retried.
    """

    exit_code = 3


class MalformedAnswerError(TransientError):
    """The answer is not in the exchange's own format, or contradicts the request. Asked again, and never stored."""

    exit_code = 1


class RateLimitedError(ProviderError):
    """The exchange wants a pause. Every request of the same scope waits; the request is then sent again.

    Args:
        message: what the exchange said.
        retry_after: seconds to wait; None when the exchange did not say.
        banned: the address is banned (HTTP 418), not only slowed down.
    """

    exit_code = 3

    def __init__(self, message: str, *, retry_after: float | None = None, banned: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.banned = banned


class MarketGoneError(ProviderError):
    """The exchange no longer knows this market (delisted, renamed); what is stored stays."""


class BadRequestError(ProviderError):
    """The exchange refused the request as wrong; repeating it cannot help."""


class AuthenticationError(ProviderError):
    """A key is missing, wrong, or lacks a permission."""


# ── what processes and machines share ────────────────────────────────────────────────────────────────────────────────


class CacheUnavailableError(CandleError):
    """A cache cannot be reached. What was wanted of it is had without it, only slower."""

    exit_code = 3


class StoreBusyError(CandleError):
    """Somebody else is writing the counts of limits; nothing was read or written. A moment later it may go."""


# ── databases ────────────────────────────────────────────────────────────────────────────────────────────────────────


class StorageError(CandleError):
    """The database could not do what was asked; the transaction was rolled back whole."""


class StorageUnavailableError(StorageError):
    """It cannot be opened: no such folder, no permission, no server."""

    exit_code = 3


class StorageReadOnlyError(StorageError):
    """It can be read but not written."""


class StorageFullError(StorageError):
    """No room is left on the disk."""


class StorageCorruptError(StorageError):
    """The file is not a database, or is damaged."""


class StorageSchemaError(StorageError):
    """It was written by a newer version, or is not a candle database."""


class StorageConstraintError(StorageError):
    """Rows break a rule of their table: a key that is there already, a value that must not be missing."""


class UnknownSymbolError(StorageError, BadInputError):
    """The database holds no such symbol."""

    exit_code = 2
