"""The tables, each column with its meaning. Times are UTC milliseconds; an unknown value is NULL."""

from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
    func,
)

metadata: Final = MetaData()


class ExactDecimal(TypeDecorator[Decimal]):
    """A Decimal kept as the text it prints, so that ``0.00001000`` comes back with all its digits."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:
        """From the database."""
        return None if value is None else Decimal(value)


def _identity() -> Column[int]:
    return Column("id", Integer, primary_key=True, comment="number by which other tables refer to it")


def _symbol_id(**options: Any) -> Column[int]:
    return Column("symbol_id", ForeignKey("symbols.id"), nullable=False, comment="symbols.id", **options)


def _text(name: str, comment: str) -> Column[str]:
    return Column(name, String, nullable=False, comment=comment)


def _number(name: str, comment: str, *, nullable: bool = False) -> Column[float]:
    return Column(name, Double, nullable=nullable, comment=comment)


def _decimal(name: str, comment: str) -> Column[Decimal]:
    return Column(name, ExactDecimal, comment=f"{comment}, exact decimal text")


def _said() -> list[Column[Any]]:
    """What an answer says of an open time, and when, and who."""
    return [
        _number("open", "first price, in quote units"),
        _number("high", "highest price, in quote units"),
        _number("low", "lowest price, in quote units"),
        _number("close", "last price, in quote units"),
        _number("volume", "traded amount, in base units"),
        _number("quote_volume", "traded worth, in quote units; NULL where not given", nullable=True),
        Column("trades", BigInteger, comment="number of trades; NULL where not given"),
        _number("taker_buy_volume", "amount bought by takers, in base units; NULL where not given", nullable=True),
        Column("answered_at", BigInteger, nullable=False, comment="the exchange's clock when it said so, UTC ms"),
        Column("source_id", ForeignKey("sources.id"), nullable=False, comment="sources.id"),
    ]


meta: Final = Table(
    "candle_meta",
    metadata,
    Column("key", String, primary_key=True, comment="schema_version"),
    _text("value", "its value"),
    comment="What this database is",
)

markets: Final = Table(
    "markets",
    metadata,
    _identity(),
    _text("archetype", "CRYPTO or STOCK"),
    _text("exchange", "upper case, e.g. BINANCE"),
    _text("tradetype", "SPOT, SWAP or FUTURE"),
    _text("base", "what is traded, e.g. BTC"),
    _text("quote", "what it is paid in, e.g. USDT"),
    _text("contract", "expiry code of a dated future, else empty"),
    _text("settle", "what a derivative settles in, else empty"),
    _text("native_id", "the exchange's own name on the wire"),
    _text("ccxt_symbol", "ccxt's unified name; for stocks the bare ticker"),
    _text("status", "TRADING, HALTED, CLOSED or UNKNOWN"),
    _decimal("price_tick", "smallest step of the price"),
    _decimal("amount_step", "smallest step of the amount"),
    _decimal("min_amount", "least amount of an order, in base units"),
    _decimal("max_amount", "greatest amount of an order, in base units"),
    _decimal("min_price", "least price of an order, in quote units"),
    _decimal("max_price", "greatest price of an order, in quote units"),
    _decimal("min_notional", "least worth of an order, in quote units"),
    Column("listed", BigInteger, comment="first moment of trading, UTC ms"),
    Column("delisted", BigInteger, comment="last moment of trading, UTC ms"),
    _text("title", "what a person calls it; may be empty"),
    Column("extra", JSON, nullable=False, comment="anything else the exchange says, text by name"),
    UniqueConstraint("archetype", "exchange", "tradetype", "base", "quote", "contract"),
    comment="The catalogue: what exchanges list",
)

MARKETS_BY_NAME: Final = tuple(
    Index(f"markets_by_{name}", func.lower(markets.c[name])) for name in ("base", "native_id", "ccxt_symbol")
)
"""By what people call a market, in any case. The database folds it, so that no writer can forget to."""

symbols: Final = Table(
    "symbols",
    metadata,
    _identity(),
    Column("market_id", ForeignKey("markets.id"), nullable=False, comment="markets.id"),
    _text("timeframe", "ccxt's notation, e.g. 1m, 4h, 1M"),
    Column("registered", BigInteger, nullable=False, comment="when it was registered, UTC ms"),
    Column("candle_count", BigInteger, nullable=False, comment="rows in candles, kept by every save and forget"),
    Column("revision_count", BigInteger, nullable=False, comment="times that a later answer changed a candle"),
    UniqueConstraint("market_id", "timeframe"),
    comment="A market in one timeframe",
)

sources: Final = Table(
    "sources",
    metadata,
    _identity(),
    _text("name", "who answered, e.g. binance:rest"),
    Column("rank", Integer, nullable=False, comment="of two answers of one moment the higher rank wins"),
    UniqueConstraint("name", "rank"),
    comment="Where candles and facts come from",
)

candles: Final = Table(
    "candles",
    metadata,
    _symbol_id(primary_key=True),
    Column("open_time", BigInteger, primary_key=True, nullable=False, comment="UTC ms, as the exchange said"),
    *_said(),
    sqlite_with_rowid=False,
    postgresql_partition_by="HASH (symbol_id)",
    comment="Closed candles, as the exchange gave them; read them through v_candles",
)

candle_extras: Final = Table(
    "candle_extras",
    metadata,
    _symbol_id(primary_key=True),
    Column("open_time", BigInteger, primary_key=True, nullable=False, comment="candles.open_time"),
    Column("name", String, primary_key=True, nullable=False, comment="the column, as the provider declares it"),
    _number("value", "its value"),
    sqlite_with_rowid=False,
    comment="Further columns that some exchanges give",
)

revisions: Final = Table(
    "revisions",
    metadata,
    Column(
        "id",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        comment="number by which revision_extras refers to it; of one open time, moment and rank the greatest counts",
    ),
    _symbol_id(),
    Column("open_time", BigInteger, nullable=False, comment="candles.open_time"),
    *_said(),
    comment="What was said of a candle before what stands in candles",
)
Index("revisions_by_candle", revisions.c.symbol_id, revisions.c.open_time)

revision_extras: Final = Table(
    "revision_extras",
    metadata,
    Column("revision_id", ForeignKey("revisions.id"), primary_key=True, nullable=False, comment="revisions.id"),
    Column("name", String, primary_key=True, nullable=False, comment="the column, as the provider declares it"),
    _number("value", "its value"),
    sqlite_with_rowid=False,
    comment="Further columns of replaced statements",
)

coverage: Final = Table(
    "coverage",
    metadata,
    _symbol_id(primary_key=True),
    Column("span_start", BigInteger, primary_key=True, nullable=False, comment="first open time proven, UTC ms"),
    Column("span_end", BigInteger, primary_key=True, nullable=False, comment="end of the proven stretch, exclusive"),
    Column(
        "source_id", ForeignKey("sources.id"), primary_key=True, nullable=False, comment="who proved it: sources.id"
    ),
    Column("state", String, primary_key=True, nullable=False, comment="answered, not-listed or out-of-reach"),
    Column("evidence", String, primary_key=True, nullable=False, comment="how it was proven"),
    Column("answered_at", BigInteger, primary_key=True, nullable=False, comment="the exchange's clock, UTC ms"),
    sqlite_with_rowid=False,
    comment="Facts: which stretches of time were answered for. Only ever added to, except by forget and compact",
)
Index("coverage_by_moment", coverage.c.symbol_id, coverage.c.answered_at)

actions: Final = Table(
    "actions",
    metadata,
    Column("market_id", ForeignKey("markets.id"), primary_key=True, nullable=False, comment="markets.id"),
    Column("at", BigInteger, primary_key=True, nullable=False, comment="first opening on the new terms, UTC ms"),
    Column("kind", String, primary_key=True, nullable=False, comment="split or dividend"),
    _number("value", "shares after for one before; or what is paid for a share, in quote units"),
    _number("close", "of a dividend: the last close before it, as traded", nullable=True),
    Column("answered_at", BigInteger, nullable=False, comment="the exchange's clock when it said so, UTC ms"),
    Column("source_id", ForeignKey("sources.id"), nullable=False, comment="sources.id"),
    sqlite_with_rowid=False,
    comment="What a company did to its shares",
)

V_CANDLES: Final = """
CREATE VIEW v_candles AS
SELECT m.archetype, m.exchange, m.tradetype, m.base, m.quote, m.contract, s.timeframe,
       c.open_time, c.open, c.high, c.low, c.close, c.volume, c.quote_volume, c.trades, c.taker_buy_volume
FROM markets AS m
CROSS JOIN symbols AS s
CROSS JOIN candles AS c
WHERE s.market_id = m.id AND c.symbol_id = s.id
"""
"""Candles with their names. CROSS JOIN fixes the order of loops in SQLite: markets, symbols, then candles by key."""
