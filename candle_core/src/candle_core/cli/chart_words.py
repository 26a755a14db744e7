"""What a chart says in words and numbers, the same in the terminal and on a page."""

import math
from typing import Final

import numpy as np

from candle_core.chart import STATES, Chart
from candle_core.cli.render import cell_text
from candle_hookspecs import iso, to_datetime

STATE_WORDS: Final = {
    "filled": "with a candle",
    "proven_empty": "proven empty",
    "not_listed": "not listed",
    "out_of_reach": "out of reach",
    "missing": "missing",
}

_MINUTE: Final = 60_000
_INTERVALS: Final = [
    *(1_000 * seconds for seconds in (1, 5, 10, 30)),
    *(_MINUTE * minutes for minutes in (1, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
    *(1_440 * _MINUTE * days for days in (1, 2)),
]
_WEEK: Final = 7 * 1_440 * _MINUTE
_FIRST_MONDAY: Final = 4 * 1_440 * _MINUTE
_MONTHS: Final = (1, 2, 3, 6, 12, 24, 60, 120)


def title(chart: Chart) -> str:
    """``BTC/USDT 1h  BINANCE SPOT``."""
    return f"{chart.name} {chart.symbol.timeframe}  {chart.symbol.exchange} {chart.symbol.tradetype}"


def stretch(chart: Chart) -> str:
    """The range, and what a bar is."""
    said = f"{iso(chart.span.start)} to {iso(chart.span.end)}"
    if chart.slots_per_bar == 1:
        return f"{said}, {len(chart):,} slots"
    return f"{said}, each bar {chart.bar_length}"


def figures(chart: Chart) -> str:
    """Highest, lowest and last price, how far that is from the first, and the sum of the volume."""
    drawn = chart.drawn
    if not drawn.any():
        return "no candles are stored in this range"
    first, last = chart.open[drawn][0], chart.close[drawn][-1]
    change = f" ({(last / first - 1) * 100:+.2f} %)" if first > 0 else ""
    values = {"high": chart.high[drawn].max(), "low": chart.low[drawn].min(), "close": last}
    said = "  ".join(f"{name} {cell_text(float(value))}" for name, value in values.items())
    return f"{said}{change}  volume {short(float(chart.volume[drawn].sum()))}"


def states(chart: Chart) -> list[str]:
    """For each bar the state that a person must know of first."""
    missing, reach, absent = (chart.slots[name] > 0 for name in ("missing", "out_of_reach", "not_listed"))
    chosen = np.select(
        [missing, reach, chart.drawn, absent], ["missing", "out_of_reach", "filled", "not_listed"], "proven_empty"
    )
    return [str(state) for state in chosen]


def totals(chart: Chart) -> dict[str, int]:
    """State → slots in the range, without those that do not occur."""
    return {name: int(chart.slots[name].sum()) for name in STATES if chart.slots[name].any()}


def short(value: float) -> str:
    """A number in at most five characters or so: ``950``, ``12.3k``, ``4.56M``."""
    size = abs(value)
    for unit, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= unit:
            return f"{value / unit:.3g}{suffix}"
    return f"{value:.3g}"


def price_ticks(low: float, high: float, most: int) -> list[float]:
    """At most so many round prices between two, evenly spaced by 1, 2 or 5 times a power of ten."""
    least = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)
    return [index * step for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def price_text(price: float, step: float) -> str:
    """With the decimals that tell it from another one `step` away."""
    return f"{price:,.{max(0, math.ceil(-math.log10(step)))}f}"


def time_ticks(chart: Chart, most: int) -> list[tuple[int, str]]:
    """About so many bars at round moments, with what stands below them: the day where one begins, else the time."""
    times = chart.open_time
    months = times.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    counted = [times // length for length in _INTERVALS]
    counted += [(times - _FIRST_MONDAY) // _WEEK, *(months // length for length in _MONTHS)]
    turns = (np.flatnonzero(np.diff(numbers)) + 1 for numbers in counted)
    bars = next((found for found in turns if len(found) <= most), np.array([], np.int64))
    ticks, day = [], None
    for bar in bars.tolist() or [0]:
        moment = to_datetime(int(times[bar]))
        daily = moment.hour == moment.minute == moment.second == 0
        text = f"{moment:%Y-%m-%d}" if daily or moment.date() != day else f"{moment:%H:%M:%S}".removesuffix(":00")
        ticks.append((bar, text))
        day = moment.date()
    return ticks
