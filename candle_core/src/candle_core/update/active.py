"""What an exchange lists, registered and collected from its beginning to the last closed candle."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from candle_core.kernel import Kernel
from candle_core.provider import Provider
from candle_core.timeframes import Grid
from candle_core.update.account import ProgressCallback
from candle_core.update.buffer import BUFFER_SIZE
from candle_core.update.due import beginning
from candle_core.update.run import Update
from candle_hookspecs import (
    BadInputError,
    Market,
    MarketQuery,
    MarketStatus,
    ProviderError,
    Registration,
    SymbolQuery,
    SymbolRecord,
    UpdateResult,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateWish:
    """What an active update is to bring.

    Attributes:
        exchange, tradetype: upper case.
        timeframes: each market in all of them.
        base, quote, status: which markets; None: any.
        count: so many of them, the first by name; None: all.
        start: UTC ms; None: from each market's beginning.
    """

    exchange: str
    tradetype: str
    timeframes: tuple[str, ...]
    base: str | None = None
    quote: str | None = None
    status: MarketStatus | None = None
    count: int | None = None
    start: int | None = None

    def wants(self, market: Market) -> bool:
        """Whether a listed market is meant."""
        return (
            self.status in (None, market.status)
            and _same(self.base, market.base)
            and _same(self.quote, market.quote)
            and _same(self.tradetype, market.tradetype)
        )


async def active_update(
    kernel: Kernel,
    archetype: str,
    wish: UpdateWish,
    *,
    buffer_size: int = BUFFER_SIZE,
    callback: ProgressCallback | None = None,
) -> UpdateResult:
    """See `Candles.active_update`."""
    provider = kernel.provider(wish.exchange)
    _check(provider, archetype, wish)
    update = Update(kernel, buffer_size, callback)
    query = SymbolQuery(exchange=wish.exchange, tradetype=wish.tradetype, coverage=True)
    known = await kernel.storage().symbols(query)
    try:
        markets = await kernel.directory.ask(provider, MarketQuery(tradetype=wish.tradetype))
    except ProviderError as error:
        return await _without_listing(update, wish, known, error)
    chosen = sorted((market for market in markets if wish.wants(market)), key=lambda market: market.ccxt_symbol)
    records = await _register(kernel, wish.timeframes, chosen[: wish.count], markets, known)
    listed = {market.native_id: market for market in chosen}

    def begin(record: SymbolRecord, grid: Grid) -> int:
        # As the exchange lists it: what the database says may stem from a timeframe that reaches less far back.
        return beginning(listed[record.market.native_id], grid) if wish.start is None else wish.start

    return await update.run({wish.exchange: records}, begin)


def _check(provider: Provider, archetype: str, wish: UpdateWish) -> None:
    """Refuse what the exchange cannot have, before anything is sent."""
    capabilities = provider.capabilities
    for name, given, there in (
        ("archetype", archetype.upper(), (capabilities.archetype,)),
        ("trade type", wish.tradetype, capabilities.tradetypes),
    ):
        if given not in there:
            raise BadInputError(f"{wish.exchange} has no {name} {given!r}; it has {', '.join(there)}")
    if not wish.timeframes:
        raise BadInputError("no timeframes; pass timeframes=['1d'], or set them under [defaults] in the TOML")
    for timeframe in wish.timeframes:
        provider.grid(timeframe)
    if wish.count is not None and wish.count < 1:
        raise BadInputError(f"a count of {wish.count!r} markets is none; give at least 1")


async def _without_listing(
    update: Update, wish: UpdateWish, known: Sequence[SymbolRecord], error: ProviderError
) -> UpdateResult:
    """The exchange as a whole failed, and so did each of its symbols that is known; without any, so did the call."""
    meant = [one.symbol for one in known if wish.wants(one.market) and one.symbol.timeframe in wish.timeframes]
    if not meant:
        raise error
    update.account.total = len(meant)
    update.account.fail_all(meant, f"{wish.exchange} does not list its markets: {error}")
    return await update.run({}, lambda record, grid: 0)


async def _register(
    kernel: Kernel,
    timeframes: tuple[str, ...],
    chosen: Sequence[Market],
    markets: Sequence[Market],
    known: Sequence[SymbolRecord],
) -> list[SymbolRecord]:
    """Make the chosen markets known, and what is new of the known ones, in one call.

    Returns:
        The chosen markets in each timeframe, with the facts that are stored of them.
    """
    stored = {record.market.native_id: record.market for record in known}
    registrations = [
        Registration(market=_with_beginning(market, stored.get(market.native_id)), timeframes=timeframes)
        for market in chosen
    ]
    meant = {market.native_id for market in chosen}
    others = {market.native_id: market for market in markets if market.native_id not in meant}
    for record in known:
        if (market := others.get(record.market.native_id)) is not None:
            market = _with_beginning(market, record.market)
            if market != record.market:
                registrations.append(Registration(market=market, timeframes=(record.symbol.timeframe,)))
    if not registrations:
        return []
    registered = await kernel.storage().register(registrations)
    facts = {record.symbol: record.coverage for record in known}
    ours = registered[: len(chosen) * len(timeframes)]
    return [replace(record, coverage=facts.get(record.symbol, ())) for record in ours]


def _with_beginning(market: Market, stored: Market | None) -> Market:
    """A listed market; when it began is kept, where only its candles have told."""
    return market if market.listed is not None or stored is None else replace(market, listed=stored.listed)


def _same(wanted: str | None, there: str) -> bool:
    return wanted is None or wanted.casefold() == there.casefold()
