"""Finding what the database knows, and how much of each symbol's history is proven, for thousands of them at once."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from candle_core.checks import settled_until
from candle_core.collect import DATE_RESOLUTION
from candle_core.coverage import Known, count_slots_of_each
from candle_core.kernel import Kernel
from candle_core.spans import Spans
from candle_core.timeframes import Grid, parse_timeframe
from candle_hookspecs import (
    BadInputError,
    Market,
    MarketStatus,
    MissingPluginError,
    Span,
    Symbol,
    SymbolQuery,
    SymbolRecord,
    SymbolSummary,
    UnknownTimeframeError,
)


async def search(kernel: Kernel, query: SymbolQuery) -> list[SymbolSummary]:
    """The registered symbols that match, by one query of the database, however many they are.

    A ``*`` in `SymbolQuery.name` stands for any characters, a ``?`` for one; titles are looked at then, too.
    """
    pattern = query.name if query.name is not None and re.search(r"[*?]", query.name) else None
    asked = replace(query, name=None if pattern else query.name, statistics=query.statistics or query.coverage)
    records: Sequence[SymbolRecord] = await kernel.storage().symbols(asked)
    if pattern is not None:
        records = [record for record in records if _fits(record.market, pattern)]
    return await _summaries(kernel, records) if query.coverage else [_summary(record) for record in records]


def narrowed(query: SymbolQuery, **conditions: Any) -> SymbolQuery:
    """The query with further conditions; None is no condition.

    Raises:
        BadInputError: not a status. UnknownTimeframeError: not a timeframe.
    """
    given = {name: value for name, value in conditions.items() if value is not None}
    if "status" in given:
        given["status"] = _status(given["status"])
    if "timeframe" in given:
        parse_timeframe(given["timeframe"])
    return replace(query, **given)


def _status(name: str) -> MarketStatus:
    try:
        return MarketStatus(name.upper())
    except ValueError:
        raise BadInputError(f"{name!r} is not a status; there are {', '.join(MarketStatus)}") from None


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _fits(market: Market, pattern: str) -> bool:
    known = _compiled(pattern)
    return any(known.fullmatch(name.casefold()) for name in (market.ccxt_symbol, market.native_id, market.title))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = ({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern.casefold())
    return re.compile("".join(parts), re.DOTALL)


# ── the share ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _summaries(kernel: Kernel, records: Sequence[SymbolRecord]) -> list[SymbolSummary]:
    """The records with their counts of slots. Those of one grid are counted together."""
    counts: dict[Symbol, tuple[int, int]] = {}
    alike: dict[tuple[str, str], list[SymbolRecord]] = {}
    for record in records:
        alike.setdefault((record.symbol.exchange, record.symbol.timeframe), []).append(record)
    for (exchange, timeframe), together in alike.items():
        try:
            provider = kernel.provider(exchange)
            grid = await provider.open_grid(timeframe)
        except (MissingPluginError, UnknownTimeframeError):
            continue  # imported, or the plugin is gone: nobody knows the grid, and all the rest can be told
        horizon = settled_until(grid, provider.clock.now() - DATE_RESOLUTION, provider.capabilities.settle)
        counts |= _count(together, grid, horizon)
    return [_summary(record, *counts.get(record.symbol, (None, None))) for record in records]


def _count(records: Sequence[SymbolRecord], grid: Grid, horizon: int) -> dict[Symbol, tuple[int, int]]:
    """Of each symbol, the slots of its history up to the horizon, and how many of them are proven."""
    histories: list[Spans] = []
    proven: list[Spans] = []
    for record in records:
        known = Known.of(record.coverage or (), ())
        histories.append(_history(record, known, horizon))
        proven.append(histories[-1] & known.proven)
    counted = zip(count_slots_of_each(histories, grid), count_slots_of_each(proven, grid), strict=True)
    return dict(zip((record.symbol for record in records), counted, strict=True))


def _history(record: SymbolRecord, known: Known, horizon: int) -> Spans:
    """From the first moment that is answered or stored, else from the listing, to the horizon or the market's end.

    What is not listed reaches back to 1970, so no history begins with it.
    """
    begins = [moment for moment in (known.answered.start, record.first) if moment is not None]
    start = min(begins) if begins else record.market.listed
    end = horizon if record.market.delisted is None else min(horizon, record.market.delisted)
    return Spans((Span(start, end),)) if start is not None and start < end else Spans()


def _summary(record: SymbolRecord, slots: int | None = None, proven: int | None = None) -> SymbolSummary:
    return SymbolSummary(
        symbol=record.symbol,
        market=record.market,
        registered=record.registered,
        first=record.first,
        last=record.last,
        rows=record.rows,
        revisions=record.revisions,
        coverage=record.coverage,
        slots=slots,
        proven=proven,
    )
