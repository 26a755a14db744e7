"""What is traded: a `Market` is what an exchange lists, a `Symbol` is a market in one timeframe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Self

from candle_hookspecs.errors import BadInputError
from candle_hookspecs.ticks import PRICE_TICKS, TickTable


class MarketStatus(StrEnum):
    """Whether new candles are to be expected."""

    TRADING = "TRADING"
    HALTED = "HALTED"  # paused; may come back
    CLOSED = "CLOSED"  # delisted, delivered or settled; its history may still be served
    UNKNOWN = "UNKNOWN"


def _escape(part: str) -> str:
    return part.replace("%", "%25").replace("-", "%2D")


def _unescape(part: str) -> str:
    return part.replace("%2D", "-").replace("%25", "%")


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """A market in one timeframe.

    Attributes:
        archetype: ``CRYPTO`` or ``STOCK``; upper case.
        exchange: upper case, e.g. ``BINANCE``; lower-cased it is the provider's name.
        tradetype: ``SPOT``, ``SWAP`` (perpetual) or ``FUTURE`` (dated); upper case.
        base, quote: as the exchange's unified name spells them.
        timeframe: ccxt's notation, e.g. ``1m``, ``4h``, ``1M``.
        contract: expiry code of a dated future (``261225``), else empty.
    """

    archetype: str
    exchange: str
    tradetype: str
    base: str
    quote: str
    timeframe: str
    contract: str = ""

    def __post_init__(self) -> None:
        for name in ("archetype", "exchange", "tradetype", "base", "quote", "timeframe"):
            if not getattr(self, name):
                raise BadInputError(f"a symbol needs its {name!r}: {self!r}")

    def __str__(self) -> str:
        """``CRYPTO-BINANCE-SPOT-BTC-USDT-1m[-contract]``.

        A ``-`` inside a part is written ``%2D``, a ``%`` is ``%25``.
        """
        parts = [self.archetype, self.exchange, self.tradetype, self.base, self.quote, self.timeframe]
        return "-".join(_escape(part) for part in (*parts, *([self.contract] if self.contract else [])))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The symbol that `str` printed.

        Raises:
            BadInputError: not six or seven parts.
        """
        parts = [_unescape(part) for part in text.split("-")]
        if len(parts) not in (6, 7):
            raise BadInputError(f"{text!r} is not a symbol; it looks like 'CRYPTO-BINANCE-SPOT-BTC-USDT-1m'")
        return cls(*parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What an exchange lists, with what a trader must know before the first order.

    Attributes:
        native_id: the exchange's own name on the wire (``BTCUSDT``, ``KRW-BTC``).
        ccxt_symbol: ccxt's unified name (``BTC/USDT``, ``BTC/USDT:USDT``); for stocks the bare ticker.
        price_tick, amount_step: smallest steps, exact; None when the exchange does not say.
        min_amount, max_amount, min_price, max_price, min_notional: order limits in base, quote, quote units; None: no
            limit known.
        listed, delisted: first and last moment of trading, UTC ms; None when the exchange does not say.
        title: what a person calls it (``Apple Inc.``, ``비트코인``); may be empty.
        extra: anything else worth keeping, as text; under ``price_ticks`` the text of a `TickTable`, where the smallest
            step depends on the price or has changed.
    """

    archetype: str
    exchange: str
    tradetype: str
    base: str
    quote: str
    contract: str = ""
    settle: str = ""
    native_id: str
    ccxt_symbol: str
    status: MarketStatus = MarketStatus.UNKNOWN
    price_tick: Decimal | None = None
    amount_step: Decimal | None = None
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    min_notional: Decimal | None = None
    listed: int | None = None
    delisted: int | None = None
    title: str = ""
    extra: Mapping[str, str] = field(default_factory=dict, hash=False)

    def symbol(self, timeframe: str) -> Symbol:
        """This market in one timeframe."""
        return Symbol(self.archetype, self.exchange, self.tradetype, self.base, self.quote, timeframe, self.contract)

    @property
    def tick_table(self) -> TickTable | None:
        """How finely prices are told, also where that depends on the price; None when the exchange does not say.

        Raises:
            BadInputError: what stands in `extra` is no table, or `price_tick` is not above 0.
        """
        if text := self.extra.get(PRICE_TICKS):
            return TickTable.parse(text)
        return None if self.price_tick is None else TickTable.single(self.price_tick)

    def answers_to(self, name: str) -> bool:
        """Whether a user may mean this market by `name`: ccxt's symbol or the native id, in any case."""
        return name.casefold() in (self.ccxt_symbol.casefold(), self.native_id.casefold())
