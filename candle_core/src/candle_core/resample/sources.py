"""Reading a timeframe: which stored ones it is read from, or made of."""

from dataclasses import replace
from typing import Final

from candle_core.coverage import Known
from candle_core.kernel import Kernel
from candle_core.pipeline import Pipeline, read_facts
from candle_core.provider import Provider
from candle_core.ranges import ALL_TIME
from candle_core.reading import read_adjusted
from candle_core.resample.fold import can_make
from candle_core.resample.periods import PeriodGrid
from candle_core.resample.series import MadeSeries, Series, Source, StoredSeries, View, length, read_series
from candle_core.sessions import SessionGrid
from candle_core.symbols import Catalogue, called, how_to_collect
from candle_core.timeframes import Grid, parse_timeframe
from candle_hookspecs import (
    BadInputError,
    CandleBatch,
    LoadRead,
    MissingPluginError,
    Span,
    SymbolQuery,
    SymbolRecord,
    UnknownSymbolError,
)

FILLS: Final = ("none", "flat")
"""What may stand in a slot that is proven empty."""


async def read_candles(
    kernel: Kernel,
    query: SymbolQuery,
    view: View,
    span: Span,
    *,
    record: SymbolRecord | None = None,
    count: int | None = None,
    newest_first: bool = False,
    flat: bool = False,
) -> CandleBatch:
    """The candles of a symbol in a span, stored ones or, where it is not registered, made ones.

    Args:
        kernel: the wiring.
        query: of one symbol.
        view: how its candles are looked at.
        span: of open times.
        record: the registered symbol that is meant, where it was looked up already.
        count: at most so many; None: all.
        newest_first: of more, those at the end.
        flat: see `fill_flat`.

    Raises:
        UnknownSymbolError: it is not registered, nor is a finer timeframe. BadInputError: several markets match.
        PluginError: the exchange's plugin is not installed.
    """
    try:
        record = record or await Catalogue(kernel).known(query)
    except UnknownSymbolError as unknown:
        series = await made_series(kernel, query, view)
        if series is None:
            raise await _how_to_get(kernel, query, unknown) from None
        return await read_series(series, span, count=count, newest_first=newest_first, flat=flat)
    if flat:
        series = await stored_series(kernel, record, view)
        return await read_series(series, span, count=count, newest_first=newest_first, flat=True)
    read = LoadRead(
        symbol=record.symbol, span=span, columns=view.columns, limit=count or 0, newest_first=newest_first,
        as_of=view.as_of,
    )  # fmt: skip
    return await read_adjusted(kernel.storage(), read, view.adjust)


async def stored_series(kernel: Kernel, record: SymbolRecord, view: View) -> Series:
    """A registered symbol's own candles, with what is proven of its slots."""
    provider = kernel.provider(record.symbol.exchange)
    await _learn_calendar(provider)
    source = await _source(kernel, provider, record, view)
    return StoredSeries(source.grid, [source])


async def made_series(kernel: Kernel, query: SymbolQuery, view: View) -> Series | None:
    """Candles of a timeframe that is not registered, made of the finer ones that are; None: there is none.

    Raises:
        BadInputError: several markets match. UnknownTimeframeError: an exchange that closes has no such slots.
    """
    assert query.timeframe is not None
    records = await kernel.storage().symbols(replace(query, timeframe=None))
    if not records:
        return None
    if len({replace(record.symbol, timeframe="-") for record in records}) > 1:
        known = ", ".join(sorted(str(record.symbol) for record in records))
        raise BadInputError(f"{called(query)!r} is ambiguous: {known}; name one of them")
    provider = kernel.provider(records[0].symbol.exchange)
    await _learn_calendar(provider)
    target = grid_of(provider, query.timeframe)
    fitting = [one for one in records if can_make(grid_of(provider, one.symbol.timeframe), target)]
    if not fitting:
        return None
    return MadeSeries(target, [await _source(kernel, provider, record, view) for record in fitting])


def grid_of(provider: Provider, timeframe: str) -> Grid:
    """The grid of any timeframe at an exchange whose calendar is known.

    It starts where the provider says, or where it says that one of the unit does (``2w`` like ``1w``), or as usual.

    Raises:
        UnknownTimeframeError: not a timeframe, or several days at an exchange that closes.
    """
    unit = parse_timeframe(timeframe)[1]
    declared = provider.capabilities.grid
    anchor = declared.get(timeframe, declared.get(f"1{unit}"))
    if not provider.sessions:
        return Grid.of(timeframe, anchor)
    if timeframe == "1d" or unit in "smh":
        return SessionGrid(timeframe, provider.sessions)
    return PeriodGrid(timeframe, provider.sessions, anchor)


async def _learn_calendar(provider: Provider) -> None:
    await provider.open_grid(provider.capabilities.timeframes[0])


async def _source(kernel: Kernel, provider: Provider, record: SymbolRecord, view: View) -> Source:
    facts = await read_facts(kernel, record, ALL_TIME)
    if view.as_of is not None:
        facts = [fact for fact in facts if fact.answered_at <= view.as_of]
    known = Known.of(facts, Pipeline.sources(provider))
    return Source(kernel.storage(), record, grid_of(provider, record.symbol.timeframe), known, view)


async def _how_to_get(kernel: Kernel, query: SymbolQuery, unknown: UnknownSymbolError) -> UnknownSymbolError:
    """The same error; for a timeframe that the exchange does not have, it says of which it can be made."""
    assert query.exchange is not None
    assert query.timeframe is not None
    try:
        provider = kernel.provider(query.exchange)
    except MissingPluginError:
        return unknown
    if query.timeframe in provider.capabilities.timeframes:
        return unknown
    await _learn_calendar(provider)
    target, native = grid_of(provider, query.timeframe), provider.capabilities.timeframes
    finer = [timeframe for timeframe in native if can_make(grid_of(provider, timeframe), target)]
    advice = (
        f"{how_to_collect(query, max(finer, key=lambda one: length(Grid.of(one))))} gets one that it can be made of"
        if finer
        else f"and {query.exchange} has none that it could be made of"
    )
    return UnknownSymbolError(
        f"the database holds no {called(query)!r} {query.timeframe} of {query.exchange} {query.tradetype}, "
        f"nor a finer timeframe of it; {advice}"
    )
