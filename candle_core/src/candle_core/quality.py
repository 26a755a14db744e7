"""Where every grid slot of a range stands, and whether the rows can be true."""

import numpy as np
from numpy.typing import NDArray

from candle_core.coverage import Known, count_slots, slot_ranges, with_slots
from candle_core.kernel import Kernel
from candle_core.pipeline import Pipeline, read_facts
from candle_core.provider import Provider
from candle_core.ranges import ALL_TIME
from candle_core.reading import read_chunks
from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import (
    Anomaly,
    AnomalyKind,
    CandleBatch,
    Ints,
    LoadRead,
    Moment,
    SlotReport,
    Span,
    SymbolRecord,
    VerifyReport,
    to_datetime,
    to_ms,
)


async def slot_report(kernel: Kernel, provider: Provider, record: SymbolRecord, span: Span) -> SlotReport:
    """Count the slots of a span by what is known of them, and the rows by whether they stand on the grid."""
    known = Known.of(await read_facts(kernel, record, span), Pipeline.sources(provider))
    slots = _Slots(await provider.open_grid(record.symbol.timeframe), known, span)
    async for batch in read_chunks(kernel.storage(), LoadRead(symbol=record.symbol, span=span, columns=())):
        slots.add(batch)
    return slots.report(record)


def slots_of(record: SymbolRecord, grid: Grid, known: Known, span: Span, batch: CandleBatch) -> SlotReport:
    """`slot_report` of candles that are read already, and of what was known before they were."""
    slots = _Slots(grid, known, span)
    slots.add(batch)
    return slots.report(record)


async def verify(
    kernel: Kernel, provider: Provider, record: SymbolRecord, start: Moment | None, end: Moment | None
) -> VerifyReport:
    """Look at every row of a range, in one pass; the record comes with its statistics.

    A bound that is None lies where what is stored or answered begins or ends.

    Raises:
        BadSpanError: the end does not come after the start.
    """
    grid = await provider.open_grid(record.symbol.timeframe)
    known = Known.of(await read_facts(kernel, record, ALL_TIME), Pipeline.sources(provider))
    life = _life(record, known, grid)
    span = _between(life, start, end)
    if span is None:
        return VerifyReport(slots=_nothing(record, kernel.clock.now() if start is None else to_ms(start)))
    slots, anomalies = _Slots(grid, known, span), _Anomalies()
    first: int | None = None
    last: int | None = None
    async for batch in read_chunks(kernel.storage(), LoadRead(symbol=record.symbol, span=span, columns=())):
        slots.add(batch)
        anomalies.add(batch)
        first, last = batch.first if first is None else first, batch.last
    lived = Spans((life,)) & _listed(record) if life else Spans()
    return VerifyReport(
        slots=slots.report(record),
        covered=count_slots(known.covered & Spans((span,)), grid),
        gaps=slot_ranges(slots.unfilled() & lived, grid),
        anomalies=anomalies.found(),
        revisions=record.revisions,
        first=None if first is None else to_datetime(first),
        last=None if last is None else to_datetime(last),
    )


# ── the range ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _life(record: SymbolRecord, known: Known, grid: Grid) -> Span | None:
    """From the first slot or row that is answered or stored to the last; None: there is none.

    What is not listed or out of reach reaches back to 1970, so it counts only where it lies between.
    """
    starts, ends = [], []
    if answered := with_slots(known.answered, grid).parts:
        starts.append(grid.ceil(answered[0].start))
        ends.append(answered[-1].end)
    if record.first is not None and record.last is not None:
        starts.append(record.first)
        ends.append(record.last + 1)
    return Span(min(starts), grid.after(max(ends) - 1)) if starts else None


def _between(life: Span | None, start: Moment | None, end: Moment | None) -> Span | None:
    if start is not None and end is not None:
        return Span.of(start, end)
    if life is None:
        return None
    first = life.start if start is None else to_ms(start)
    last = life.end if end is None else to_ms(end)
    return Span(first, last) if first < last else None


def _listed(record: SymbolRecord) -> Spans:
    """When the market traded, as far as the exchange says so."""
    listed, delisted = record.market.listed, record.market.delisted
    start = ALL_TIME.start if listed is None else listed
    end = ALL_TIME.end if delisted is None else delisted
    return Spans((Span(start, end),)) if start < end else Spans()


