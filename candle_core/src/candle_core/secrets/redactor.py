"""Every secret that was looked up, remembered in memory, so that it and what is made with it are scrubbed from text."""

import base64
import html
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Final, Protocol
from urllib.parse import quote, unquote, urlsplit

from candle_core.secrets.signatures import finds_signature, scrub_signatures

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
    """Secrets, and every form to look for."""

    secrets: frozenset[str] = frozenset()
    forms: tuple["_Form", ...] = ()

    def __or__(self, secrets: set[str]) -> "_Known":
        known = self.secrets | secrets
        # The longest first: what a shorter one leaves of a longer one would stay.
        forms = sorted({form for secret in known for form in _forms(secret)}, key=len, reverse=True)
        return _Known(known, tuple((_Plain if _is_plain(form) else _Spelled)(form) for form in forms))


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
        """The text with a mask in the place of every secret, also where it is encoded for a URL, in base64 or JSON.

        So is a secret's beginning, if that is at least half of it: an answer may have been cut off in the middle.
        And so are signatures and tokens, whoever's they are.
        """
        forms = [form for form in self._known.forms if form.stands_in(text)]
        for form in forms:
            text = form.scrub(text)
        for form in forms:
            text = form.scrub_beginning(text)
        return scrub_signatures(text, MASK)

    def finds(self, text: str) -> bool:
        """Whether there is something to scrub in it."""
        return any(form.stands_in(text) for form in self._known.forms) or finds_signature(text)


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


class _Form(Protocol):
    """A text to look for."""

    def stands_in(self, text: str) -> bool: ...

    def scrub(self, text: str) -> str: ...

    def scrub_beginning(self, text: str) -> str: ...


def _head(form: str) -> int:
    """How many characters of it must be there."""
    return min(len(form), max(SHORTEST, -(-len(form) // 2)))


class _Plain:
    """A form of characters that look the same everywhere."""

    __slots__ = ("_form", "_head", "_rest")

    def __init__(self, form: str) -> None:
        self._form, self._head, self._rest = form, form[: _head(form)], form[_head(form) :]

    def stands_in(self, text: str) -> bool:
        return self._head in text

    def scrub(self, text: str) -> str:
        return text.replace(self._form, MASK)

    def scrub_beginning(self, text: str) -> str:
        before, *pieces = text.split(self._head)
        return before + "".join(MASK + piece[self._more(piece) :] for piece in pieces)

    def _more(self, piece: str) -> int:
        """How many characters of the rest it begins with."""
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(piece, self._rest, strict=False)))


class _Spelled:
    """A form in which each character may be written in one way or another."""

    __slots__ = ("_form", "_head", "_rest")

    def __init__(self, form: str) -> None:
        self._form = re.compile("".join(map(_spelling, form)))
        self._head = re.compile("".join(map(_spelling, form[: _head(form)])))
        self._rest = tuple(re.compile(_spelling(character)) for character in form[_head(form) :])

    def stands_in(self, text: str) -> bool:
        return self._head.search(text) is not None

    def scrub(self, text: str) -> str:
        return self._form.sub(MASK, text)

    def scrub_beginning(self, text: str) -> str:
        clean, at = "", 0
        while found := self._head.search(text, at):
            clean += text[at : found.start()] + MASK
            at = found.end()
            for character in self._rest:
                if (more := character.match(text, at)) is None:
                    break
                at = more.end()
        return clean + text[at:]


def _is_plain(text: str) -> bool:
    return _UNRESERVED.fullmatch(text) is not None


def _spelling(character: str) -> str:
    """A pattern for every way to write one character."""
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
    return f"(?:(?i:{quote(character, safe='')}|&#x0*{ord(character):x};)|{'|'.join(spelled)})"
