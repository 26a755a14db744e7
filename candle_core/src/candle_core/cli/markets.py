"""``candle markets``: what an exchange trades."""

from collections.abc import Sequence
from typing import Any

import click

from candle_core.cli.common import Session, command
from candle_core.cli.render import Column, fields_of, print_table
from candle_core.cli.running import run_async
from candle_hookspecs import Market, MarketQuery, MarketStatus, iso

_STATUSES = [status.value for status in MarketStatus]
_COLUMNS = [
    Column("symbol", style="bold"),
    Column("id"),
    Column("trade type", spare=True),
    Column("status"),
    Column("currency", spare=True),
    Column("price tick", right=True, spare=True),
    Column("amount step", right=True, spare=True),
    Column("min notional", right=True, spare=True),
    Column("listed", spare=True),
    Column("name", spare=True),
]


@command
@click.argument("exchange")
@click.argument("tradetype", required=False)
@click.option("--quote", metavar="NAME", help="Only markets priced in this, such as USDT.")
@click.option("--status", type=click.Choice(_STATUSES, case_sensitive=False), help="Only markets in this state.")
def markets(session: Session, exchange: str, tradetype: str | None, quote: str | None, status: str | None) -> int:
    """List the markets of EXCHANGE, or those of one TRADETYPE (SPOT, SWAP, FUTURE).

    \b
    Example:
      candle markets BINANCE SPOT --quote USDT --status TRADING
    """
    wanted = MarketStatus(status) if status else None
    tradetype = tradetype.upper() if tradetype else None
    listed = run_async(_listed(session, exchange.upper(), tradetype, wanted))
    chosen = sorted(
        (one for one in listed if quote is None or one.quote.casefold() == quote.casefold()),
        key=lambda one: (one.tradetype, one.ccxt_symbol),
    )
    if session.as_json:
        session.emit(
            {"exchange": exchange.upper(), "tradetype": tradetype, "markets": [_document(one) for one in chosen]}
        )
    else:
        print_table(_COLUMNS, [_row(one) for one in chosen])
        session.note(f"{len(chosen):,} of {len(listed):,} markets")
    return 0


async def _listed(
    session: Session, exchange: str, tradetype: str | None, status: MarketStatus | None
) -> Sequence[Market]:
    import candle_core

    async with candle_core.open(session.config) as candles:
        query = MarketQuery(tradetype=tradetype, status=status)
        return await candles.markets(exchange, tradetype, query=query)


def _row(market: Market) -> tuple[Any, ...]:
    return (
        market.ccxt_symbol,
        market.native_id,
        market.tradetype,
        market.status.value,
        None if "/" in market.ccxt_symbol else market.quote,  # else the symbol tells it
        market.price_tick,
        market.amount_step,
        market.min_notional,
        None if market.listed is None else iso(market.listed),
        market.title or None,
    )


def _document(market: Market) -> dict[str, Any]:
    times = {name: None if (ms := getattr(market, name)) is None else iso(ms) for name in ("listed", "delisted")}
    return fields_of(market) | times
