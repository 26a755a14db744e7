"""A listing without what ccxt cannot read of it.

ccxt reads all markets or none: one of which a field is missing costs the other two thousand. So the answers are kept
until they are read, and where that fails, halved again and again until it is known in which rows. Nothing is asked
twice for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence, Set
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from candle_ccxt.errors import is_misread, unreadable
from candle_hookspecs import MalformedAnswerError

Place = tuple[str | int, ...]
"""Where a row is: which request was answered with it, and the way down to it."""

_EXAMPLES: Final = 8
"""How many rows of each list are tried until those at one place in all of them can be read."""
_MOST: Final = 256
"""More rows than these that cannot be read are no odd ones: it is ccxt that does not know the form any more."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that cannot be read.

    Attributes:
        row: the text of it, with its name where it has one.
        why: what ccxt says.
    """

    row: str
    why: str

    def __str__(self) -> str:
        return f"{self.row[:300]} ({self.why})"


@dataclass(slots=True)
class Reading:
    """One way of reading the answers of a listing.

    Attributes:
        answers: by what was asked. Those under way are waited for, also by who reads them later.
        without: the rows that are left out.
        asks: what is not among the answers is asked for.
        left_out: rows that ccxt reads one by one, and could not.
    """

    answers: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    without: Set[Place] = frozenset()
    asks: bool = True
    left_out: list["LeftOut"] = field(default_factory=list)

    async def answer(self, question: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        """The answer to a question."""
        if question not in self.answers:
            if not self.asks:
                raise _AsksForMore(question)
            self.answers[question] = asyncio.ensure_future(ask())
        answer = await self.answers[question]
        return _without(answer, (question,), self.without) if self.without else answer

    def rows(self) -> list[Place]:
        """Where the rows of all answers are; none, as long as not every question has its answer."""
        if not all(one.done() and not one.cancelled() and one.exception() is None for one in self.answers.values()):
            return []
        return [place for question, one in self.answers.items() for place in _rows(one.result(), (question,))]

    def text(self, place: Place) -> str:
        """A row in words."""
        question, *steps = place
        row = self.answers[str(question)].result()
        for step in steps:
            row = row[step]
        return f"{steps[-1]!r}: {row!r}" if isinstance(steps[-1], str) else repr(row)


class _AsksForMore(Exception):
    """What is there is read, and the next answer would be wanted."""


READING: Final[ContextVar[Reading | None]] = ContextVar("candle_ccxt_reading", default=None)


async def readable(what: str, read: Callable[[], Awaitable[Any]]) -> tuple[Any, Sequence[LeftOut]]:
    """What a method of ccxt makes of the answers that it asks for, without the rows that it cannot read.

    Args:
        what: is read, for messages.
        read: the method. It is called again and again where it fails.

    Raises:
        MalformedAnswerError: no row can be read, or too many cannot.
        Exception: as the method raises it, if it is not the rows.
    """
    reading, odd = Reading(), dict[Place, str]()
    while True:
        try:
            told = await _read(read, reading)
        except Exception as error:
            if not is_misread(error):
                raise
            await asyncio.gather(*reading.answers.values(), return_exceptions=True)
            search = _Search(what, read, reading)
            found = await search.all_over()
            if not 0 < len(found) < len(search.rows):
                raise unreadable(error, what) from error
            # Some ask for the next list when they have read one. So that is asked for now, and may have odd rows, too.
            odd |= found
            reading = Reading(reading.answers, frozenset(odd))
        else:
            if odd and not told:
                raise MalformedAnswerError(f"ccxt can read nothing of {what}: {next(iter(odd.values()))}")
            return told, [*reading.left_out, *(LeftOut(reading.text(place), why) for place, why in odd.items())]


def one_by_one(read: Callable[[Any], Any], rows: Sequence[Any]) -> list[Any]:
    """What ccxt makes of rows that it reads one by one, without those that it cannot read, and that are nothing to it.

    Raises:
        Exception: as ccxt raises it of the first, if none can be read.
    """
    found: list[Any] = []
    errors: list[tuple[Any, Exception]] = []
    for row in rows:
        try:
            found.append(read(row))
        except Exception as error:
            if not is_misread(error):
                raise
            errors.append((row, error))
    if errors and not found:
        raise errors[0][1]
    if reading := READING.get():
        reading.left_out += [LeftOut(repr(row), _why(error)) for row, error in errors]
    return [one for one in found if one is not None]


@dataclass(slots=True)
class _Search:
    """For the rows that cannot be read.

    Attributes:
        rows: where every row is.
        examples: a row of each list that can be read: an empty list is to some an answer that is wrong.
        unread: how many could not be read.
    """

    what: str
    read: Callable[[], Awaitable[Any]]
    reading: Reading
    rows: Sequence[Place] = field(init=False)
    examples: dict[Place, Place] = field(default_factory=dict)
    unread: int = 0

    def __post_init__(self) -> None:
        self.rows = [place for place in self.reading.rows() if place not in self.reading.without]

    async def all_over(self) -> dict[Place, str]:
        """Those that cannot be read, with the reason."""
        lists: dict[Place, list[Place]] = {}
        for place in self.rows:
            lists.setdefault(place[:-1], []).append(place)
        for number in range(_EXAMPLES):
            chosen = {name: rows[min(number, len(rows) - 1)] for name, rows in lists.items()}
            if not await self._why_not(list(chosen.values())):
                self.examples = chosen
                break
        return await self._among(self.rows)

    async def _among(self, rows: Sequence[Place]) -> dict[Place, str]:
        found: dict[Place, str] = {}
        middle = len(rows) // 2
        for part in (rows[:middle], rows[middle:]):
            why = await self._why_not(part) if part else ""
            if why and len(part) > 1:
                found |= await self._among(part)
            elif why:
                self.unread += 1
                if self.unread > _MOST:
                    raise MalformedAnswerError(
                        f"ccxt cannot read {self.unread} rows of {self.what} and more; a newer ccxt may: {why}"
                    )
                found[part[0]] = why
        return found

    async def _why_not(self, rows: Sequence[Place]) -> str:
        """Why these cannot be read; empty if they can be."""
        await asyncio.sleep(0)  # others have their turn
        there = {place[:-1] for place in rows}
        kept = {*rows, *(place for name, place in self.examples.items() if name not in there)}
        without = self.reading.without | (frozenset(self.rows) - kept)
        try:
            await _read(self.read, Reading(self.reading.answers, without, asks=False))
        except _AsksForMore:
            pass  # they are read, and the next list is wanted
        except Exception as error:
            if not is_misread(error):
                raise
            return _why(error)
        return ""


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


async def _read(read: Callable[[], Awaitable[Any]], reading: Reading) -> Any:
    token = READING.set(reading)
    try:
        return await read()
    finally:
        READING.reset(token)


def _rows(body: Any, at: Place) -> Iterator[Place]:
    """What an answer has one of for each market, mostly: the entries of its lists, and of its tables by name."""
    if isinstance(body, list) and not _holds_lists_of_rows(body):
        yield from ((*at, number) for number in range(len(body)))
    elif isinstance(body, list):
        for number, inner in enumerate(body):
            yield from _rows(inner, (*at, number))
    elif isinstance(body, dict) and _is_table(body):
        yield from ((*at, name) for name in body)
    elif isinstance(body, dict):
        for name, inner in body.items():
            yield from _rows(inner, (*at, name))


def _without(body: Any, at: Place, places: Set[Place]) -> Any:
    """An answer without rows; all that is in a row stays what it is."""
    if isinstance(body, list) and not _holds_lists_of_rows(body):
        return [row for number, row in enumerate(body) if (*at, number) not in places]
    if isinstance(body, list):
        return [_without(inner, (*at, number), places) for number, inner in enumerate(body)]
    if isinstance(body, dict) and _is_table(body):
        return {name: row for name, row in body.items() if (*at, name) not in places}
    if isinstance(body, dict):
        return {name: _without(inner, (*at, name), places) for name, inner in body.items()}
    return body


def _holds_lists_of_rows(body: list[Any]) -> bool:
    """As Bitfinex answers several questions at once."""
    return all(isinstance(one, list) for one in body) and any(
        one and all(isinstance(row, list) for row in one) for one in body
    )


def _is_table(body: dict[str, Any]) -> bool:
    """As Kraken has its markets by their names. What holds lists of objects is a part of an answer, and no row."""
    return len(body) > 1 and all(
        isinstance(row, dict)
        and not any(isinstance(inner, list) and inner and isinstance(inner[0], dict) for inner in row.values())
        for row in body.values()
    )
