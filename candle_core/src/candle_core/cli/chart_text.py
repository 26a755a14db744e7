"""A chart in characters, one column or more for each bar."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import click
import numpy as np

from candle_core.chart import Chart
from candle_core.cli.chart_words import (
    STATE_WORDS,
    figures,
    price_text,
    short,
    states,
    stretch,
    time_ticks,
    title,
    totals,
)

AXIS: Final = 12
"""Columns beside the bars, for the prices."""

_VOLUME_ROWS: Final = 3
_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"

# (upper half, lower half) of a character: 2 body, 1 wick, 0 nothing. A falling body is broad and a rising one slender,
# so that they are told apart without colours.
_RISING: Final = {
    (0, 0): " ",
    (0, 1): "╷",
    (1, 0): "╵",
    (1, 1): "│",
    (0, 2): "╻",
    (2, 0): "╹",
    (1, 2): "╽",
    (2, 1): "╿",
    (2, 2): "┃",
}
_FALLING: Final = _RISING | {(0, 2): "▄", (2, 0): "▀", (1, 2): "▄", (2, 1): "▀", (2, 2): "█"}

_MARKS: Final = {"filled": "─", "proven_empty": "·", "not_listed": "~", "out_of_reach": "×", "missing": "░"}
"""State of a slot → how it looks."""

Paint: TypeAlias = Callable[[str, str], str]


def draw(chart: Chart, *, width: int, height: int, colour: bool) -> str:
    """The whole chart.

    Args:
        chart: of at most ``width - AXIS`` bars.
        width: of the terminal.
        height: lines for the prices.
        colour: whether to use the terminal's colours.
    """

    def paint(text: str, name: str) -> str:
        return click.style(text, fg=name) if colour and text.strip() else text

    pitch = max(1, min(3, (width - AXIS) // len(chart)))
    said = [_fit(text, width) for text in (title(chart), stretch(chart), figures(chart))]
    lines = [click.style(said[0], bold=True) if colour else said[0], *said[1:], ""]
    if chart.drawn.any():
        lines += _prices(chart, pitch, height, paint)
        lines += _volumes(chart, pitch, paint)
    lines.append("".join(_pad(paint(_MARKS[state], _colour(state)), pitch, _MARKS[state]) for state in states(chart)))
    lines += [_times(chart, pitch), "", *_legend(chart, paint)]
    return "\n".join(line.rstrip() for line in lines)


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _pad(painted: str, pitch: int, mark: str) -> str:
    """A column of a bar; what is no candle fills the room up to the next."""
    return painted + (mark if mark in "─░~" else " ") * (pitch - 1)


def _colour(state: str) -> str:
    return "yellow" if state in ("missing", "out_of_reach") else "bright_black"


# ── prices ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Scale:
    """From prices to half lines, counted from the bottom."""

    low: float
    step: float

    @classmethod
    def of(cls, chart: Chart, height: int) -> "_Scale":
        low, high = float(np.nanmin(chart.low)), float(np.nanmax(chart.high))
        room = (high - low) or abs(high) * 0.01 or 1.0
        return cls(low if high > low else low - room / 2, room / (2 * height))

    def halves(self, low: float, high: float, least: int) -> tuple[int, int]:
        """The half lines between two prices, at least so many."""
        first = round((low - self.low) / self.step)
        return first, max(round((high - self.low) / self.step), first + least)

    def price(self, row: int) -> float:
        """In the middle of a line."""
        return self.low + (2 * row + 1) * self.step


def _prices(chart: Chart, pitch: int, height: int, paint: Paint) -> Iterator[str]:
    scale = _Scale.of(chart, height)
    bars = [_bar(chart, scale, index, state) for index, state in enumerate(states(chart))]
    for row in reversed(range(height)):
        cells = (_cell(column, row) for column in bars)
        drawn = "".join(_pad(paint(cell, column.colour), pitch, cell) for cell, column in zip(cells, bars, strict=True))
        label = f" {price_text(scale.price(row), 4 * scale.step)}" if row % 3 == 1 else ""
        yield drawn + label


@dataclass(frozen=True, slots=True)
class _Bar:
    """Which half lines wick and body take up, or what fills the column where there is no candle."""

    colour: str
    rising: bool = True
    wick: tuple[int, int] = (0, 0)
    body: tuple[int, int] = (0, 0)
    filler: str = ""


def _bar(chart: Chart, scale: _Scale, index: int, state: str) -> _Bar:
    if not chart.drawn[index]:
        return _Bar(_colour(state), filler=_MARKS["missing"] if state == "missing" else " ")
    first, last = float(chart.open[index]), float(chart.close[index])
    rising = last >= first
    return _Bar(
        "green" if rising else "red",
        rising,
        scale.halves(float(chart.low[index]), float(chart.high[index]), 1),
        scale.halves(min(first, last), max(first, last), 1),
    )


def _cell(bar: _Bar, row: int) -> str:
    if bar.filler:
        return bar.filler
    upper, lower = (_half(bar, half) for half in (2 * row + 1, 2 * row))
    return (_RISING if bar.rising else _FALLING)[upper, lower]


def _half(bar: _Bar, half: int) -> int:
    if bar.body[0] <= half < bar.body[1]:
        return 2
    return int(bar.wick[0] <= half < bar.wick[1])


# ── volumes, times, words ────────────────────────────────────────────────────────────────────────────────────────────


def _volumes(chart: Chart, pitch: int, paint: Paint) -> Iterator[str]:
    most = float(np.nanmax(chart.volume))
    heights = [
        0 if not math.isfinite(volume) or most == 0 else max(1, round(volume / most * 8 * _VOLUME_ROWS))
        for volume in chart.volume.tolist()
    ]
    for row in reversed(range(_VOLUME_ROWS)):
        cells = (_EIGHTHS[max(0, min(8, height - 8 * row))] for height in heights)
        drawn = "".join(_pad(paint(cell, "blue"), pitch, cell) for cell in cells)
        yield drawn + (f" {short(most)}" if row == _VOLUME_ROWS - 1 else " volume" if row == 0 else "")


def _times(chart: Chart, pitch: int) -> str:
    line = ""
    for bar, text in time_ticks(chart, len(chart) * pitch // 14):
        line = line.ljust(bar * pitch) + "╵" + text
    return f"{line}  UTC"


def _legend(chart: Chart, paint: Paint) -> Iterator[str]:
    found = totals(chart)
    for name, slots in found.items():
        if len(found) > 1 or name != "filled":
            many = f"{slots:,} slots" if slots > 1 else "1 slot"
            yield f"{paint(_MARKS[name], _colour(name))} {many} {STATE_WORDS[name]}"
