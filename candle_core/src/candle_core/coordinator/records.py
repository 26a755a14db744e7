"""Which registered symbols are meant. Those that are new are registered together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from candle_core.coordinator.models import LargeRequest
from candle_core.kernel import Kernel
from candle_core.symbols import FEW, Catalogue
from candle_hookspecs import CandleError, Market, Registration, StorageError, SymbolQuery, SymbolRecord

Records = Mapping[str, Sequence[SymbolRecord] | CandleError]
"""Name → its records, one for each timeframe in their order, or why it means no market."""


async def find_records(
    kernel: Kernel,
    request: LargeRequest,
    tradetype: str,
    timeframes: Sequence[str],
    *,
    coverage: bool = False,
) -> Records:
    """The records of every name, in the order of the request.

    The exchange is asked only for names that are not registered in any timeframe: one alone is looked up, several cost
    one listing.

    Args:
        kernel: whose database.
        request: which exchange and names.
        tradetype: the one that it means.
        timeframes: each of which the exchange has.
        coverage: also read what is known of each.

    Raises:
        StorageError: the database cannot be read or written.
    """
    everything = SymbolQuery(exchange=request.exchange, tradetype=tradetype)
    # Of many timeframes all are read; of one only that, for a database may hold many that are not meant.
    query = replace(everything, coverage=coverage, timeframe=timeframes[0] if len(timeframes) == 1 else None)
    stored = await _stored(kernel, query, request.symbols)
    known = _by_name(stored)
    if query.timeframe and not known.keys() >= {name.casefold() for name in request.symbols}:
        known = _by_name(await _stored(kernel, everything, request.symbols)) | known
    unknown = [name for name in request.symbols if name.casefold() not in known]
    listed = await _look_up(kernel, replace(everything, timeframe=timeframes[0]), unknown)
    markets = {name: listed[name] if name in listed else known[name.casefold()] for name in request.symbols}
    meant = {market.native_id: market for market in markets.values() if isinstance(market, Market)}
    there = _by_market(stored)
    lacking = {one: tuple(name for name in timeframes if (one, name) not in there) for one in meant}
    if new := [Registration(market=meant[one], timeframes=names) for one, names in lacking.items() if names]:
        await kernel.storage().register(new)
        there = _by_market(await _stored(kernel, query, request.symbols))
    return {
        name: [there[market.native_id, timeframe] for timeframe in timeframes] if isinstance(market, Market) else market
        for name, market in markets.items()
    }


async def _stored(kernel: Kernel, query: SymbolQuery, names: Sequence[str]) -> list[SymbolRecord]:
    """What is registered of the names, and of more: a few are looked up by themselves, of several all is read."""
    storage = kernel.storage()
    if len(names) > FEW:
        return list(await storage.symbols(query))
    return [record for name in names for record in await storage.symbols(replace(query, name=name))]


async def _look_up(kernel: Kernel, query: SymbolQuery, names: Sequence[str]) -> dict[str, Market | CandleError]:
    if len(names) != 1:
        return await kernel.directory.find_each(query.exchange or "", query.tradetype or "", names) if names else {}
    try:
        found = await Catalogue(kernel).look_up(replace(query, name=names[0]))
    except StorageError:
        raise
    except CandleError as error:
        return {names[0]: error}
    return {names[0]: found.market if isinstance(found, SymbolRecord) else found}


def _by_name(records: Iterable[SymbolRecord]) -> dict[str, Market]:
    """What was imported and is known by its base and quote alone is left to the exchange's listing."""
    markets = [record.market for record in records if record.market.native_id]
    return {name.casefold(): market for market in markets for name in (market.ccxt_symbol, market.native_id)}


def _by_market(records: Iterable[SymbolRecord]) -> dict[tuple[str, str], SymbolRecord]:
    return {(record.market.native_id, record.symbol.timeframe): record for record in records}
