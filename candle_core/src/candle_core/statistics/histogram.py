"""Quantiles of how long things take, without keeping what is counted."""

import math
from collections.abc import Mapping
from typing import Final

GROWTH: Final = 1.04
"""Each bucket reaches so much further than the one before."""
ERROR: Final = (GROWTH - 1) / (GROWTH + 1)
"""A quantile is right to within this share of itself."""
SHORTEST: Final = 1e-5
LONGEST: Final = 1e4
"""Seconds; what lies outside counts as one of these. So there are 530 buckets at most."""

_SCALE: Final = 1 / math.log(GROWTH)


class Histogram:
    """How often something took how long, in buckets that widen by a constant factor.

    Bucket i holds what is longer than ``GROWTH**(i - 1)`` seconds and at most ``GROWTH**i``. The value told for it is
    ``2 * GROWTH**i / (GROWTH + 1)``, which is as far from its one end as from the other, by their own measure (Masson,
    Rim, Lee: DDSketch, VLDB 2019, lemma 2).

    Args:
        counts: bucket → how many.
    """

    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: dict[int, int] = dict(counts or {})

    def add(self, seconds: float) -> None:
        """Count one."""
        bucket = math.ceil(math.log(min(max(seconds, SHORTEST), LONGEST)) * _SCALE)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1

    def merge(self, other: "Histogram") -> None:
        """Count everything that another one has counted."""
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    def quantile(self, share: float) -> float | None:
        """The seconds within which that share of all was done: the value of rank ``ceil(share * n)``; None: n is 0."""
        rank = math.ceil(share * sum(self.counts.values()))
        for bucket in sorted(self.counts):
            rank -= self.counts[bucket]
            if rank <= 0:
                return float(2 * GROWTH**bucket / (GROWTH + 1))
        return None
