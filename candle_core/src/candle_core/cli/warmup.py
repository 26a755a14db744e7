"""``candle warmup``: markets, precision and clocks, before they are needed."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NoReturn

import click

from candle_core.cli.common import Session, command
from candle_core.cli.errors import Interrupted, exit_code, one_line
from candle_core.cli.render import Cell, Column, duration, print_table
from candle_core.cli.running import run_async
from candle_core.clock import doze_until
from candle_hookspecs import BadInputError, ExchangeWarmup, WarmupProgress, WarmupResult, iso

_JSON: Final = "Print one JSON document on standard output; with --every, a line for each run."
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_COLUMNS: Final = [
    Column("exchange", style="bold"),
    Column("state"),
    Column("markets", right=True),
    Column("from"),
    Column("clock ms", right=True, spare=True),
    Column("took", right=True),
    Column("why", spare=True),
]


@partial(command, as_json=_JSON)
@click.argument("exchange", nargs=-1)
@click.option("--force", is_flag=True, help="Ask also where the cache is still believed.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Give each exchange so long.  [default: 60]",
)
@click.option("--every", metavar="TIME", help="Go on: again after so long, such as 6h, until a signal.")
def warmup(session: Session, exchange: tuple[str, ...], force: bool, timeout: float | None, every: str | None) -> int:
    """Ask each EXCHANGE for its markets, their precision and its clock, and keep them in the cache.

    Without a name: those of the active [[accounts]], else of [providers], else that of [defaults]. What the cache has
    and [cache] ttl still lets be believed is not asked for again. They are asked side by side, and one that fails
    leaves the others alone.

    \b
    Examples:
      candle warmup
      candle warmup BINANCE UPBIT --force
      candle warmup --every 6h
    """
    options: dict[str, Any] = {"force": force} | ({} if timeout is None else {"timeout": timeout})
    if every is not None:
        _again_and_again(session, exchange, options, _interval(every))
    result = run_async(_once(session, exchange, options))
    if session.as_json:
        session.emit(result.as_dict())
    else:
        print_table(_COLUMNS, [_row(one) for one in result.exchanges])
    _name_failures(session, result)
    if len(result.failed) == len(result.exchanges):
        return max(exit_code(one.error) for one in result.failed if one.error is not None)
    return 1 if result.failed else 0


async def _once(session: Session, exchanges: Sequence[str], options: dict[str, Any]) -> WarmupResult:
    import candle_core

    async with candle_core.open(session.config) as candles:
        with _progress() as callback, _quiet():
            result = await candles.warm_up(exchanges, progress_callback=callback, **options)
        if result.refreshed and not session.as_json and candles.kernel.config.cache.backend == "memory":
            session.note('candle: [cache] backend = "memory" ends with this command; "file" and "redis" outlast it')
        return result


# ── again and again ──────────────────────────────────────────────────────────────────────────────────────────────────


def _again_and_again(session: Session, exchanges: Sequence[str], options: dict[str, Any], seconds: float) -> NoReturn:
    runs = 0

    async def work() -> NoReturn:
        nonlocal runs
        import candle_core

        async with candle_core.open(session.config) as candles:
            clock, wanted = candles.kernel.clock, options
            while True:
                began = clock.now()
                with _quiet():
                    result = await candles.warm_up(exchanges, **wanted)
                runs += 1
                _tell_run(session, result, clock.now())
                wanted = options | {"force": True}  # whoever asks more often than [cache] ttl means it
                await doze_until(min(began, clock.now()) + round(seconds * 1000), clock)

    try:
        run_async(work(), while_read=True)
    except Interrupted as stop:
        raise Interrupted(stop.number, f"interrupted after {runs:,} {'run' if runs == 1 else 'runs'}") from None
    raise AssertionError("warming up again and again ends by an error alone")


def _tell_run(session: Session, result: WarmupResult, now: int) -> None:
    at = iso(now // 1000 * 1000)
    if session.as_json:
        click.echo(json.dumps({"at": at} | result.as_dict(), ensure_ascii=False))
    else:
        done = f"{len(result.refreshed):,} done, {len(result.failed):,} failed"
        click.echo(f"{at}  {done}, {result.total_markets:,} markets, {duration(result.seconds)}")
    _name_failures(session, result)


def _interval(text: str) -> float:
    """Seconds of ``90s``, ``30m``, ``6h``, ``1d``.

    Raises:
        BadInputError: it is no such text.
    """
    match = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text)
    if match is None:
        raise BadInputError(f"{text!r} is no time to wait; write it like '90s', '30m', '6h', '1d'")
    return int(match[1]) * _SECONDS[match[2]]


# ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────────


def _row(one: ExchangeWarmup) -> tuple[Cell, ...]:
    state = "warm" if one.success else "stale" if one.stale else "failed"
    source = "-" if one.age is None else f"cache, {duration(one.age)} old" if one.cached else "exchange"
    why = None if one.error is None else type(one.error).__name__
    return one.exchange.upper(), state, one.markets, source, one.clock_offset, duration(one.seconds), why


def _name_failures(session: Session, result: WarmupResult) -> None:
    for one in result.failed:
        assert one.error is not None
        session.note(f"candle: {one.exchange}: {one_line(one.error)}")


@contextmanager
def _quiet() -> Iterator[None]:
    """What is logged of failures is told by this command itself, unless everything is to be logged."""
    log = logging.getLogger("candle.warmup")
    level = log.level
    if not log.isEnabledFor(logging.INFO):
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


@contextmanager
def _progress() -> Iterator[Callable[[WarmupProgress], object] | None]:
    """How many exchanges are done, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("asking exchanges") as status:
        yield lambda now: status.update(f"{now.done} of {now.total} exchanges, {now.exchange.exchange} just now")
