"""``candle precision``: how a market wants prices and amounts, and what it would say to an order."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import click

from candle_core.cli.common import TRADETYPES, Session, command
from candle_core.cli.render import Cell, Column, print_table
from candle_core.cli.running import run_async
from candle_core.precision import Precision, as_decimal, plain
from candle_hookspecs import BadInputError, TickBands, TickTable, iso, to_ms

_LIMITS = [
    Column("", style="bold"),
    Column("unit"),
    Column("steps of", True),
    Column("least", True),
    Column("most", True),
]
_BANDS = [Column("price from", True), Column("below", True), Column("steps of", True)]
_ORDER = [Column("", style="bold"), Column("given", True), Column("as the market takes it", True)]


@dataclass(frozen=True, slots=True)
class _Order:
    """What was typed, and what the market makes of it.

    Attributes:
        price, amount: exactly as typed; None: not given.
        rounded_price, rounded_amount: on the market's grids.
        worth: of the two; None without both.
        problems: what the market would refuse even so.
    """

    price: Decimal | None
    amount: Decimal | None
    rounded_price: Decimal | None
    rounded_amount: Decimal | None
    worth: Decimal | None
    problems: tuple[str, ...]

    @classmethod
    def of(cls, precision: Precision, price: str | None, amount: str | None, at: int | None) -> "_Order":
        rounded_price = None if price is None else precision.price(price, at=at)
        rounded_amount = None if amount is None else precision.amount(amount)
        worth = None
        if rounded_price is not None and rounded_amount is not None:
            worth = precision.notional(rounded_price, rounded_amount)
        return cls(
            None if price is None else as_decimal(price, "price"),
            None if amount is None else as_decimal(amount, "amount"),
            rounded_price,
            rounded_amount,
            worth,
            precision.check(rounded_price, rounded_amount, at),
        )


@command
@click.argument("words", nargs=-1, required=True, metavar="EXCHANGE [TRADETYPE] SYMBOL")
@click.option("--price", metavar="NUMBER", help="Round this price to the market's steps: to the nearest.")
@click.option("--amount", metavar="NUMBER", help="Round this amount to the market's steps: down.")
@click.option("--at", metavar="TIME", help="By the price steps of that moment.  [default: the newest]")
def precision(session: Session, words: tuple[str, ...], price: str | None, amount: str | None, at: str | None) -> int:
    """Show in which steps a market takes prices and amounts, and its smallest and largest order.

    With --price, --amount or both it also shows what they are on the market's steps, and whether such an order would be
    taken. If not, the command ends with 1. A market that the database knows is not asked for; nothing is ever ordered.

    \b
    Examples:
      candle precision BINANCE SPOT BTC/USDT --price 97123.4567 --amount 0.0123456
      candle precision UPBIT SPOT BTC/KRW --at 2024-06-01
    """
    exchange, tradetype, symbol = _market(words)
    moment = None if at is None else to_ms(at)
    for value, name in ((price, "price"), (amount, "amount")):
        if value is not None:
            as_decimal(value, name)  # before anybody is asked
    found = run_async(_found(session, exchange, tradetype, symbol))
    order = _Order.of(found, price, amount, moment)
    if session.as_json:
        session.emit(_document(found, order, moment))
    else:
        _print(session, found, order, moment)
    return 1 if order.problems else 0


def _market(words: Sequence[str]) -> tuple[str, str | None, str]:
    if len(words) == 2:
        return words[0].upper(), None, words[1]
    if len(words) == 3 and words[1].upper() in TRADETYPES:
        return words[0].upper(), words[1].upper(), words[2]
    raise BadInputError(
        f"{' '.join(words)!r} names no market; write EXCHANGE TRADETYPE SYMBOL, as in: BINANCE SPOT BTC/USDT"
    )


async def _found(session: Session, exchange: str, tradetype: str | None, symbol: str) -> Precision:
    import candle_core

    async with candle_core.open(session.config) as candles:
        return await candles.precision(symbol, exchange=exchange, tradetype=tradetype)


# ── for people ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _print(session: Session, found: Precision, order: _Order, at: int | None) -> None:
    market, bands = found.market, found.bands(at)
    banded = bands is not None and len(bands.bands) > 1
    click.echo(f"{market.exchange} {market.tradetype} {market.ccxt_symbol}")
    tick = "see below" if banded else None if bands is None else plain(bands.bands[0][1])
    limits: list[tuple[Cell, ...]] = [
        ("price", market.quote, tick, _cell(market.min_price), _cell(market.max_price)),
        ("amount", market.base, _cell(market.amount_step), _cell(market.min_amount), _cell(market.max_amount)),
        ("price × amount", market.quote, None, _cell(market.min_notional), None),
    ]
    print_table(_LIMITS, limits)
    if bands is not None and banded:
        click.echo(f"\nsteps of a price{_since(bands)}:")
        print_table(_BANDS, _rows(bands))
    if found.ticks is not None:
        _tell_history(session, found.ticks, at)
    if order.rounded_price is not None or order.rounded_amount is not None:
        click.echo()
        print_table(_ORDER, _order_rows(order))
        for problem in order.problems:
            session.note(f"candle: refused: {problem}")


def _rows(bands: TickBands) -> list[tuple[Cell, ...]]:
    tops = [None, *(start for start, _ in bands.bands)]
    return [(plain(start), _cell(top), plain(tick)) for top, (start, tick) in zip(tops, bands.bands, strict=False)]


def _since(bands: TickBands) -> str:
    return "" if bands.since is None else f" since {iso(bands.since)}"


def _tell_history(session: Session, table: TickTable, at: int | None) -> None:
    if at is not None and table.at(at) is None:
        session.note(f"candle: the steps of a price at {iso(at)} are not known; the price stays as it is")
    elif at is None and len(table.tables) > 1:
        changed = ", ".join(iso(moment) for moment in _changes(table))
        session.note(f"candle: the steps of a price changed at {changed}; --at TIME shows those before")


def _changes(table: TickTable) -> list[int]:
    return [one.since for one in table.tables if one.since is not None]


def _order_rows(order: _Order) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = [
        ("price", _cell(order.price), _cell(order.rounded_price)),
        ("amount", _cell(order.amount), _cell(order.rounded_amount)),
        ("price × amount", None, _cell(order.worth)),
    ]
    return [row for row in rows if row[2] is not None]


def _cell(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)


# ── for programs ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _document(found: Precision, order: _Order, at: int | None) -> dict[str, Any]:
    market, bands = found.market, found.bands(at)
    names = ("exchange", "tradetype", "ccxt_symbol", "native_id", "base", "quote")
    limits = ("amount_step", "min_amount", "max_amount", "min_price", "max_price", "min_notional")
    return {
        **{name: getattr(market, name) for name in names},
        **{name: _cell(getattr(market, name)) for name in limits},
        "at": _moment(at),
        "price_ticks": None if bands is None else _table(bands),
        "changes": [] if found.ticks is None else [iso(moment) for moment in _changes(found.ticks)],
        "order": {
            "price": _cell(order.price),
            "amount": _cell(order.amount),
            "rounded_price": _cell(order.rounded_price),
            "rounded_amount": _cell(order.rounded_amount),
            "worth": _cell(order.worth),
            "problems": list(order.problems),
        },
    }


def _table(bands: TickBands) -> dict[str, Any]:
    return {"since": _moment(bands.since), "bands": [[plain(start), plain(tick)] for start, tick in bands.bands]}


def _moment(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)
