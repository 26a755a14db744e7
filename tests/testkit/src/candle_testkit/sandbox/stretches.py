"""Where a market's history is not as the synthesis has it: absent before listing and in holes, or quiet."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import numpy as np

from candle_testkit.sandbox.synth import Ints

NORMAL: Final = 0
QUIET: Final = 1
ABSENT: Final = 2

#: Beyond any instant a client may name; the end of time for half-open spans.
FOREVER: Final = 1 << 62

Span = tuple[int, int]


class Stretches:
    """A partition of time into normal, quiet and absent segments; absent wins over quiet."""

    def __init__(self, absent: Iterable[Span], quiet: Iterable[Span]) -> None:
        gaps, calm = _united(absent), _united(quiet)
        edges = sorted({edge for span in gaps + calm for edge in span})
        self.edges: Ints = np.array(edges, dtype=np.int64)
        kinds = [ABSENT if _inside(edge, gaps) else QUIET if _inside(edge, calm) else NORMAL for edge in edges]
        self.kinds: Ints = np.array([NORMAL, *kinds], dtype=np.int64)
        self._quiet, self._absent = calm, gaps

    def segments(self, instants: Ints) -> Ints:
        """The number of the segment that holds each instant; equal numbers mean nothing changes in between."""
        return np.searchsorted(self.edges, instants, side="right")

    def kind(self, instant: int) -> int:
        """NORMAL, QUIET or ABSENT."""
        return int(self.kinds[np.searchsorted(self.edges, instant, side="right")])

    def pieces(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """``[start, end)`` cut at the edges, as ``(start, end, kind)`` in order."""
        inner = [int(edge) for edge in self.edges[(self.edges > start) & (self.edges < end)]]
        bounds = [start, *inner, end]
        return [(a, b, self.kind(a)) for a, b in pairwise(bounds) if a < b]

    def present_from(self, instant: int) -> int:
        """The first instant at or after this one that is not absent (:data:`FOREVER` when there is none)."""
        return next((end for start, end in self._absent if start <= instant < end), instant)

    def present_before(self, instant: int) -> int:
        """The last instant at or before this one that is not absent (negative when there is none)."""
        return next((start - 1 for start, end in self._absent if start <= instant < end), instant)

    def quiet_anchor(self, instant: int) -> int:
        """The instant whose price a quiet bar repeats: the opening of its stretch, or of the hole right before it."""
        start = next(start for start, end in self._quiet if start <= instant < end)
        hole = next((gap for gap in self._absent if gap[0] < start <= gap[1] and gap[0] > 0), None)
        return hole[0] if hole else start


def _united(spans: Iterable[Span]) -> list[Span]:
    united: list[Span] = []
    for start, end in sorted(spans):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united


def _inside(instant: int, spans: list[Span]) -> bool:
    return any(start <= instant < end for start, end in spans)
