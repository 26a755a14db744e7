"""The exchanges on which providers are checked: markets, a moment, and what is special about each wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from candle_hookspecs import Span, to_ms
from candle_testkit.sandbox import (
    Dividend,
    Limits,
    MarketConfig,
    OffGrid,
    Sandbox,
    SandboxConfig,
    Split,
    StockConfig,
)
from candle_testkit.sandbox.stocks_config import VENUES

MINUTE: Final = 60_000
NOW: Final = to_ms("2024-03-10T12:34:30.500")
HOLE: Final = Span.of("2024-02-01T12:00", "2024-02-02T13:00")
"""1,500 minutes without a row: longer than a page."""
DOUBLED: Final = to_ms("2024-02-01T09:00")
"""A minute with two rows, the second of them off the grid, where the exchange has such rows."""
DAY: Final = Span.of("2024-01-20", "2024-01-21")
WALKED: Final = Span(DOUBLED - 899 * MINUTE, HOLE.end + 500 * MINUTE)
ABSENCES: Final[Mapping[str, tuple[str, Span]]] = {
    "hole": ("main", Span(HOLE.start - 5 * MINUTE, HOLE.end + 5 * MINUTE)),
    "in-hole": ("main", HOLE),
    "deep-in-hole": ("main", Span(HOLE.start + MINUTE, HOLE.start + 9 * MINUTE)),
    "unlisted": ("newest", Span.of("2022-12-14", "2022-12-14T12:00")),
    "listing": ("newest", Span.of("2022-12-15T09:00", "2022-12-15T10:30")),
    "delisting": ("ended", Span.of("2024-02-20T00:30", "2024-02-20T02:00")),
    "delisted": ("ended", Span.of("2024-02-21", "2024-02-22")),
    "future": ("main", Span(NOW + 60 * MINUTE, NOW + 90 * MINUTE)),
}
"""Where candles are absent: the role of a market, and a stretch of minutes."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What a listing must say of a market.

    Attributes:
        symbol: ccxt's, or the bare ticker of a stock.
        tick, step: exact decimals; None where the wire does not tell them.
        trading: it trades at the scene's moment.
    """

    base: str
    quote: str
    symbol: str
    tick: str | None = None
    step: str | None = None
    trading: bool = True


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One exchange of the sandbox, as the checks use it.

    Where nothing else is said, it trades round the clock in pairs, and its moments are those at the top of this module.

    Attributes:
        markets: `main` is dense, with a hole, a quiet stretch of 45 minutes (2024-02-01T10:00) and, where the exchange
            has them, rows off the grid; `other` trades against another quote; `ended` was delisted on
            2024-02-20T01:00. All three by native id. The last two are listed in the market's own time.
        newest: the native id of the market whose beginning is looked at; `main` when it is empty.
        absent: the native id of a market that never was.
        meter: the provider's name for the limit that candles are charged to, None where the wire tells nothing of
            what was spent; own_meter: the one of listings and warm-up.
        now: the moment, UTC ms; half a second after a whole one, and `main` trades.
        day: a stretch in which `main` has hundreds of candles, all of them a minute from the next.
        walked: a stretch with gaps of every kind; walk: minutes of `main` with a row in it, doubled ones twice.
        absences: a stretch for every case of `ABSENCES`.
        reach: timeframe → milliseconds that the exchange looks back; what is not here has no bound.
        live: timeframes whose open candle the exchange tells as a last trade, no candle; a page leaves it out.
        requests: most requests that one `candle_fetch` may send, where one answer does not tell all that a page needs.
            The first answers with the candles; the others pass the budget's gate.
        forgets: a delisted market is known no more, and its history with it.
        tells_steps: the listing has `price_tick` and `amount_step`.
        tells_bans: a ban looks other than a slowdown.
        pads: decimals on the wire have eight places; else they are as short as they can be.
        reconnects: the kind of client that the exchange wants sends a request again on a new connection when a kept one
            breaks before the first byte, as RFC 9110, 9.2.2 allows; a reset is then two.
        waits: fault → seconds that the provider must tell, where the wire does not say them as they are.
    """

    markets: tuple[MarketConfig, ...] = ()
    main: str
    other: str
    ended: str
    absent: str
    newest: str = ""
    meter: str | None
    own_meter: str
    now: int = NOW
    day: Span = DAY
    walked: Span = WALKED
    walk: int
    absences: Mapping[str, tuple[str, Span]] = field(default_factory=lambda: ABSENCES)
    reach: Mapping[str, int] = field(default_factory=dict)
    live: frozenset[str] = frozenset()
    requests: int = 1
    forgets: bool = False
    tells_steps: bool = True
    tells_bans: bool = True
    pads: bool = True
    reconnects: bool = False
    waits: Mapping[str, float] = field(default_factory=dict)

    @property
    def listed(self) -> dict[str, Listed]:
        """The markets that a listing has, by native id."""
        return {
            one.symbol: Listed(
                base=one.base, quote=one.quote, symbol=f"{one.base}/{one.quote}", trading=one.delisted is None,
                tick=one.tick if self.tells_steps else None, step=one.step if self.tells_steps else None,
            )
            for one in self.markets
            if not (self.forgets and one.delisted)
        }  # fmt: skip

    @property
    def trading(self) -> set[str]:
        """Native ids of the markets that trade."""
        return {native_id for native_id, one in self.listed.items() if one.trading}

    def name(self, role: str) -> str:
        """The native id of the market in a role: `main`, `other`, `ended`, `newest`."""
        return getattr(self, role) or self.main

    def open(self) -> Sandbox:
        """The exchange, with a clock that stands still at `now`; requests are counted and never refused."""
        return Sandbox(SandboxConfig(markets=self.markets, clock=self.now, speed=0, limits=Limits(group=None)))


