"""Errors that carry a secret are copied without it, with all that led to them; others stay themselves."""

import json
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import yarl
from pydantic import BaseModel, ValidationError

from candle_core.secrets import MASK, REDACTOR, scrubbed
from candle_hookspecs import AuthenticationError, CandleError, RateLimitedError, TransientError

KEY = "planted-4b1f/key+0=="


@pytest.fixture(autouse=True)
def _remembered() -> None:
    REDACTOR.remember(KEY)


def texts(error: BaseException) -> str:
    """Everything that somebody may print of it."""
    told = [*traceback.format_exception(error)]
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or one in seen:
            continue
        seen.append(one)
        told += [str(one), repr(one), repr(one.args), repr(vars(one))]
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return "\n".join(told)


def caught(raising: Callable[[], object]) -> BaseException:
    try:
        raising()
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("nothing was raised")


def test_an_error_without_secrets_is_left_alone() -> None:
    error = TransientError("connection lost")
    error.__cause__ = OSError(104, "reset")
    assert scrubbed(error) is error


def test_a_copy_is_of_the_same_type_and_keeps_what_it_knows() -> None:
    error = RateLimitedError(f"429 for {KEY}", retry_after=2.5, banned=True)
    error.add_note(f"asked with {KEY}")
    clean = scrubbed(error)
    assert isinstance(clean, RateLimitedError)
    assert (clean.retry_after, clean.banned) == (2.5, True)
    assert (str(clean), clean.__notes__) == (f"429 for {MASK}", [f"asked with {MASK}"])
    assert KEY in str(error), "whoever holds the original may rely on it"
    assert str(pickle.loads(pickle.dumps(clean))) == f"429 for {MASK}"


class _Strict(BaseModel):
    limit: int


class OddError(AuthenticationError):
    """A plugin's own, which cannot be made without its arguments and shows them in its own way."""

    def __init__(self, key: str, *, status: int) -> None:
        super().__init__()
        self.request = SimpleNamespace(url=f"https://x/?key={key}")
        self.status = status

    def __str__(self) -> str:
        return f"{self.status} for {self.request.url}"


class StubbornError(Exception):
    """Its text is not in its arguments, nor among its attributes."""

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = key

    def __str__(self) -> str:
        return f"stubborn about {self.key}"


class SlyError(Exception):
    """Its representation comes from neither."""

    def __repr__(self) -> str:
        return f"SlyError({KEY})"


def _response_error() -> aiohttp.ClientResponseError:
    url = yarl.URL(f"http://localhost/candles?key={KEY}")
    info = aiohttp.RequestInfo(url, "GET", {"X-KEY": KEY}, url)  # type: ignore[arg-type]
    return aiohttp.ClientResponseError(info, (), status=401, message=f"no {KEY}")


ERRORS: dict[str, Callable[[], object]] = {
    "text": lambda: _raise(ValueError(f"bad {KEY}")),
    "bytes": lambda: _raise(ValueError(KEY.encode())),
    "within": lambda: _raise(ValueError({"headers": [("X-KEY", KEY)]}, {KEY})),
    "key error": lambda: dict[str, int]()[KEY],
    "no such file": lambda: Path(f"/nowhere/{KEY}").read_text(),
    "undecodable": (KEY.encode() + b"\xff").decode,
    "json": lambda: json.loads(f"{{{KEY}"),
    "pydantic": lambda: _Strict.model_validate({"limit": KEY}),
    "aiohttp": lambda: _raise(_response_error()),
    "of a plugin": lambda: _raise(OddError(KEY, status=401)),
    "slots": lambda: _raise(StubbornError(KEY)),
    "representation": lambda: _raise(SlyError("sly")),
    "group": lambda: _raise(ExceptionGroup(f"two of {KEY}", [ValueError(KEY), TransientError(KEY)])),
}


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("raising", ERRORS.values(), ids=ERRORS)
def test_of_whatever_kind(raising: Callable[[], object]) -> None:
    error = caught(raising)
    assert KEY in texts(error), "else this shows nothing"
    clean = scrubbed(error)
    assert KEY not in texts(clean)
    assert str(clean) == str(error).replace(KEY, MASK)
    assert type(clean).__name__ == type(error).__name__ or isinstance(error, CandleError)
    assert clean.__traceback__ is error.__traceback__


def test_an_error_of_a_plugins_own_stays_one_of_the_contract() -> None:
    clean = scrubbed(caught(ERRORS["of a plugin"]))
    assert isinstance(clean, AuthenticationError)
    assert str(clean) == f"401 for https://x/?key={MASK}"


def test_an_error_of_the_system_keeps_its_number() -> None:
    clean = scrubbed(caught(ERRORS["no such file"]))
    assert isinstance(clean, FileNotFoundError)
    assert (clean.errno, clean.filename) == (2, f"/nowhere/{MASK}")


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_what_led_to_it(link: str) -> None:
    error, between, first = TransientError("lost"), OSError(104, "reset", "socket"), caught(ERRORS["aiohttp"])
    setattr(between, link, first)
    setattr(error, link, between)
    clean = scrubbed(error)
    assert KEY not in texts(clean)
    assert str(clean) == "lost"
    assert str(getattr(clean, link)) == str(between)
    assert "401" in str(getattr(getattr(clean, link), link))
    assert getattr(between, link) is first


def test_a_chain_that_bites_its_tail() -> None:
    one, two = ValueError(KEY), ValueError("two")
    one.__context__, two.__context__ = two, one
    clean = scrubbed(one)
    assert clean.__context__ is not None
    assert clean.__context__.__context__ is clean
    assert KEY not in str(clean)


def test_a_long_chain() -> None:
    error: Any = ValueError(KEY)
    for number in range(5_000):
        after = ValueError(number)
        after.__context__ = error
        error = after
    clean: Any = scrubbed(error)
    while clean.__context__:
        clean = clean.__context__
    assert str(clean) == MASK


def test_an_error_that_cannot_be_shown() -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    error = Silent()
    assert scrubbed(error) is error
    error.__cause__ = ValueError(KEY)
    assert str(scrubbed(error).__cause__) == MASK


def test_pydantics_errors_are_stood_for_by_name() -> None:
    clean = scrubbed(caught(ERRORS["pydantic"]))
    assert not isinstance(clean, ValidationError)
    assert type(clean).__qualname__ == "ValidationError"
