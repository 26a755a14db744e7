"""What is made with a key and stands for it for a while: signatures and tokens, known by the names they are sent under.

    GET /order?timestamp=1&signature=9f86d081…    OK-ACCESS-SIGN: 5d41402a…    {"Authorization": "Bearer eyJhbGci…"}

The names are those that exchanges use, as ccxt sends them. A word that happens to follow one of them is no signature:
it is shorter, or holds no digit.
"""

import re
from collections.abc import Iterator
from typing import Final

_QUOTE: Final = r"""(?:\\*["']|&quot;|&#(?:0?39|34|x27|x22);|%22|%27)"""
_FOLLOWS: Final = rf"(?:{_QUOTE}\s*(?:[:=,]|%3a|%3d)|\s*(?:[:=]|%3a|%3d))\s*[\[(]?(?:b?{_QUOTE})?"
"""What may stand between a name and its value: in a query, a header, JSON, a dict, a pair, also once more encoded."""

_ONE: Final = r"(?:[a-z0-9+/=_.~%-]|\\/|\\u00[0-9a-f]{2}|&#x?[0-9a-f]+;)"
"""A character of a value in hexadecimal or base64, however it is written."""
_SHORT: Final = f"{_ONE}{{6,}}+"
_LONG: Final = f"{_ONE}{{32,}}"
_TELLING: Final = f"(?:(?={_ONE}*?[0-9]){_ONE}{{16,}}|{_LONG})"

_WORDS: Final = (
    "signature", "passphrase", "jwt",
    *(f"{of}[-_]?token" for of in ("access", "auth", "refresh", "session")),
    *(f"{of}[-_]sign" for of in ("access", "api", "auth", "bapi", "broker", "ch", "partner", "request")),
)  # fmt: skip
_SIGN: Final = r"sig(?:(?<![a-z0-9]sig)|(?<=%[0-9a-f]{2}sig)|(?<=\\[nrt]sig))n?"
"""By itself, not the end of ``design``."""
_WORD: Final = "|".join(_WORDS)
_SCHEME: Final = r"[a-z][\w-]*"
"""Of an authorization, such as ``Digest``, which parameters may follow."""

_PATTERNS: Final = tuple(
    re.compile(f"{name}(?P<value>{value})".encode())
    for name, value in (
        (rf"[?&;%](?:(?<!%)|3f|26)[\w.-]{{0,40}}(?:{_WORD}|sign?)(?:=|%3d)", _SHORT),
        (f"(?:{_WORD}){_FOLLOWS}", _TELLING),
        (f"{_SIGN}{_FOLLOWS}", rf"(?!(?:crypto|stock)-){_LONG}"),  # KRW-SIGN is a market, of which symbols are made
        (rf"authorization{_FOLLOWS}(?:basic|bearer)\s+", rf"{_SHORT}(?! [a-z]+(?:[ .,]|$))"),
        (rf"authorization{_FOLLOWS}(?:{_SCHEME}\s+)?(?!{_SCHEME}\s+\w+=)", _TELLING.replace("=_.", "=_.:")),
        (r"bearer(?:\s+|%20|\+)", _TELLING),
    )
)
"""For bytes in lower case, each beginning so that the library leaps to where it may match: answers have megabytes."""


def scrub_signatures(text: str, mask: str) -> str:
    """The text with a mask in the place of every signature and token."""
    if not finds_signature(text):
        return text
    raw = text.encode("utf-8", "surrogatepass")
    for pattern in _PATTERNS:
        raw = b"".join(_masked(pattern, raw, mask.encode()))
    return raw.decode("utf-8", "surrogatepass")


def finds_signature(text: str) -> bool:
    """Whether there is one in it."""
    lower = text.encode("utf-8", "surrogatepass").lower()
    return any(pattern.search(lower) is not None for pattern in _PATTERNS)


def _masked(pattern: "re.Pattern[bytes]", raw: bytes, mask: bytes) -> Iterator[bytes]:
    at = 0
    for found in pattern.finditer(raw.lower()):
        yield raw[at : found.start("value")]
        yield mask
        at = found.end("value")
    yield raw[at:]
