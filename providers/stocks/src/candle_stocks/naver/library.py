"""finance-datareader's own reader of Naver's days, with nothing of it left outside.

It asks one fixed URL with ``requests.get``, without a limit of time, prints what goes wrong and answers with an empty
frame. Its module is loaded here a second time, as a copy that nobody else sees, in which ``requests`` and ``print`` are
ours: what others do with the library stays as it is, and no lock is needed.
"""

from collections.abc import Callable
from importlib.util import find_spec, module_from_spec
from typing import Any, Final, NamedTuple

from candle_hookspecs import MalformedAnswerError, PluginError

_MODULE: Final = "FinanceDataReader.naver.data"
_FIRST: Final = "1900-01-01"
_LAST: Final = "2200-01-01"
"""Said openly: left out, the library ends with the date of this machine, which may lag behind Seoul's."""


class Response(NamedTuple):
    """What the library reads of an answer."""

    text: str


class Library:
    """The library's reader; every request of it is `get`'s.

    Args:
        get: the text behind a URL.

    Raises:
        PluginError: it is not installed, or is no longer what it was.
    """

    def __init__(self, get: Callable[[str], str]) -> None:
        self._get = get
        self._module = _copy()
        # Names of the module come before those of the interpreter.
        vars(self._module).update(requests=self, print=_unheard)

    def get(self, url: str) -> Response:
        """In place of ``requests.get``."""
        return Response(self._get(url))

    def days(self, code: str) -> Any:
        """A pandas frame as the library makes it: a row a day, `Open`, `High`, `Low`, `Close`, `Volume`; may be empty.

        Args:
            code: six characters.

        Raises:
            MalformedAnswerError: the library cannot make a table of the answer.
            ProviderError: whatever `get` raised.
        """
        try:
            return self._module.NaverDailyReader(code, _FIRST, _LAST).read()
        except (ValueError, TypeError, KeyError) as error:
            raise MalformedAnswerError(f"no table of days of {code!r} in Naver's answer: {error}") from error


def _copy() -> Any:
    try:
        spec = find_spec(_MODULE)
    except ModuleNotFoundError as error:
        raise PluginError(f"Naver needs finance-datareader: pip install 'candle-stocks[krx]' ({error})") from error
    if spec is None or spec.loader is None:
        raise PluginError(f"this finance-datareader has no {_MODULE!r}: pip install -U 'candle-stocks[krx]'")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _unheard(*_: object) -> None:
    """In place of ``print``: what it says, that there are no rows, shows in the frame."""