@dataclass(frozen=True, kw_only=True)
class StockScene(Scene):
    """One exchange of stocks: sessions, tickers alone for names, prices that the wire tells in the shares of now.

    Attributes:
        stocks: ticker as its exchange writes it → the stock, by Yahoo's name. `main` has a split and a dividend
            between `day` and `now`.
        elsewhere: what other exchanges have.
    """

    stocks: Mapping[str, StockConfig]
    elsewhere: tuple[StockConfig, ...] = ()

    @property
    def listed(self) -> dict[str, Listed]:
        """Those that trade, by Yahoo's name."""
        return {
            one.symbol: Listed(base=ticker, quote=VENUES[one.venue].currency, symbol=ticker)
            for ticker, one in self.stocks.items()
            if one.delisted is None
        }

    def open(self) -> Sandbox:
        """The exchange and the others, with a clock that stands still at `now`; requests are never refused."""
        stocks = (*self.stocks.values(), *self.elsewhere)
        limits = Limits(yahoo=None)
        return Sandbox(SandboxConfig(markets=(), stocks=stocks, clock=self.now, speed=0, limits=limits))


_MAIN: Final = MarketConfig(
    "BTCUSDT", "BTC", "USDT", price="42000", turnover="300000000", listed="2022-12-15T10:00",
    holes=[("2024-02-01T12:00", "2024-02-02T13:00")], quiet=[("2024-02-01T10:00", "2024-02-01T10:45")],
    off_grid=[
        OffGrid("1m", "2024-02-01T11:59", 4_789), OffGrid("1m", DOUBLED, 30_000, extra=True),
        OffGrid("1m", "2024-02-02T13:00", 17_001),
    ],
)  # fmt: skip
_ENDED: Final = MarketConfig(
    "LUNAUSDT", "LUNA", "USDT", tick="0.0001", step="0.01", price="40", listed="2022-12-15T10:00",
    delisted="2024-02-20T01:00",
)  # fmt: skip
_OTHER: Final = MarketConfig(
    "ETHBTC", "ETH", "BTC", tick="0.00001", step="0.001", price="0.06", turnover="500", trades=5_000
)  # fmt: skip

BINANCE: Final = Scene(
    markets=(_MAIN, _ENDED, _OTHER), main="BTCUSDT", other="ETHBTC", ended="LUNAUSDT", absent="GONEUSDT",
    meter="weight", own_meter="weight", walk=899 + 181 + 500,
)  # fmt: skip
"""Binance spot: counts from either end, has a flat row where nothing was traded."""

UPBIT: Final = Scene(
    markets=(
        replace(
            _MAIN, symbol="KRW-BTC", quote="KRW", tick="1000", step="0.00000001", price="42000000",
            turnover="50000000", trades=5_000_000, off_grid=(), exchange="UPBIT",
        ),
        replace(_ENDED, symbol="KRW-LUNA", quote="KRW", exchange="UPBIT"),
        replace(_OTHER, symbol="BTC-ETH", exchange="UPBIT"),
    ),
    main="KRW-BTC", other="BTC-ETH", ended="KRW-LUNA", absent="KRW-GONE", meter="candles", own_meter="market",
    # Of the three hours between `DOUBLED` and `HOLE` three quarters of one were quiet.
    walk=899 + 180 - 45 + 500,
    forgets=True, tells_steps=False, waits={"rate_limited": 1},
)  # fmt: skip
"""Upbit: counts from the end alone, leaves out what did not trade, forgets what is delisted."""

