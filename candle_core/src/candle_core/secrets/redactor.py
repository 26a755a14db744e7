"""Every secret that was looked up, remembered in memory, so that it can be scrubbed from text."""

import base64
import html
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

MASK: Final = "**********"
"""What stands in the place of a secret; pydantic writes the same."""
SHORTEST: Final = 6
"""Characters. A shorter secret is not scrubbed: it would be found in words that are none."""

_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]*")
"""Characters that look the same in URLs, JSON and HTML: https://www.rfc-editor.org/rfc/rfc3986#section-2.3."""
_PASSWORD: Final = re.compile(r"""\bpassword\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s&']+))""")
"""In a connection string: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Secrets, and every form to look for: those that are written in one way only, and those that are not."""

    secrets: frozenset[str] = frozenset()
    plain: tuple[str, ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()

    def __or__(self, secrets: set[str]) -> "_Known":
        known = self.secrets | secrets
        # The longest first: what a shorter one leaves of a longer one would stay.
        forms = sorted({form for secret in known for form in _forms(secret)}, key=len, reverse=True)
        patterns = tuple(re.compile(_spellings(form)) for form in forms if not _is_plain(form))
        return _Known(known, tuple(form for form in forms if _is_plain(form)), patterns)


class Redactor:
    """Scrubs the secrets that it was told from text. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known = _Known()
        self.first: Callable[[], None] | None = None
        """Called once, when there is something to scrub."""

    def remember(self, *secrets: str | bytes) -> None:
        """Scrub these from now on, and the passwords in those that are addresses of databases."""
        texts = [one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in secrets]
        wanted = {part for text in texts for part in _parts(text) if len(part) >= SHORTEST}
        with self._lock:
            if wanted <= self._known.secrets:
                return
            self._known |= wanted
            first, self.first = self.first, None
        if first is not None:
            first()

    def scrub(self, text: str) -> str:
        """The text with a mask in the place of every secret, also where it is encoded for a URL, in base64 or JSON."""
        known = self._known
        for pattern in known.patterns:
            text = pattern.sub(MASK, text)
        for form in known.plain:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def finds(self, text: str) -> bool:
        """Whether there is a secret in it."""
        known = self._known
        return any(form in text for form in known.plain) or any(pattern.search(text) for pattern in known.patterns)


REDACTOR: Final = Redactor()
"""The one of this process: a key that was looked up for one manager must not leave through another's log."""


def _parts(secret: str) -> Iterator[str]:
    """The secret, and the password in it if it is a connection string."""
    yield secret
    try:
        password = urlsplit(secret).password or ""
    except ValueError:  # no URL
        password = ""
    yield password
    yield unquote(password)
    for quoted, bare in _PASSWORD.findall(secret):
        yield bare or re.sub(r"\\(.)", r"\1", quoted)


# ── how a secret may be written ──────────────────────────────────────────────────────────────────────────────────────


def _forms(secret: str) -> Iterator[str]:
    """The secret, and what base64 makes of it, alone or within a longer text, such as ``user:password``.

    Three bytes become four characters, so there are three ways to come to stand; the characters at the edges that
    also tell of the neighbours are left out.
    """
    yield secret
    raw = secret.encode()
    for before in range(3):
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + raw).decode()[first:last]


def _is_plain(text: str) -> bool:
    return _UNRESERVED.fullmatch(text) is not None


def _spellings(text: str) -> str:
    """A pattern for every mixture of the ways to write each character."""
    return "".join(map(_spelling, text))


def _spelling(character: str) -> str:
    if _is_plain(character):
        return re.escape(character)
    ways = {
        character,
        json.dumps(character)[1:-1],
        repr(character)[1:-1],
        f"\\{character}",  # how some write "/" and quotes in JSON
        html.escape(character),
        f"&#{ord(character)};",
        "+" if character == " " else character,
        *(("\r\n", " ") if character == "\n" else ()),
    }
    spelled = [re.escape(way) for way in sorted(ways, key=len, reverse=True)]
    return f"(?:{'|'.join(spelled)}|(?i:{quote(character, safe='')}|&#x0*{ord(character):x};))"