# ── slots ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Slots:
    """The slots of a span by state, while its rows go by."""

    def __init__(self, grid: Grid, known: Known, span: Span) -> None:
        whole = Spans((span,))
        self._grid = grid
        self._span = span
        self._missing = whole - known.covered
        self._states = {
            "not_listed": known.not_listed & whole,
            "proven_empty": known.answered & whole,
            "out_of_reach": known.out_of_reach & whole,
            "missing": self._missing,
        }
        self._left = {name: count_slots(spans, grid) for name, spans in self._states.items()}
        self._rows = self._filled = 0
        self._runs: list[Span] = []

    def add(self, batch: CandleBatch) -> None:
        """Count rows in, which come in time order."""
        slots = batch.open_time[self._grid.on_grid(batch.open_time)]
        self._rows += len(batch)
        self._filled += len(slots)
        for name, spans in self._states.items():
            self._left[name] -= _inside(slots, spans)
        for span in self._missing:
            low, high = np.searchsorted(slots, (span.start, span.end))
            if low < high:
                self._runs.extend(_runs(slots[low:high], self._grid))

    def unfilled(self) -> Spans:
        """Stretches that nobody vouched for, without the slots that have a row all the same."""
        return self._missing - Spans.of(self._runs)

    def report(self, record: SymbolRecord) -> SlotReport:
        """The sums."""
        return SlotReport(
            symbol=record.symbol,
            time_range=(to_datetime(self._span.start), to_datetime(self._span.end)),
            slots=self._grid.count(self._span),
            filled=self._filled,
            off_grid=self._rows - self._filled,
            rows=self._rows,
            **self._left,
        )


def _nothing(record: SymbolRecord, moment: int) -> SlotReport:
    counts = dict.fromkeys(
        ("slots", "filled", "proven_empty", "not_listed", "out_of_reach", "missing", "off_grid", "rows"), 0
    )
    return SlotReport(symbol=record.symbol, time_range=(to_datetime(moment), to_datetime(moment)), **counts)


def _inside(moments: Ints, spans: Spans) -> int:
    edges = [edge for span in spans for edge in (span.start, span.end)]
    found = np.searchsorted(moments, edges)
    return int((found[1::2] - found[::2]).sum())


def _runs(slots: Ints, grid: Grid) -> list[Span]:
    """Slots that follow one another, as spans from the first to 1 ms behind the last."""
    breaks = np.flatnonzero(np.diff(grid.indices(slots)) != 1)
    starts, ends = slots[np.r_[0, breaks + 1]], slots[np.r_[breaks, len(slots) - 1]]
    return [Span(start, end + 1) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


# ── anomalies ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Anomalies:
    """What cannot be true of the rows that go by. What is no number is not true either."""

    def __init__(self) -> None:
        self._found: dict[AnomalyKind, tuple[int, int]] = {}

    def add(self, batch: CandleBatch) -> None:
        """Look at rows, which come in time order."""
        for kind, sound in _sound(batch).items():
            if not sound.all():
                count, first = self._found.get(kind, (0, int(batch.open_time[int(np.argmin(sound))])))
                self._found[kind] = (count + int((~sound).sum()), first)

    def found(self) -> tuple[Anomaly, ...]:
        """One entry for each kind, in the order of `AnomalyKind`."""
        kinds = ((kind, self._found[kind]) for kind in AnomalyKind if kind in self._found)
        return tuple(Anomaly(kind, count, to_datetime(first)) for kind, (count, first) in kinds)


def _sound(batch: CandleBatch) -> dict[AnomalyKind, NDArray[np.bool_]]:
    body_top, body_bottom = np.maximum(batch.open, batch.close), np.minimum(batch.open, batch.close)
    return {
        AnomalyKind.HIGH: batch.high >= np.maximum(body_top, batch.low),
        AnomalyKind.LOW: batch.low <= np.minimum(body_bottom, batch.high),
        AnomalyKind.PRICE: np.minimum(np.minimum(body_bottom, batch.low), batch.high) >= 0,
        AnomalyKind.VOLUME: batch.volume >= 0,
    }
