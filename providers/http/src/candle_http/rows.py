"""Arrays of objects of one shape, which is what most bodies are."""

import logging
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

import msgspec

from candle_hookspecs import MalformedAnswerError
from candle_http.answers import beginning

_Row = TypeVar("_Row")
_Told = TypeVar("_Told")
_Value = TypeVar("_Value")
_log: Final = logging.getLogger("candle.http")


class Rows(Generic[_Row]):
    """Reads them.

    Args:
        shape: of one object.
        what: they are, for messages, e.g. ``tickers``.
    """

    def __init__(self, shape: type[_Row], what: str) -> None:
        self._what = what
        self._one = msgspec.json.Decoder(shape)
        self._all: msgspec.json.Decoder[list[_Row]] = msgspec.json.Decoder(list[shape])  # type: ignore[valid-type]
        self._raw = msgspec.json.Decoder(list[msgspec.Raw])

    def all_of(self, body: bytes) -> list[_Row]:
        """Every object of the array.

        Raises:
            MalformedAnswerError: it is none, or one of them is not of the shape.
        """
        return self._read(self._all, body)

    def sound_of(self, body: bytes) -> list[_Row]:
        """Those that are of the shape; see `sound`.

        Raises:
            MalformedAnswerError: it is no array, or none of them is.
        """
        try:
            return self._all.decode(body)
        except msgspec.MsgspecError:
            told = self._read(self._raw, body)
            return sound(told, lambda raw: self._read(self._one, bytes(raw)))

    def _read(self, decoder: "msgspec.json.Decoder[_Value]", body: bytes) -> _Value:
        try:
            return decoder.decode(body)
        except msgspec.MsgspecError as error:
            raise MalformedAnswerError(f"not {self._what}: {error}; the answer begins {beginning(body)}") from error


def sound(told: Iterable[_Told], make: Callable[[_Told], _Value]) -> list[_Value]:
    """What can be made of each. What nothing can be made of is left out, and the log says why; the others are sound.

    Raises:
        MalformedAnswerError: nothing could be made of any.
    """
    made: list[_Value] = []
    errors: list[MalformedAnswerError] = []
    for one in told:
        try:
            made.append(make(one))
        except MalformedAnswerError as error:
            errors.append(error)
    if errors and not made:
        raise errors[0]
    for left_out in errors:
        _log.warning("left out of an answer: %s", left_out)
    return made
