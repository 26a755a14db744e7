"""A chart as an image (SVG), and as a page with it that needs nothing else: no network, no library."""

import json
import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Final, TypeVar

import numpy as np

from candle_core.chart import Chart
from candle_core.cli.chart_words import (
    STATE_WORDS,
    figures,
    price_text,
    price_ticks,
    short,
    states,
    stretch,
    time_ticks,
    title,
    totals,
)
from candle_hookspecs import iso

_Value = TypeVar("_Value", str, bool)

_WIDTH: Final = 1200
_HEIGHT: Final = 640
_LEFT, _RIGHT = 16, 1108  # where the bars stand
_TOP, _BOTTOM = 96, 470  # where the prices stand
_VOLUME_TOP, _VOLUME_BOTTOM = 490, 570
_STRIP: Final = 580
_STRIP_HEIGHT: Final = 8

_STYLE: Final = """
.chart { --back: #ffffff; --ink: #1c2330; --faint: #667085; --line: #e6e9ef; --rise: #12866d; --fall: #cf3f55;
  --volume: #9fb2cf; --filled: #c3ccda; --empty: #8793a6; --gap: #e0952b; --reach: #8e62c9;
  font-family: ui-sans-serif, system-ui, "Segoe UI", "Noto Sans", sans-serif; font-size: 13px }
@media (prefers-color-scheme: dark) { .chart { --back: #12161d; --ink: #e6eaf1; --faint: #98a2b3; --line: #242b36;
  --rise: #3cc7a2; --fall: #f26d7f; --volume: #47597a; --filled: #3a4556; --empty: #7a8699; --gap: #f0ad4e;
  --reach: #b58cf0 } }
.back { fill: var(--back) } .ink { fill: var(--ink) } .faint { fill: var(--faint) }
.chart text { white-space: pre }
.title { font-size: 20px; font-weight: 600 } .number { font-variant-numeric: tabular-nums }
.line { stroke: var(--line); fill: none; shape-rendering: crispEdges }
.rise { stroke: var(--rise); fill: var(--rise) } .fall { stroke: var(--fall); fill: var(--fall) }
.volume { fill: var(--volume) } .filled { fill: var(--filled) } .proven_empty { fill: var(--empty) }
.not_listed { fill: var(--line) } .out_of_reach { fill: var(--reach) } .missing { fill: var(--gap) }
.gap { fill: url(#hatch) } .hatch { stroke: var(--gap); stroke-width: 1.5; opacity: .55 }
.cross { stroke: var(--faint); stroke-dasharray: 3 3; visibility: hidden }
"""

_HATCH: Final = """<defs>
<pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<path class="hatch" d="M0 0V8"/></pattern></defs>"""

_PAGE_STYLE: Final = """
:root { color-scheme: light dark }
body { margin: 0; background: #ffffff }
svg { display: block; width: 100%; max-height: 100vh }
@media (prefers-color-scheme: dark) { body { background: #12161d } }
"""

_SCRIPT: Final = """
const chart = document.querySelector("svg"), cross = chart.querySelector(".cross"),
  said = chart.querySelector(".said"), before = said.textContent;
chart.addEventListener("pointermove", event => {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
  const bar = Math.floor((at.x - LEFT) / PITCH);
  if (bar < 0 || bar >= BARS.length) return leave();
  said.textContent = BARS[bar];
  cross.setAttribute("transform", `translate(${LEFT + (bar + .5) * PITCH} 0)`);
  cross.style.visibility = "visible";
});
const leave = () => { said.textContent = before; cross.style.visibility = "hidden" };
chart.addEventListener("pointerleave", leave);
"""


def page(chart: Chart) -> str:
    """An HTML page with the image in it; pointing at a bar tells its values."""
    # "<" would end the script if a name held "</script>".
    bars = json.dumps(list(_told(chart)), ensure_ascii=False).replace("<", "\\u003c")
    values = f"const LEFT = {_LEFT}, PITCH = {_pitch(chart)!r}, BARS = {bars};"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title(chart))}</title>\n<style>{_PAGE_STYLE}</style>\n</head>\n<body>\n{image(chart)}"
        f"<script>\n{values}{_SCRIPT}</script>\n</body>\n</html>\n"
    )


def image(chart: Chart) -> str:
    """The chart as SVG, in light or dark as the reader has it."""
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" {size} role="img" aria-label="{escape(title(chart))}">',
        f"<style>{_STYLE}</style>",
        _HATCH,
        f'<rect class="back" width="{_WIDTH}" height="{_HEIGHT}"/>',
        _text(_LEFT, 34, title(chart), "ink title"),
        _text(_LEFT, 56, f"{stretch(chart)}, UTC", "faint number"),
        _text(_LEFT, 78, figures(chart), "ink number said"),
        *_time_axis(chart),
        *(_prices(chart) if chart.drawn.any() else ()),
        *_strip(chart),
        *_legend(chart),
        f'<path class="cross" d="M0 {_TOP}V{_STRIP}"/>',
        "</svg>\n",
    )
    return "\n".join(lines)


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text x="{x:.6g}" y="{y:.6g}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _pitch(chart: Chart) -> float:
    return (_RIGHT - _LEFT) / len(chart)


# ── axes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _time_axis(chart: Chart) -> Iterator[str]:
    for bar, text in time_ticks(chart, 10):
        x = _LEFT + (bar + 0.5) * _pitch(chart)
        yield f'<path class="line" d="M{x:.1f} {_TOP}V{_STRIP}"/>'
        yield _text(x, _STRIP + 28, text, "faint number", "middle")


