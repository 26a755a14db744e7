"""What a company does to its shares: splits and dividends."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from candle_hookspecs.errors import BadInputError
from candle_hookspecs.symbols import Symbol
from candle_hookspecs.times import Span


class ActionKind(StrEnum):
    """What happened to each share."""

    SPLIT = "split"
    DIVIDEND = "dividend"


@dataclass(frozen=True, slots=True, order=True)
class Action:
    """A split or a dividend of a market.

    Attributes:
        at: the first opening at which shares trade on the new terms (the ex-date), UTC ms.
        value: SPLIT: shares held afterwards for each one before, 4.0 for 4:1, 0.1 for a reverse split 1:10.
            DIVIDEND: paid for each share, in quote units, in the shares of its day.
        close: DIVIDEND: the last close before `at`, as traded; None: not known.
    """

    at: int
    kind: ActionKind
    value: float
    close: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.value < float("inf"):
            raise BadInputError(f"the value of a {self.kind.value} is a positive number, not {self.value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionQuery:
    """Which actions of a market to read: by the identity of the market's symbols, in a span of `at`; None: all."""

    archetype: str
    exchange: str
    tradetype: str
    base: str
    quote: str
    contract: str = ""
    span: Span | None = None

    @classmethod
    def of(cls, symbol: Symbol, span: Span | None = None) -> Self:
        """The actions of a symbol's market."""
        return cls(
            archetype=symbol.archetype, exchange=symbol.exchange, tradetype=symbol.tradetype, base=symbol.base,
            quote=symbol.quote, contract=symbol.contract, span=span,
        )  # fmt: skip
