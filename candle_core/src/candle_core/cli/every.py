"""``candle update … --every``: again and again, until a signal, and what is said of each run."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import click

from candle_core.cli.common import Session
from candle_core.cli.errors import Interrupted, describe, one_line
from candle_core.cli.live import LiveTable
from candle_core.cli.render import duration
from candle_core.cli.running import run_async
from candle_core.cli.updating import Work, counts_of, failure, name_failures, opened
from candle_hookspecs import BadInputError, PluginError, Symbol, UpdateResult, iso

if TYPE_CHECKING:
    from candle_core import Candles
    from candle_core.update.every import Turn


def update_again(session: Session, work: Work, every: str) -> NoReturn:
    """Do it at once, and then at every close of a timeframe.

    Raises:
        Interrupted: by a signal; nothing else ends it in good order. UpdateRunningError: another update of this
            database runs. StorageError: the database does not take it.
    """
    log = _Log(session, LiveTable(), every)
    try:
        run_async(_again_and_again(session, work, every, log), while_read=True)
    except Interrupted as stop:
        runs = f"{log.runs:,} {'run' if log.runs == 1 else 'runs'}"
        raise Interrupted(stop.number, f"interrupted after {runs}; all that came is written") from None


async def _again_and_again(session: Session, work: Work, every: str, log: "_Log") -> NoReturn:
    from candle_core.update.every import update_every

    async with opened(session) as candles:
        names = _served(session, candles, await work.exchanges(candles), work.nothing)
        with log.table as table:

            async def run(name: str) -> UpdateResult:
                return await work.run(candles, name, table.watch(name) if table.shown else None)

            await update_every(candles.kernel, every, names, run, log.tell)


def _served(session: Session, candles: "Candles", names: list[str], nothing: str) -> list[str]:
    """The exchanges that have a plugin; the others are named.

    Raises:
        BadInputError: there are none. PluginError: none has a plugin.
    """
    if not names:
        raise BadInputError(nothing)
    served, refused = [], []
    for name in names:
        try:
            candles.kernel.provider(name)
            served.append(name)
        except PluginError as unusable:
            refused.append((name, unusable))
    if not served:
        raise refused[0][1]
    for name, error in refused:
        session.note(f"candle: {name} is left out: {one_line(error)}")
    return served


@dataclass(slots=True)
class _Log:
    """Tells of every run by a line. It remembers which symbols failed in the last run, to name only new ones."""

    session: Session
    table: LiveTable
    every: str
    runs: int = 0
    _failing: dict[str, set[Symbol]] = field(default_factory=dict)

    def tell(self, turn: "Turn") -> None:
        self.runs += 1
        self.table.draw()
        if self.session.as_json:
            click.echo(json.dumps(_line(turn), ensure_ascii=False))
        elif isinstance(turn.result, UpdateResult):
            click.echo(f"{_second(turn.ended)}  {turn.exchange}  {_sentence(turn.result)}")
        self._remark(turn)

    def _remark(self, turn: "Turn") -> None:
        following = _second(turn.following)
        if isinstance(turn.result, UpdateResult):
            known = self._failing.get(turn.exchange, set())
            name_failures(self.session, [pair for pair in turn.result.failed_symbols if pair[0] not in known])
            self._failing[turn.exchange] = {symbol for symbol, _ in turn.result.failed_symbols}
        else:
            self.session.note(f"candle: {turn.exchange}: {one_line(turn.result)}; the next run is at {following}")
        if turn.missed:
            closes = f"{turn.missed:,} {'close' if turn.missed == 1 else 'closes'} of {self.every}"
            self.session.note(f"candle: {turn.exchange}: {closes} passed during this run; the next is at {following}")


def _sentence(result: UpdateResult) -> str:
    symbols = f"{len(result.success_symbols):,} done, {len(result.failed_symbols):,} failed"
    symbols += f", {len(result.skipped_symbols):,} skipped"
    costs = f"{result.total_rows:,} rows, {result.requests:,} requests, {duration(result.duration_seconds)}"
    return f"{symbols}, {costs}"


def _line(turn: "Turn") -> dict[str, Any]:
    head = {"at": iso(turn.ended), "exchange": turn.exchange}
    if isinstance(turn.result, UpdateResult):
        body = counts_of(turn.result) | {"failed_symbols": [failure(*pair) for pair in turn.result.failed_symbols]}
    else:
        body = {"error": describe(turn.result)}
    return head | body | {"missed": turn.missed, "next": iso(turn.following)}


def _second(moment: int) -> str:
    return iso(moment // 1_000 * 1_000)