def _price_axis(low: float, high: float, scale: float) -> Iterator[str]:
    ticks = price_ticks(low, high, 8)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else (high - low) / 2
    for price in ticks:
        y = _BOTTOM - (price - low) * scale
        yield f'<path class="line" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>'
        yield _text(_RIGHT + 8, y + 4, price_text(price, step), "faint number")


# ── candles ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _prices(chart: Chart) -> Iterator[str]:
    low, high = float(np.nanmin(chart.low)), float(np.nanmax(chart.high))
    if low == high:
        low, high = low - (abs(low) or 1.0) * 0.01, high + (abs(high) or 1.0) * 0.01
    scale = (_BOTTOM - _TOP) / (high - low)
    yield from _price_axis(low, high, scale)
    yield from _gaps(chart)
    yield from _volumes(chart)
    pitch = _pitch(chart)
    width = max(pitch * 0.7, 1.0)
    rising: list[str] = []
    falling: list[str] = []
    for bar in np.flatnonzero(chart.drawn).tolist():
        middle = _LEFT + (bar + 0.5) * pitch
        top, bottom = (_BOTTOM - (float(side[bar]) - low) * scale for side in (chart.high, chart.low))
        ends = sorted(_BOTTOM - (float(side[bar]) - low) * scale for side in (chart.open, chart.close))
        body = f"M{middle - width / 2:.2f} {ends[0]:.2f}h{width:.2f}V{max(ends[1], ends[0] + 0.6):.2f}h{-width:.2f}z"
        drawn = f"M{middle:.2f} {top:.2f}V{bottom:.2f}{body}"
        (rising if chart.close[bar] >= chart.open[bar] else falling).append(drawn)
    for kind, paths in (("rise", rising), ("fall", falling)):
        yield f'<path class="{kind}" d="{"".join(paths)}"/>'


def _volumes(chart: Chart) -> Iterator[str]:
    most, pitch = float(np.nanmax(chart.volume)), _pitch(chart)
    if most > 0:
        heights = np.nan_to_num(chart.volume) / most * (_VOLUME_BOTTOM - _VOLUME_TOP)
        bars = (
            f"M{_LEFT + (bar + 0.15) * pitch:.2f} {_VOLUME_BOTTOM}v{-height:.2f}h{pitch * 0.7:.2f}V{_VOLUME_BOTTOM}z"
            for bar, height in enumerate(heights.tolist())
            if height
        )
        yield f'<path class="volume" d="{"".join(bars)}"/>'
    yield _text(_RIGHT + 8, _VOLUME_TOP + 10, short(most), "faint number")
    yield _text(_RIGHT + 8, _VOLUME_BOTTOM, "volume", "faint")


# ── what is known ────────────────────────────────────────────────────────────────────────────────────────────────────


def _gaps(chart: Chart) -> Iterator[str]:
    """Hatched where nobody has asked yet and no candle is drawn."""
    gone = [state == "missing" and not drawn for state, drawn in zip(states(chart), chart.drawn.tolist(), strict=True)]
    for start, end, is_gap in _runs(gone):
        if is_gap:
            x, width = _LEFT + start * _pitch(chart), (end - start) * _pitch(chart)
            yield f'<rect class="gap" x="{x:.2f}" y="{_TOP}" width="{width:.2f}" height="{_VOLUME_BOTTOM - _TOP}"/>'


def _strip(chart: Chart) -> Iterator[str]:
    """Along the bottom, for every bar what is known of it."""
    for start, end, state in _runs(states(chart)):
        x, width = _LEFT + start * _pitch(chart), (end - start) * _pitch(chart)
        yield (
            f'<rect class="{state}" x="{x:.2f}" y="{_STRIP}" width="{width:.2f}" height="{_STRIP_HEIGHT}">'
            f"<title>{STATE_WORDS[state]}</title></rect>"
        )


def _runs(values: Sequence[_Value]) -> Iterator[tuple[int, int, _Value]]:
    """Where equal values stand together: first, behind the last, the value."""
    start = 0
    for value, group in groupby(values):
        end = start + len(list(group))
        yield start, end, value
        start = end


def _legend(chart: Chart) -> Iterator[str]:
    x: float = _LEFT
    for name, slots in totals(chart).items():
        said = f"{slots:,} slot{'s' if slots > 1 else ''} {STATE_WORDS[name]}"
        yield f'<rect class="{name}" x="{x}" y="{_HEIGHT - 20}" width="14" height="{_STRIP_HEIGHT}"/>'
        yield _text(x + 20, _HEIGHT - 12, said, "faint number")
        x += 44 + 7 * len(said)


def _told(chart: Chart) -> Iterator[str]:
    """For each bar what pointing at it says."""
    for bar in range(len(chart)):
        moment = iso(int(chart.open_time[bar]))
        known = {name: int(counts[bar]) for name, counts in chart.slots.items() if counts[bar] and name != "filled"}
        rest = "".join(f"  {slots:,} {STATE_WORDS[name]}" for name, slots in known.items())
        prices = "".join(
            f"  {name} {value:.12g}"
            for name in ("open", "high", "low", "close")
            if math.isfinite(value := float(getattr(chart, name)[bar]))
        )
        volume = f"  volume {short(float(chart.volume[bar]))}" if chart.candles[bar] else ""
        yield f"{moment}{prices}{volume}{rest}"
