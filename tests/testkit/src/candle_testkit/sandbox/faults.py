"""Faults by configuration: scripted ("the next two klines answers of BTCUSDT are empty") or by rate."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from candle_testkit.sandbox.clock import to_ms
from candle_testkit.sandbox.errors import SandboxError
from candle_testkit.sandbox.synth import draw

KLINES: Final = "/api/v3/klines"
#: In place of a fault's path: every route that answers candles, of whichever exchange.
CANDLES: Final = "candles"
_UPBIT_CANDLES: Final = "/v1/candles/"
KRAKEN_CANDLES: Final = "/0/public/OHLC"
OKX_CANDLES: Final = "/api/v5/market/candles"
OKX_HISTORY: Final = "/api/v5/market/history-candles"
YAHOO_CHART: Final = "/v8/finance/chart/"
NAVER_DAYS: Final = "/sise.nhn"

#: Every kind of fault with its options and their defaults.
KINDS: Final[dict[str, dict[str, Any]]] = {
    "lying_empty": {},
    "one_row": {"keep": "last"},
    "short": {"rows": 1, "side": "last"},
    "duplicates": {"rows": None},
    "reordered": {},
    "other_range": {},
    "nan": {"row": -1, "column": 4},
    "stale_open": {},
    "wrong_shape": {"shape": "object"},
    "truncated": {"keep": 0.5},
    "html": {"status": 200},
    "status": {"status": 500},
    "reset": {},
    "slow": {"seconds": 1.0},
    "rate_limited": {"retry_after": 1, "persist": False},
    "banned": {"retry_after": 120, "persist": False},
}
#: Options that take one of a few words.
CHOICES: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("one_row", "keep"): ("first", "last"),
    ("short", "side"): ("first", "last"),
    ("wrong_shape", "shape"): ("object", "short_row", "null_price"),
}


@dataclass
class Fault:
    """One scripted fault: it strikes the next ``times`` requests that match, then is spent.

    A request matches when its path is ``path`` ("candles": every route of candles; "*": every path), its symbol is
    ``symbol`` (None is every symbol) and the span its true answer covers contains the instant ``at`` (None is every
    span).

    Raises:
        SandboxError: Unknown kind or option, or ``times`` below 1.
    """

    kind: str
    times: int = 1
    symbol: str | None = None
    at: Any = None
    path: str = CANDLES
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SandboxError(f"unknown fault {self.kind!r}; the kinds are {', '.join(KINDS)}")
        if self.times < 1:
            raise SandboxError(f"fault {self.kind!r}: times {self.times!r} must be at least 1")
        for name, value in self.options.items():
            if name not in KINDS[self.kind]:
                known = ", ".join(KINDS[self.kind]) or "none"
                raise SandboxError(f"fault {self.kind!r} has no option {name!r}; its options are: {known}")
            if value not in CHOICES.get((self.kind, name), (value,)):
                choices = ", ".join(CHOICES[self.kind, name])
                raise SandboxError(f"fault {self.kind!r}: {name} {value!r} is not one of {choices}")
        self.options = {**KINDS[self.kind], **self.options}
        self.at = None if self.at is None else to_ms(self.at)

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any]) -> Fault:
        """From a TOML or JSON table; keys that are not fields are options of the kind."""
        named = {key: table[key] for key in ("kind", "times", "symbol", "at", "path") if key in table}
        if "kind" not in named:
            raise SandboxError(f"the fault {dict(table)!r} has no 'kind'; the kinds are {', '.join(KINDS)}")
        return cls(**named, options={key: value for key, value in table.items() if key not in named})

    def matches(self, path: str, symbol: str | None, span: tuple[int, int] | None) -> bool:
        """Whether it strikes a request for this path and symbol whose answer covers ``span`` (both ends inclusive)."""
        paths = ("*", path, CANDLES) if answers_candles(path) else ("*", path)
        if self.path not in paths or self.symbol not in (None, symbol):
            return False
        return self.at is None or (span is not None and span[0] <= self.at <= span[1])


@dataclass(frozen=True)
class Faults:
    """Faults a sandbox starts with.

    ``rates`` gives kinds the share of requests for candles they strike (``{"reset": 0.05}``); which ones is decided by
    ``seed`` and the number of the request alone. ``script`` is served first, in order.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    script: Sequence[Fault] = ()
    seed: int = 1

    def __post_init__(self) -> None:
        for kind, rate in self.rates.items():
            if kind not in KINDS:
                raise SandboxError(f"unknown fault {kind!r} in rates; the kinds are {', '.join(KINDS)}")
            if not 0 <= rate <= 1:
                raise SandboxError(f"rate {rate!r} of fault {kind!r} must lie between 0 and 1")
        if sum(self.rates.values()) > 1:
            raise SandboxError(f"the rates {dict(self.rates)!r} add up to more than 1")


def answers_candles(path: str) -> bool:
    """Whether a path is a route of candles."""
    return path in (KLINES, NAVER_DAYS, KRAKEN_CANDLES, OKX_CANDLES, OKX_HISTORY) or path.startswith(
        (_UPBIT_CANDLES, YAHOO_CHART)
    )


class FaultDesk:
    """The faults of a running sandbox. Safe to use from any thread."""

    def __init__(self, faults: Faults) -> None:
        self._lock = threading.Lock()
        self._rates, self._seed = dict(faults.rates), faults.seed
        self._script = [Fault.from_mapping(_table(fault)) for fault in faults.script]
        self._asked = 0

    def script(
        self,
        kind: str,
        times: int = 1,
        symbol: str | None = None,
        *,
        at: Any = None,
        path: str = CANDLES,
        **options: Any,
    ) -> None:
        """Add a scripted fault behind those already waiting.

        Raises:
            SandboxError: See :class:`Fault`.
        """
        fault = Fault(kind, times, symbol, at, path, options)
        with self._lock:
            self._script.append(fault)

    def rates(self, rates: Mapping[str, float], seed: int | None = None) -> None:
        """Replace the rates; the count of requests for candles that decides them begins anew."""
        checked = Faults(rates)
        with self._lock:
            self._rates, self._asked = dict(checked.rates), 0
            self._seed = self._seed if seed is None else seed

    def clear(self) -> None:
        """No more faults of any sort."""
        with self._lock:
            self._script.clear()
            self._rates.clear()

    def waiting(self) -> list[dict[str, Any]]:
        """The scripted faults that are not spent, as tables."""
        with self._lock:
            return [_table(fault) for fault in self._script]

    def pick(self, path: str, symbol: str | None, span: tuple[int, int] | None) -> Fault | None:
        """The fault that strikes this request, if any; spends it."""
        with self._lock:
            number = self._asked
            self._asked += answers_candles(path)
            for fault in self._script:
                if fault.matches(path, symbol, span):
                    fault.times -= 1
                    self._script = [one for one in self._script if one.times > 0]
                    return Fault(fault.kind, 1, symbol, fault.at, path, dict(fault.options))
            return self._by_rate(number) if answers_candles(path) else None

    def _by_rate(self, number: int) -> Fault | None:
        chance = int(draw(self._seed, 900, np.array([number]))[0]) / 2**64
        for kind, rate in self._rates.items():
            if chance < rate:
                return Fault(kind)
            chance -= rate
        return None


def _table(fault: Fault) -> dict[str, Any]:
    return {
        "kind": fault.kind, "times": fault.times, "symbol": fault.symbol, "at": fault.at, "path": fault.path,
        **fault.options,
    }  # fmt: skip
