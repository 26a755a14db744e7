"""What one call of a hook sends and hears: its requests are paid, its answers' heads kept apart from all others'.

ccxt keeps the head of the last answer in one place for all requests under way. Here each call has its own, found
through a context variable, which the tasks that ccxt starts for it inherit.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

from candle_hookspecs import BudgetGate, MalformedAnswerError, to_ms

COST: Final = "cost"
"""The one limit: ccxt's own units, of which one may be spent in each `rateLimit` milliseconds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer.

    Attributes:
        url: what was asked.
        status: HTTP's.
        head: by names in lower case.
    """

    url: str
    status: int
    head: Mapping[str, str]

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait; None when it does not say."""
        text = self.head.get("retry-after", "").strip()
        return float(text) if text.isdecimal() else None


@dataclass(slots=True)
class Call:
    """One call of a hook.

    Attributes:
        prepaid: what the kernel has spent for it and no request has used up yet.
        answers: the heads of those that came so far. size: bytes of their bodies together.
        rows: candles or trades as ccxt read them, in the order of the wire, before it drops any.
        exact: numbers are read as the wire's own digits, as `Decimal`, and not as floats.
    """

    prepaid: float = 0
    answers: list[Answer] = field(default_factory=list)
    size: int = 0
    rows: list[Any] | None = None
    exact: bool = False

    @asynccontextmanager
    async def paid(self, cost: float, gate: BudgetGate, most: float) -> AsyncIterator[None]:
        """Around a request: spend what of its cost is not prepaid, in parts that the limit allows."""
        due = max(0.0, cost - self.prepaid)
        self.prepaid = max(0.0, self.prepaid - cost)
        while due > most:
            await gate.spend({COST: most})
            due -= most
        async with gate.under_way({COST: due}) if due > 0 else nullcontext():
            yield

    def hear(self, url: str, status: int, head: Mapping[str, str], body: str) -> Answer:
        """Keep the head of an answer."""
        answer = Answer(url, status, {name.lower(): value for name, value in head.items()})
        told = answer.head.get("content-length", "")
        self.answers.append(answer)
        self.size += int(told) if told.isdecimal() else len(body.encode())
        return answer

    @property
    def moment(self) -> int:
        """The exchange's clock at the first of the answers, UTC ms: the ``Date`` header, rounded down to the second.

        Raises:
            MalformedAnswerError: there is none, so nobody can tell which candles were closed.
        """
        try:
            moments = [parsedate_to_datetime(answer.head.get("date", "")) for answer in self.answers]
        except ValueError as error:
            raise MalformedAnswerError("an answer has no time in its header 'Date'") from error
        if not moments:
            raise MalformedAnswerError("nothing was asked, so nothing tells the exchange's clock")
        return min(to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC)) for moment in moments)


CALL: Final[ContextVar[Call]] = ContextVar("candle_ccxt_call")


@contextmanager
def calling(prepaid: float = 0, *, exact: bool = False) -> Iterator[Call]:
    """A call, for as long as the block runs."""
    call = Call(prepaid, exact=exact)
    token = CALL.set(call)
    try:
        yield call
    finally:
        CALL.reset(token)
