"""A listing, and the markets in it by their names."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from candle_hookspecs import CandleError, Market


class Names:
    """A listing, taken apart.

    Args:
        value: as it stands in the cache.
        markets: what it says.
    """

    def __init__(self, value: bytes, markets: Sequence[Market]) -> None:
        self.value = value
        self.markets = tuple(markets)
        self._by_name: dict[str, list[Market]] = {}
        for market in markets:
            for name in {market.ccxt_symbol.casefold(), market.native_id.casefold()}:
                self._by_name.setdefault(name, []).append(market)

    def find(self, tradetype: str | None, name: str | None) -> tuple[Market, ...]:
        """The markets that answer to the name; None: all."""
        found = self.markets if name is None else self._by_name.get(name.casefold(), ())
        return tuple(market for market in found if tradetype in (None, market.tradetype))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What an exchange lists.

    Attributes:
        exchange: lower case.
        markets: all of them, in the exchange's order.
        at: when it was answered, UTC ms.
        fresh: whether it is still believed; if not, it stands in for an exchange that does not answer.
        asked: whether the exchange was asked for it just now.
        error: why there is nothing newer, where something newer was wanted.
    """

    exchange: str
    at: int
    fresh: bool
    asked: bool = False
    error: CandleError | None = None
    names: Names = field(repr=False)

    @property
    def markets(self) -> tuple[Market, ...]:
        """All of them."""
        return self.names.markets

    def find(self, tradetype: str | None, name: str | None) -> tuple[Market, ...]:
        """The markets that answer to a name: ccxt's symbol or the exchange's own, in any case; all to None."""
        return self.names.find(tradetype, name)
