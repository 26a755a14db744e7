"""What a session needs before its first request."""

from dataclasses import dataclass, field

from candle_hookspecs.symbols import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupScope:
    """How much to prepare.

    Attributes:
        markets: also list the markets (of `tradetypes`; empty: all). Otherwise one cheap request at most.
    """

    markets: bool = False
    tradetypes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketInfo:
    """What a warm-up found.

    Attributes:
        server_time: the exchange's clock, UTC ms, never later than it truly was; None when it could not be read.
        local_time: `PluginContext.clock` after the answer, UTC ms, so that the difference never runs ahead of the
            exchange.
        markets: the listing, if it was asked for.
    """

    server_time: int | None
    local_time: int
    markets: tuple[Market, ...] = field(default=())
