"""``candle symbols``: what the database knows."""

from collections.abc import Sequence
from typing import Any

import click

from candle_core.cli.common import Session, command
from candle_core.cli.render import Cell, Column, jsonable, print_table
from candle_core.cli.running import run_async
from candle_hookspecs import BadInputError, MarketStatus, SymbolSummary, UnknownTimeframeError, iso

_STATUSES = [status.value for status in MarketStatus]
_COLUMNS = [
    Column("symbol", style="bold"),
    Column("first"),
    Column("last"),
    Column("rows", right=True),
    Column("share", right=True),
    Column("status"),
]
_OF_SYMBOL = ("archetype", "exchange", "tradetype", "base", "quote", "timeframe", "contract")
_OF_MARKET = ("ccxt_symbol", "native_id", "title", "status")


@command
@click.argument("exchange", required=False)
@click.argument("tradetype", required=False)
@click.argument("timeframe", required=False)
@click.option("--base", metavar="NAME", help="Only markets of this, such as BTC.")
@click.option("--quote", metavar="NAME", help="Only markets priced in this, such as USDT.")
@click.option("--timeframe", "frame", metavar="NAME", help="Only symbols of this timeframe, at any exchange.")
@click.option("--status", type=click.Choice(_STATUSES, case_sensitive=False), help="Only markets in this state.")
@click.option("--name", metavar="NAME", help="Only this market: BTC/USDT, BTCUSDT, or a pattern such as 'BTC*'.")
def symbols(
    session: Session,
    exchange: str | None,
    tradetype: str | None,
    timeframe: str | None,
    base: str | None,
    quote: str | None,
    frame: str | None,
    status: str | None,
    name: str | None,
) -> int:
    """List the symbols that the database knows, of one EXCHANGE, TRADETYPE and TIMEFRAME or of all; nobody is asked.

    The share says how much of a symbol's history, from the first moment that is known to the last closed candle, is
    proven. The quotes keep the shell from reading a pattern.

    \b
    Examples:
      candle symbols
      candle symbols BINANCE SPOT 1h --quote USDT --status TRADING
      candle symbols --name 'BTC*' --timeframe 1d
    """
    if tradetype is not None and timeframe is None and _is_timeframe(tradetype):
        tradetype, timeframe = None, tradetype
    if None not in (timeframe, frame) and timeframe != frame:
        raise BadInputError(f"--timeframe {frame!r} contradicts {timeframe!r}; leave one of them out")
    conditions: dict[str, Any] = {
        "exchange": exchange,
        "tradetype": tradetype,
        "timeframe": timeframe or frame,
        "base": base,
        "quote": quote,
        "status": status,
        "name": name,
    }
    found = run_async(_found(session, conditions))
    if session.as_json:
        session.emit({"symbols": [_document(one) for one in found]})
    elif found:
        print_table(_COLUMNS, [_row(one) for one in found])
    elif any(conditions.values()):
        session.note("candle: no stored symbol is like that; `candle symbols` lists all")
    else:
        session.note("candle: no symbols are stored yet; `candle collect` fetches candles")
    return 0


def _is_timeframe(word: str) -> bool:
    from candle_core.timeframes import parse_timeframe

    try:
        parse_timeframe(word)
    except UnknownTimeframeError:
        return False
    return True


async def _found(session: Session, conditions: dict[str, Any]) -> Sequence[SymbolSummary]:
    import candle_core

    async with candle_core.open(session.config) as candles:
        return await candles.symbols(**conditions, coverage=True)


def _row(one: SymbolSummary) -> tuple[Cell, ...]:
    return str(one.symbol), _moment(one.first), _moment(one.last), one.rows, _percent(one), one.market.status.value


def _percent(one: SymbolSummary) -> str | None:
    """Rounded down, so that 100% means all."""
    if not one.slots or one.proven is None:
        return None
    whole, tenths = divmod(1000 * one.proven // one.slots, 10)
    return f"{whole}%" if whole == 100 else f"{whole}.{tenths}%"


def _moment(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def _document(one: SymbolSummary) -> dict[str, Any]:
    head = {"symbol": str(one.symbol)} | {name: getattr(one.symbol, name) for name in _OF_SYMBOL}
    market = {name: jsonable(getattr(one.market, name)) for name in _OF_MARKET}
    stored = {"registered": jsonable(one.registered), "first": _moment(one.first), "last": _moment(one.last)}
    counts = {name: getattr(one, name) for name in ("rows", "revisions", "slots", "proven", "share")}
    return head | market | stored | counts
