"""What a sandbox is made of: markets, clock, limits, faults; in Python or in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from candle_testkit.sandbox.checking import UNITS, checked, decimal_of, units_of
from candle_testkit.sandbox.clock import to_ms
from candle_testkit.sandbox.errors import SandboxError
from candle_testkit.sandbox.faults import Fault, Faults
from candle_testkit.sandbox.limits import Limits
from candle_testkit.sandbox.stocks_config import StockConfig, YahooConfig
from candle_testkit.sandbox.timeframes import TIMEFRAMES

Instant = int | str | datetime

# Quote units a day beyond which the sums of a month would leave int64.
_MOST_TURNOVER: Final = Decimal(500_000_000)
#: The exchanges whose wires the sandbox speaks.
BINANCE: Final = "BINANCE"
UPBIT: Final = "UPBIT"
KRAKEN: Final = "KRAKEN"
OKX: Final = "OKX"
# Upbit has years, which sum up twelve times as much.
_TURNOVERS: Final = {
    BINANCE: _MOST_TURNOVER, UPBIT: _MOST_TURNOVER / 10, KRAKEN: _MOST_TURNOVER, OKX: _MOST_TURNOVER,
}  # fmt: skip
_STATUSES: Final = ("TRADING", "END_OF_DAY", "HALT", "BREAK", "CANCEL_ONLY")


@dataclass(frozen=True)
class OffGrid:
    """A row that opens ``offset_ms`` late: in place of the row of its slot or, with ``extra``, in addition to it."""

    timeframe: str
    slot: Instant
    offset_ms: int
    extra: bool = False

    def __post_init__(self) -> None:
        if self.timeframe not in TIMEFRAMES:
            raise SandboxError(f"off_grid timeframe {self.timeframe!r} is not one of {', '.join(TIMEFRAMES)}")
        grid = TIMEFRAMES[self.timeframe]
        slot = grid.slot(self.slot_ms)
        if grid.open(slot) != self.slot_ms:
            raise SandboxError(f"off_grid slot {self.slot!r} is not on the {self.timeframe} grid")
        if not 0 < self.offset_ms < grid.open(slot + 1) - self.slot_ms:
            raise SandboxError(f"off_grid offset_ms {self.offset_ms!r} does not lie inside one {self.timeframe} slot")

    @property
    def slot_ms(self) -> int:
        """Opening instant of the slot on the grid, UTC ms."""
        return to_ms(self.slot)


@dataclass(frozen=True)
class MarketConfig:
    """One market. ``price``, ``turnover`` (quote currency a day) and ``trades`` (a day) set the scale of its prices.

    Upbit leaves out what did not trade, so there ``trades`` is how often there is a candle: one trade a day is one bar.
    ``holes`` and ``quiet`` are half-open spans of instants; in a hole there are no rows, in a quiet stretch flat ones.
    Instants are UTC milliseconds, ISO 8601 text or datetimes, on whole seconds.

    Raises:
        SandboxError: A value is wrong; the message names it.
    """

    symbol: str
    base: str
    quote: str
    tick: str = "0.01"
    step: str = "0.00001"
    price: str = "100"
    turnover: str = "1000000"
    trades: int = 100_000
    status: str = "TRADING"
    listed: Instant = "2017-08-17T04:00"
    delisted: Instant | None = None
    holes: Sequence[tuple[Instant, Instant]] = ()
    quiet: Sequence[tuple[Instant, Instant]] = ()
    off_grid: Sequence[OffGrid] = ()
    permissions: Sequence[str] = ("SPOT",)
    exchange: str = BINANCE

    def __post_init__(self) -> None:
        self._check_names()
        self._check_scale()
        self._check_times()

    def _check_names(self) -> None:
        if self.exchange not in _TURNOVERS:
            raise SandboxError(f"{self.symbol}: exchange {self.exchange!r} is not one of {', '.join(_TURNOVERS)}")
        if self.exchange == UPBIT and self.symbol != f"{self.quote}-{self.base}":
            raise SandboxError(f"{self.symbol}: Upbit calls this market {f'{self.quote}-{self.base}'!r}")
        if self.exchange == UPBIT and self.off_grid:
            raise SandboxError(f"{self.symbol}: Upbit has no rows off the grid")
        if self.status not in _STATUSES:
            raise SandboxError(f"{self.symbol}: status {self.status!r} is not one of {', '.join(_STATUSES)}")

    def _check_scale(self) -> None:
        if self.tick_units * self.step_units % UNITS:
            raise SandboxError(f"{self.symbol}: tick {self.tick!r} times step {self.step!r} is finer than 8 decimals")
        if self.price_ticks < 1 or self.trades < 1:
            raise SandboxError(f"{self.symbol}: price {self.price!r} must be at least one tick, trades at least 1")
        turnover, most = decimal_of(self.turnover, "turnover"), _TURNOVERS[self.exchange]
        if not 0 < turnover <= most:
            raise SandboxError(f"{self.symbol}: turnover {self.turnover!r} must lie between 0 and {most:f}")
        if (coins := turnover / decimal_of(self.price, "price")) > most:
            raise SandboxError(
                f"{self.symbol}: turnover {self.turnover!r} at {self.price!r} is {coins:f} coins a day,"
                f" more than {most:f}"
            )

    def _check_times(self) -> None:
        stretches = (*self.hole_spans, *self.quiet_spans)
        instants = [self.listed_ms, *(edge for span in stretches for edge in span)]
        if self.delisted_ms is not None:
            instants.append(self.delisted_ms)
        for instant in instants:
            if instant < 0 or instant % 1000:
                raise SandboxError(f"{self.symbol}: instant {instant!r} ms must be a whole second since 1970")
        for start, end in stretches:
            if start >= end:
                raise SandboxError(f"{self.symbol}: the stretch {(start, end)!r} ends before it starts")
        if self.delisted_ms is not None and self.delisted_ms <= self.listed_ms:
            raise SandboxError(f"{self.symbol}: delisted {self.delisted!r} is not after listed {self.listed!r}")

    @property
    def listed_ms(self) -> int:
        """First instant of trading, UTC ms."""
        return to_ms(self.listed)

    @property
    def delisted_ms(self) -> int | None:
        """End of trading, UTC ms; None while it goes on."""
        return None if self.delisted is None else to_ms(self.delisted)

    @property
    def hole_spans(self) -> list[tuple[int, int]]:
        """Holes in UTC ms, half-open."""
        return [(to_ms(start), to_ms(end)) for start, end in self.holes]

    @property
    def quiet_spans(self) -> list[tuple[int, int]]:
        """Quiet stretches in UTC ms, half-open."""
        return [(to_ms(start), to_ms(end)) for start, end in self.quiet]

    @property
    def tick_units(self) -> int:
        """One price tick in units of 1e-8."""
        return units_of(self.tick, "tick")

    @property
    def step_units(self) -> int:
        """One volume step in units of 1e-8."""
        return units_of(self.step, "step")

    @property
    def quote_units(self) -> int:
        """One tick times one step, in units of 1e-8."""
        return self.tick_units * self.step_units // UNITS

    @property
    def price_ticks(self) -> int:
        """The price around which history swings, in ticks."""
        return int(decimal_of(self.price, "price") * UNITS / self.tick_units)

    @property
    def daily_steps(self) -> int:
        """Volume of one flow (bought or sold) on an average day, in steps."""
        return int(decimal_of(self.turnover, "turnover") * UNITS / self.quote_units / self.price_ticks / 2) + 1

    @property
    def daily_trades(self) -> int:
        """Trades on an average day; no more than there are steps to trade."""
        return min(self.trades, self.daily_steps)

    def status_at(self, now: int) -> str:
        """The status the exchange shows: BREAK once delisted, else as configured."""
        return "BREAK" if self.delisted_ms is not None and self.delisted_ms <= now else self.status

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any]) -> MarketConfig:
        """From a TOML table, with the same keys."""
        values = dict(checked(table, cls, "markets"))
        off_grid = [OffGrid(**checked(row, OffGrid, "markets.off_grid")) for row in values.pop("off_grid", ())]
        for key in ("holes", "quiet"):
            values[key] = tuple((start, end) for start, end in values.get(key, ()))
        return cls(**values, off_grid=tuple(off_grid))


@dataclass(frozen=True)
class SandboxConfig:
    """Everything a sandbox can be told before it starts; all of it has a default.

    ``markets`` is a number (of Binance's default markets, then of generated ones; a few of Upbit, Kraken and OKX come
    with them) or the markets themselves.
    ``stocks`` is likewise a number, of known tickers and then of generated ones, or the stocks themselves.
    ``clock`` is the instant at which the sandbox's clock starts; None follows the machine's.
    """

    markets: int | Sequence[MarketConfig] = 20
    stocks: int | Sequence[StockConfig] = 20
    yahoo: YahooConfig = field(default_factory=YahooConfig)
    seed: int = 1
    clock: Instant | None = None
    speed: float = 1.0
    limits: Limits = field(default_factory=Limits)
    faults: Faults = field(default_factory=Faults)
    latency_ms: int = 0
    gzip: bool = True
    host: str = "127.0.0.1"
    port: int = 0

    def __post_init__(self) -> None:
        for name in ("seed", "latency_ms", "port"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 0:
                raise SandboxError(f"{name} {getattr(self, name)!r} must be a whole number, 0 or more")
        if not isinstance(self.speed, (int, float)):
            raise SandboxError(f"speed {self.speed!r} must be a number: sandbox seconds per real second")

    @classmethod
    def load(cls, path: str | Path) -> SandboxConfig:
        """Read a TOML file: the fields above as keys, ``[limits]``, ``[faults]`` and ``[[markets]]`` as tables.

        Raises:
            SandboxError: The file is absent, no TOML, or has an unknown key or a wrong value.
        """
        try:
            table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise SandboxError(f"cannot read the sandbox configuration {str(path)!r}: {error.strerror}") from error
        except tomllib.TOMLDecodeError as error:
            raise SandboxError(f"{str(path)!r} is not TOML: {error}") from error
        try:
            return cls._from_mapping(table)
        except SandboxError:
            raise
        except (TypeError, ValueError, AttributeError) as error:
            raise SandboxError(f"{str(path)!r}: a value has the wrong type: {error}") from error

    @classmethod
    def _from_mapping(cls, table: Mapping[str, Any]) -> SandboxConfig:
        values = dict(checked(table, cls, "top level"))
        if isinstance(values.get("markets"), list):
            values["markets"] = tuple(MarketConfig.from_mapping(market) for market in values["markets"])
        if isinstance(values.get("stocks"), list):
            values["stocks"] = tuple(StockConfig.from_mapping(stock) for stock in values["stocks"])
        if "yahoo" in values:
            values["yahoo"] = YahooConfig(**checked(values["yahoo"], YahooConfig, "yahoo"))
        if "limits" in values:
            values["limits"] = Limits(**checked(values["limits"], Limits, "limits"))
        if "faults" in values:
            faults = dict(checked(values["faults"], Faults, "faults"))
            faults["script"] = [Fault.from_mapping(fault) for fault in faults.get("script", ())]
            values["faults"] = Faults(**faults)
        return cls(**values)
