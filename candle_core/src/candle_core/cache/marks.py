"""What the keeper writes into a cache, readable for any program: answers with their times, and marks in locks."""

import json
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import candle_hookspecs
from candle_hookspecs import AuthenticationError, CandleError, ProviderError

_ANSWER: Final = re.compile(rb'\{"stored_at":"([^"]+)","fresh_until":"([^"]+)","value":(.*)\}', re.DOTALL)
"""An answer is taken out of its wrapping as it stands: to parse megabytes is for those who need what is in them."""
_PLAIN: Final = (int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Packed:
    """An answer: JSON, when it was given, and until when it is believed (UTC ms)."""

    value: bytes
    at: int
    until: int


def pack(value: bytes, at: int, until: int) -> bytes:
    """An answer as it stands in the cache: ``{"stored_at":"…Z","fresh_until":"…Z","value":…}``."""
    return b'{"stored_at":"%b","fresh_until":"%b","value":%b}' % (_text(at), _text(until), value)


def unpack(packed: bytes) -> Packed | None:
    """The other way round; None for what the keeper did not write."""
    parts = _ANSWER.fullmatch(packed)
    try:
        return Packed(parts[3], _moment(parts[1]), _moment(parts[2])) if parts else None
    except ValueError:
        return None


def _text(moment: int) -> bytes:
    seconds, milliseconds = divmod(moment, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z".encode()


def _moment(text: bytes) -> int:
    moment = datetime.fromisoformat(text.decode())
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


# ── in the place of a lock ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Asking:
    """Somebody asks the exchange.

    Attributes:
        asking: who; like nobody else, ever.
    """

    asking: str

    def to_json(self) -> bytes:
        """As it stands in the cache."""
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True, slots=True)
class Failed:
    """Somebody asked, and failed.

    Attributes:
        failed: the error's type; text: what it said.
        by: who asked, as in `Asking`; it begins with the process.
        own: whether it says something about that process (its key, its configuration) rather than the exchange.
        more: what else the error knew and numbers tell, such as how long to wait.
    """

    failed: str
    text: str
    by: str
    own: bool
    more: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, error: CandleError, by: str) -> "Failed":
        """The mark of an error."""
        own = not isinstance(error, ProviderError) or isinstance(error, AuthenticationError)
        more = {name: value for name, value in vars(error).items() if isinstance(value, _PLAIN)}
        return cls(_ours(error).__name__, str(error), by, own, more)

    def to_json(self) -> bytes:
        """As it stands in the cache."""
        return json.dumps(asdict(self)).encode()

    def holds_for(self, process: str) -> bool:
        """Whether that process would fail alike."""
        return not self.own or self.by.startswith(process)

    def error(self) -> CandleError:
        """The error, as of here."""
        kind = getattr(candle_hookspecs, self.failed, None)
        if not (isinstance(kind, type) and issubclass(kind, CandleError)):
            return ProviderError(f"{self.failed}: {self.text}")
        error = kind(self.text)
        known = {name: self.more[name] for name in vars(error).keys() & self.more.keys()}  # anybody may have written it
        vars(error).update({name: value for name, value in known.items() if isinstance(value, _PLAIN)})
        return error


def mark_of(found: bytes | None) -> Asking | Failed | None:
    """What stands in a lock; None also for what the keeper did not write."""
    if found is None:
        return None
    try:
        values = json.loads(found)
        mark = Failed(**values) if "failed" in values else Asking(**values)
    except (ValueError, TypeError, RecursionError):
        return None
    types = {"own": bool, "more": dict}
    sound = all(isinstance(value, types.get(name, str)) for name, value in asdict(mark).items())
    return mark if sound else None


def _ours(error: CandleError) -> type[BaseException]:
    """Its type, or what that is a kind of in the contract: a plugin's own is not known everywhere."""
    return next(kind for kind in type(error).__mro__ if kind.__module__ == CandleError.__module__)
