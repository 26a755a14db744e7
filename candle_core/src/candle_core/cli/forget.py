"""``candle forget``: take proof back, and the candles with it if asked."""

import sys

import click

from candle_core.cli.common import Session, Target, check_range, command, range_options
from candle_core.cli.render import moment
from candle_core.cli.running import run_async
from candle_hookspecs import BadInputError, to_datetime, to_ms


@command
@click.argument("words", nargs=-1, required=True, metavar="EXCHANGE [TRADETYPE] SYMBOL TIMEFRAME")
@range_options(start="the beginning", end="the end")
@click.option("--candles", is_flag=True, help="Delete the candles as well.")
@click.option("--yes", "-y", is_flag=True, help="Delete without asking.")
def forget(
    session: Session, words: tuple[str, ...], start: str | None, end: str | None, candles: bool, yes: bool
) -> int:
    """Forget what is known of a range, so that `candle collect` asks for it again.

    The candles stay, unless --candles is given; a terminal is then asked first, unless --yes is.

    \b
    Examples:
      candle forget BINANCE SPOT BTC/USDT 1m --start 2024-01-01 --end 2024-02-01
      candle forget BINANCE SPOT BTC/USDT 1m --candles --yes
    """
    target = Target.of(words)
    assert target.symbol
    check_range(start, end)
    what = " ".join(filter(None, (target.exchange, target.tradetype, target.symbol, target.timeframe)))
    whole = f"{what}{_between(start, end)}"
    agreed = not candles or yes or _confirmed(whole)
    deleted = run_async(_forget(session, target, start, end, candles)) if agreed else 0
    if session.as_json:
        head = {"exchange": target.exchange, "tradetype": target.tradetype, "name": target.symbol}
        bounds = [None if bound is None else moment(to_datetime(to_ms(bound))) for bound in (start, end)]
        told = {"timeframe": target.timeframe, "time_range": bounds, "forgotten": agreed, "deleted": deleted}
        session.emit(head | told)
    elif not agreed:
        session.note("candle: nothing was forgotten")
    elif candles:
        click.echo(f"forgot {whole}, and deleted {deleted:,} candles")
    else:
        click.echo(f"forgot what was proven of {whole}; the candles stay")
    return 0 if agreed else 1


def _confirmed(whole: str) -> bool:
    """Whether the person at the terminal agrees.

    Raises:
        BadInputError: there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise BadInputError(f"this deletes the candles of {whole}, and there is no terminal to ask; add --yes")
    return click.confirm(f"delete the candles of {whole}?", err=True)


def _between(start: str | None, end: str | None) -> str:
    bounds = [f" {word} {moment(to_datetime(to_ms(bound)))}" for word, bound in (("from", start), ("to", end)) if bound]
    return "".join(bounds)


async def _forget(session: Session, target: Target, start: str | None, end: str | None, candles: bool) -> int:
    import candle_core

    async with candle_core.open(session.config) as manager:
        return await manager.forget(
            target.symbol,
            target.timeframe,
            exchange=target.exchange,
            tradetype=target.tradetype,
            start=start,
            end=end,
            candles=candles,
        )