_DAYS: Final = 1_440 * MINUTE
_REACH: Final = {"1m": 30 * _DAYS, "2m": 60 * _DAYS, "90m": 60 * _DAYS, "1h": 730 * _DAYS}
_APPLE: Final = StockConfig("AAPL", "NMS", "Apple Inc.", "190", volume=60_000_000, trades=600_000)
_BUSINESS_MACHINES: Final = StockConfig(
    "IBM", "NYQ", "International Business Machines", "190", volume=60_000_000, trades=600_000,
    # Nothing trades from Thursday, half an hour before the close, to Monday, an hour after the open: that is the hole.
    halts=[("2024-03-07T20:30", "2024-03-11T14:30")], nulls=[("2024-03-11T15:00", "2024-03-11T15:45")],
    splits=[Split("2024-03-14", "4:1")], dividends=[Dividend("2024-03-13", "0.82")],
)  # fmt: skip
_SAMSUNG: Final = StockConfig(
    "005930.KS", "KSC", "Samsung Electronics Co., Ltd.", "70000", "100", 15_000_000, 5_000_000,
    halts=[("2024-03-07T06:00", "2024-03-11T01:00")], nulls=[("2024-03-11T01:30", "2024-03-11T02:15")],
    splits=[Split("2024-03-14", "50:1")], dividends=[Dividend("2024-03-13", "361")],
)  # fmt: skip

YAHOO: Final = StockScene(
    stocks={
        "IBM": _BUSINESS_MACHINES,
        "BRK.B": StockConfig("BRK-B", "NYQ", "Berkshire Hathaway Inc.", "400", volume=4_000_000),
        "NEW": StockConfig("NEW", "NYQ", "New Company Inc.", "25", listed="2024-03-13"),
        "TWTR": StockConfig("TWTR", "NYQ", "Twitter, Inc.", "40", listed="2013-11-07", delisted="2024-03-06"),
        "FND": StockConfig("FND", "NYQ", "A Fund", "80", kind="ETF"),
    },
    elsewhere=(_APPLE, _SAMSUNG),
    main="IBM", other="BRK-B", ended="TWTR", newest="NEW", absent="GONE", meter=None, own_meter="requests",
    now=to_ms("2024-03-15T15:34:30.500"), day=Span.of("2024-03-12T13:30", "2024-03-12T20:00"),
    # Across the hole, a weekend in which summer time began, 45 minutes told as nulls, one in which nobody traded, and
    # a night.
    walked=Span.of("2024-03-07T14:30", "2024-03-12T20:00"), walk=360 + (330 - 45 - 1) + 390,
    absences={
        "hole": ("main", Span.of("2024-03-07T20:25", "2024-03-11T14:35")),
        "in-hole": ("main", Span.of("2024-03-07T20:30", "2024-03-11T14:30")),
        "deep-in-hole": ("main", Span.of("2024-03-09", "2024-03-10")),
        "unlisted": ("newest", Span.of("2024-03-01T15:00", "2024-03-01T20:00")),
        "listing": ("newest", Span.of("2024-03-13T13:00", "2024-03-13T14:30")),
        "delisting": ("ended", Span.of("2024-03-05T20:30", "2024-03-06T15:00")),
        "delisted": ("ended", Span.of("2024-03-07T15:00", "2024-03-07T16:00")),
        "future": ("main", Span.of("2024-03-15T16:34", "2024-03-15T17:04")),
    },
    reach=_REACH, live=frozenset({"1d"}), requests=2,
    forgets=True, tells_steps=False, tells_bans=False, pads=False, reconnects=True,
    waits={"rate_limited": 60, "banned": 60},
)  # fmt: skip
"""New York by Yahoo's chart: counts from the start alone, by time and not by rows, and looks back so far."""

KRX: Final = replace(
    YAHOO,
    stocks={
        "005930": _SAMSUNG,
        "000660": StockConfig("000660.KS", "KSC", "SK hynix Inc.", "130000", "100", 3_000_000),
        "247540": StockConfig(
            "247540.KQ", "KOE", "ECOPROBM CO., LTD.", "200000", "100", 900_000, listed="2024-03-13"
        ),
        "003550": StockConfig("003550.KS", "KSC", "LG Corp.", "80000", "100", 900_000, delisted="2024-03-06"),
    },
    elsewhere=(_APPLE,),
    main="005930.KS", other="000660.KS", ended="003550.KS", newest="247540.KQ", absent="999999.KS",
    now=to_ms("2024-03-15T02:34:30.500"), day=Span.of("2024-03-12T00:00", "2024-03-12T06:30"),
    walked=Span.of("2024-03-07T00:00", "2024-03-12T06:30"), walk=360 + (330 - 45) + 390,
    absences={
        "hole": ("main", Span.of("2024-03-07T05:55", "2024-03-11T01:05")),
        "in-hole": ("main", Span.of("2024-03-07T06:00", "2024-03-11T01:00")),
        "deep-in-hole": ("main", Span.of("2024-03-09", "2024-03-10")),
        "unlisted": ("newest", Span.of("2024-03-01T01:00", "2024-03-01T05:00")),
        "listing": ("newest", Span.of("2024-03-12T23:30", "2024-03-13T01:00")),
        "delisting": ("ended", Span.of("2024-03-05T06:00", "2024-03-06T01:00")),
        "delisted": ("ended", Span.of("2024-03-07T01:00", "2024-03-07T02:00")),
        "future": ("main", Span.of("2024-03-15T03:34", "2024-03-15T04:04")),
    },
)  # fmt: skip
"""Seoul by Yahoo's chart: native ids are tickers with the board's ending."""
