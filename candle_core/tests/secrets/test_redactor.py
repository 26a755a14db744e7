"""Secrets are found in text however they are written there; nothing else is touched."""

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.secrets import MASK, SHORTEST, Redactor

SIMPLE = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"  # the form of Binance's keys
AWKWARD = '/Kq+8$ "quo\'ted"\\ <ü&%2F>=='
PEM = (
    "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIP+/abcdefghijklmnop\nqrstuvwxyz0123456789==\n-----END EC PRIVATE KEY-----"
)
SECRETS = pytest.mark.parametrize("secret", [SIMPLE, AWKWARD, PEM], ids=["simple", "awkward", "pem"])


def redactor(*secrets: str) -> Redactor:
    made = Redactor()
    made.remember(*secrets)
    return made


def lower_percents(text: str) -> str:
    """%2F as %2f."""
    first, *rest = text.split("%")
    return first + "".join(f"%{part[:2].lower()}{part[2:]}" for part in rest)


WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": lambda secret: secret,
    "url": lambda secret: quote(secret, safe=""),
    "url, lower case": lambda secret: lower_percents(quote(secret, safe="")),
    "url path": quote,
    "url, some left": lambda secret: quote(secret, safe="!$&'()*+,;=:@/?"),
    "form": quote_plus,
    "query": lambda secret: urlencode({"key": secret}),
    "json": json.dumps,
    "json in utf-8": lambda secret: json.dumps(secret, ensure_ascii=False),
    "json with slashes escaped": lambda secret: json.dumps(secret).replace("/", "\\/"),
    "html": html.escape,
    "repr": repr,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 for urls": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    "base64 in a url": lambda secret: quote(base64.b64encode(secret.encode()).decode(), safe=""),
}


@SECRETS
@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
def test_however_it_is_written(secret: str, write: Callable[[str], str]) -> None:
    written = write(secret)
    text = f"401 {written}, says the exchange"
    clean = redactor(secret).scrub(text)
    assert MASK in clean
    assert clean.startswith("401 ")
    assert clean.endswith(", says the exchange")
    # What base64 leaves at its edge tells of less than one byte (``Q%3D%3D``); nothing else is left.
    assert len(clean) <= len("401 , says the exchange") + len(MASK) + len("Q%3D%3D")


@SECRETS
@pytest.mark.parametrize("user", ["", "u", "us", "use", "user"])
def test_base64_with_something_before_it(secret: str, user: str) -> None:
    header = base64.b64encode(f"{user}:{secret}:".encode()).decode()
    clean = redactor(secret).scrub(f"Authorization: Basic {header}")
    left = clean.removeprefix("Authorization: Basic ").replace(MASK, "")
    assert MASK in clean
    assert len(left) <= len(user) * 2 + 6


def test_lines_of_a_key_that_were_joined() -> None:
    assert MASK in redactor(PEM).scrub(" ".join(PEM.split("\n")))
    assert MASK in redactor(PEM).scrub(PEM.replace("\n", "\r\n"))


def test_passwords_in_addresses_of_databases() -> None:
    made = redactor(
        "postgresql://candle:p%40ss%2Fword1@localhost/candles",
        "host=localhost user=candle password='it''s in\\' here' dbname=candles".replace("''", ""),
        "host=localhost password=barewords dbname=candles",
    )
    for text in ("p%40ss%2Fword1", "p@ss/word1", "barewords"):
        assert made.scrub(f"FATAL: {text}!") == f"FATAL: {MASK}!"
    assert made.scrub("postgresql+psycopg://candle:p%40ss%2Fword1@localhost/candles") == (
        f"postgresql+psycopg://candle:{MASK}@localhost/candles"
    )
    assert made.scrub("no candle at localhost") == "no candle at localhost"


@SECRETS
@pytest.mark.parametrize("write", [str, lambda secret: quote(secret, safe="")], ids=["plain", "url"])
def test_one_that_was_cut_off(secret: str, write: Callable[[str], str]) -> None:
    written, half = write(secret), len(write(secret[: (len(secret) + 1) // 2]))
    made = redactor(secret)
    for length in range(half, len(written)):
        clean = made.scrub(f"the answer begins {written[:length]}")
        assert clean.startswith(f"the answer begins {MASK}")
        assert len(clean) <= len("the answer begins ") + len(MASK) + len("%C3%B"), "a character may be cut off, too"


def test_what_only_begins_like_one_is_left() -> None:
    made = redactor("postgresql://candle:password1@localhost/candles")
    for text in ("postgresql://", "postgresql://localhost/candles", "passed"):
        assert made.scrub(text) == text


def test_a_longer_secret_is_not_left_half() -> None:
    made = redactor("abcdef", "abcdefghi")
    assert made.scrub("abcdefghi") == MASK


def test_a_short_one_is_left() -> None:
    assert redactor("x" * (SHORTEST - 1)).scrub("xxxxx") == "xxxxx"
    assert redactor("x" * SHORTEST).scrub("xxxxxx") == MASK


def test_bytes_are_secrets_too() -> None:
    made = Redactor()
    made.remember(AWKWARD.encode())
    assert made.scrub(AWKWARD) == MASK


def test_the_first_secret_is_told_once() -> None:
    told: list[int] = []
    made = Redactor()
    made.first = lambda: told.append(1)
    made.remember("short", "")
    assert told == []
    for secret in ("long enough", "another one", "long enough"):
        made.remember(secret)
    assert told == [1]


@given(st.text(min_size=SHORTEST), st.text(), st.text())
def test_any_secret_in_any_text(secret: str, before: str, after: str) -> None:
    made = redactor(secret)
    clean = made.scrub(before + secret + after)
    assert secret not in clean or secret in before + MASK + after or secret in MASK
    assert MASK in clean


@given(st.text())
def test_text_without_secrets_is_left(text: str) -> None:
    made = redactor(SIMPLE, AWKWARD, PEM)
    assert made.scrub(text) == text
    assert not made.finds(text)
