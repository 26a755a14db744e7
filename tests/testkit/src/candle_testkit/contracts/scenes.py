"""The exchanges on which providers are checked: markets, a moment, and what is special about each wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from candle_hookspecs import Span, to_ms
from candle_testkit.sandbox import Limits, MarketConfig, OffGrid, Sandbox, SandboxConfig

NOW: Final = to_ms("2024-03-10T12:34:30.500")
HOLE: Final = Span.of("2024-02-01T12:00", "2024-02-02T13:00")
"""1,500 minutes without a row: longer than a page."""
DOUBLED: Final = to_ms("2024-02-01T09:00")
"""A minute with two rows, the second of them off the grid, where the exchange has such rows."""
DAY: Final = Span.of("2024-01-20", "2024-01-21")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One exchange of the sandbox, as the checks use it.

    Attributes:
        markets: `main` is dense, with a hole, a quiet stretch of 45 minutes (2024-02-01T10:00) and, where the exchange
            has them, rows off the grid; `other` trades against another quote; `ended` was delisted on
            2024-02-20T01:00. All three by native id. The last two are listed in the market's own time.
        absent: the native id of a market that never was.
        meter: the provider's name for the limit that candles are charged to; own_meter: the one of listings and
            warm-up.
        walk: minutes of `main` with a row from 899 before `DOUBLED` to 500 behind `HOLE`, doubled ones twice.
        forgets: a delisted market is known no more, and its history with it.
        tells_steps: the listing has `price_tick` and `amount_step`.
        waits: fault → seconds that the provider must tell, where the wire does not say them as they are.
    """

    markets: tuple[MarketConfig, ...]
    main: str
    other: str
    ended: str
    absent: str
    meter: str
    own_meter: str
    walk: int
    forgets: bool = False
    tells_steps: bool = True
    waits: Mapping[str, float] = field(default_factory=dict)

    @property
    def listed(self) -> dict[str, MarketConfig]:
        """The markets that a listing has, by native id."""
        return {one.symbol: one for one in self.markets if not (self.forgets and one.delisted)}

    @property
    def trading(self) -> set[str]:
        """Native ids of the markets that trade."""
        return {one.symbol for one in self.markets if not one.delisted}

    def open(self) -> Sandbox:
        """The exchange, with a clock that stands still at `NOW`; requests a second are counted and never refused."""
        return Sandbox(SandboxConfig(markets=self.markets, clock=NOW, speed=0, limits=Limits(group=None)))


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
