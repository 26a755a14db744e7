"""What comes back."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from candle_hookspecs import CandleBatch, FetchRequest, LimitFeedback, MalformedAnswerError, Page, to_ms

_Value = TypeVar("_Value")


def moment_of(headers: Mapping[str, str]) -> int | None:
    """UTC ms of the ``Date`` header (RFC 9110, 6.6.1), which rounds down to the second; None: there is none."""
    try:
        moment = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def beginning(body: bytes) -> str:
    """The first characters of a body, for a message."""
    return repr(body[:100].decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back with status 200.

    Attributes:
        body: unpacked. size: its bytes on the wire. headers: in any case.
        feedback: what the headers say of the limits.
    """

    body: bytes
    size: int
    headers: Mapping[str, str]
    feedback: LimitFeedback = field(default_factory=LimitFeedback)

    def parsed(self, read: Callable[[Any], _Value]) -> _Value:
        """What `read` makes of the JSON in the body.

        Raises:
            MalformedAnswerError: it is no JSON, or lacks what `read` looks for.
        """
        try:
            return read(json.loads(self.body))
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise MalformedAnswerError(
                f"not what was asked for: {type(error).__name__}: {error}; the answer begins {beginning(self.body)}"
            ) from error

    def page(self, request: FetchRequest, batch: CandleBatch) -> Page:
        """A page of these candles; see `Page.of`.

        Raises:
            MalformedAnswerError: the rows are out of order or beside the span, or the answer has no time.
        """
        return Page.of(request, batch, answered_at=self.moment, feedback=self.feedback, size=self.size)

    def page_of(self, request: FetchRequest, **found: Any) -> Page:
        """A page with these fields of `Page`: tickers, order books, trades, or candles with proofs of their own.

        Raises:
            MalformedAnswerError: the answer has no time.
        """
        return Page(request=request, answered_at=self.moment, feedback=self.feedback, size=self.size, **found)

    @property
    def moment(self) -> int:
        """The exchange's clock when it answered, UTC ms, never later than it truly was.

        Raises:
            MalformedAnswerError: there is none, so nobody can tell which candles were closed.
        """
        moment = moment_of(self.headers)
        if moment is None:
            raise MalformedAnswerError(f"no time in the header 'Date' of the answer: {self.headers.get('Date')!r}")
        return moment


@dataclass(frozen=True, slots=True)
class Refusal:
    """What came back with any other status."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, where the header of that name says so in a number."""
        told = self.headers.get("Retry-After", "").strip()
        return float(told) if told.isdecimal() else None

    @property
    def moment(self) -> int | None:
        """The exchange's clock, UTC ms, where it is told."""
        return moment_of(self.headers)

    @property
    def beginning(self) -> str:
        """The first characters of the body, for a message."""
        return beginning(self.body)
