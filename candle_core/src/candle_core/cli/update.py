"""``candle update``: keep many symbols fresh, once or again and again."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from candle_core.cli.common import TRADETYPES, Session, check_range, command
from candle_core.cli.every import update_again
from candle_core.cli.updating import Work, active_work, passive_work, update_once
from candle_hookspecs import BadInputError, MarketStatus

_Function = TypeVar("_Function", bound=Callable[..., Any])

ARCHETYPES: Final = frozenset({"CRYPTO", "STOCK"})
"""Words that are read as an archetype where one may stand before an exchange."""

_ANY: Final = "ANY"
_STATUSES: Final = [*(status.value for status in MarketStatus), _ANY]
_JSON: Final = "Print one JSON document on standard output; with --every, a line for each run."


@click.group(no_args_is_help=False)
def update() -> None:
    """Keep many symbols fresh: ask for all that is missing up to the last closed candle.

    One symbol's failure does not stop the others, and an interrupted command goes on where it was. Of two updates of
    one database the second ends at once, with 4. Both kinds take --config FILE, --json and --verbose.
    """


def _kind(function: Callable[..., Any]) -> click.Command:
    """A command of the group, with the options that both have."""
    buffer = "Rows that are gathered, of each exchange, until they are written.  [default: 100000]"
    every = "Go on: again whenever candles of this timeframe, such as 1m, have become final."
    for option in (
        click.option("--every", metavar="TIMEFRAME", help=every),
        click.option("--buffer-size", type=click.IntRange(min=1), metavar="N", help=buffer),
        click.option("--quote", metavar="NAME", help="Only markets priced in this, such as USDT."),
        click.option("--base", metavar="NAME", help="Only markets of this, such as BTC."),
    ):
        function = option(function)
    built = command(function, as_json=_JSON)
    update.add_command(built)
    return built


@_kind
@click.argument("words", nargs=-1, required=True, metavar="[ARCHETYPE] EXCHANGE [TRADETYPE]")
@click.option("--timeframe", "timeframes", multiple=True, metavar="NAME", help="Each market in this; may be repeated.")
@click.option(
    "--status",
    type=click.Choice(_STATUSES, case_sensitive=False),
    default=MarketStatus.TRADING.value,
    show_default=True,
    help="Only markets in this state.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Only so many markets, the first by name.")
@click.option(
    "--start", metavar="TIME", help="From here on: 2024-01-31 (UTC).  [default: the beginning of each market]"
)
def active(
    session: Session,
    words: tuple[str, ...],
    timeframes: tuple[str, ...],
    status: str,
    start: str | None,
    every: str | None,
    buffer_size: int | None,
    **wanted: Any,
) -> int:
    """List what an exchange trades, register it, and collect it from the beginning.

    The trade type may be left out where the exchange has one. Without --timeframe it is those that [defaults] of the
    configuration names, else days.

    \b
    Examples:
      candle update active BINANCE SPOT --quote USDT --timeframe 1h --timeframe 1d
      candle update active BINANCE SPOT --count 20 --timeframe 1m --start 2025-01-01 --every 1m
    """
    archetype, rest = _archetype(words)
    if not 1 <= len(rest) <= 2:
        raise BadInputError(f"{' '.join(words)!r} is no exchange with a trade type; write it like: BINANCE SPOT")
    check_range(start, None)
    state = None if status == _ANY else MarketStatus(status)
    wanted |= {"timeframes": timeframes or None, "status": state, "start": start} | _size(buffer_size)
    return _carry_out(session, active_work(archetype, rest[0], rest[1] if len(rest) > 1 else None, wanted), every)


@_kind
@click.argument("words", nargs=-1, metavar="[ARCHETYPE] [EXCHANGE [TRADETYPE [TIMEFRAME]]]")
@click.option("--timeframe", metavar="NAME", help="Only symbols of this timeframe, at any exchange.")
@click.option("--no-mend", is_flag=True, help="Leave alone what is missing before the last moment that is known.")
def passive(
    session: Session,
    words: tuple[str, ...],
    timeframe: str | None,
    no_mend: bool,
    every: str | None,
    buffer_size: int | None,
    **wanted: Any,
) -> int:
    """Bring the symbols that the database knows, all or those that match, up to the last closed candle.

    What is missing in between is asked for as well; a symbol whose next candle is not closed is not asked for.

    \b
    Examples:
      candle update passive
      candle update passive BINANCE SPOT 1m --every 1m
    """
    archetype, rest = _archetype(words)
    exchange, tradetype, frame = _places(rest)
    if None not in (frame, timeframe) and frame != timeframe:
        raise BadInputError(f"--timeframe {timeframe!r} contradicts {frame!r}; leave one of them out")
    _check_timeframe(frame or timeframe)
    wanted |= {"archetype": archetype, "tradetype": tradetype, "timeframe": frame or timeframe}
    return _carry_out(session, passive_work(exchange, wanted, {"mend": not no_mend} | _size(buffer_size)), every)


def _carry_out(session: Session, work: Work, every: str | None) -> int:
    if every is not None:
        _check_timeframe(every)
        update_again(session, work, every)
    return update_once(session, work)


def _archetype(words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    return (words[0], words[1:]) if words and words[0].upper() in ARCHETYPES else (None, words)


def _places(words: tuple[str, ...]) -> tuple[str | None, str | None, str | None]:
    """Exchange, trade type and timeframe; the trade type may be left out."""
    if len(words) == 2 and words[1].upper() not in TRADETYPES:
        words = (words[0], "", words[1])
    if len(words) > 3:
        raise BadInputError(f"{' '.join(words)!r} is too much; write [EXCHANGE [TRADETYPE [TIMEFRAME]]]")
    exchange, tradetype, timeframe = (*words, *[""] * (3 - len(words)))
    return exchange or None, tradetype or None, timeframe or None


def _check_timeframe(text: str | None) -> None:
    from candle_core.timeframes import parse_timeframe

    if text is not None:
        parse_timeframe(text)


def _size(rows: int | None) -> dict[str, int]:
    return {} if rows is None else {"buffer_size": rows}
