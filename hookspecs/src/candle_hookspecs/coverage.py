"""Proof: which stretches of time a source has answered for, and why that may be believed."""

from dataclasses import dataclass
from enum import StrEnum

from candle_hookspecs.times import Span


class CoverageState(StrEnum):
    """What is known of a stretch."""

    ANSWERED = "answered"  # every candle that exists there was given; what is absent does not exist
    NOT_LISTED = "not-listed"  # the market did not trade yet, or no more
    OUT_OF_REACH = "out-of-reach"  # this source cannot answer for it; another may


class Evidence(StrEnum):
    """How it was proven."""

    ANCHORED = "anchored"  # the answer ran in order from the request's fixed end to its farthest row
    BRACKETED = "bracketed"  # between two rows of one answer
    REPEATED = "repeated"  # asserted empty twice, from different anchors
    LISTING = "listing"  # the exchange states when the market began or ended, or nothing precedes its first candle
    DECLARED = "declared"  # the provider vouches for the whole span (a verified archive file, a reach limit)
    IMPORTED = "imported"  # rows from a user's file; never proof of emptiness


@dataclass(frozen=True, slots=True)
class Proof:
    """What one answer proves of a span."""

    span: Span
    evidence: Evidence
    state: CoverageState = CoverageState.ANSWERED


@dataclass(frozen=True, slots=True)
class Coverage:
    """A fact: `source` proved `state` of `span`, answering at `answered_at` (the exchange's clock, UTC ms)."""

    span: Span
    state: CoverageState
    evidence: Evidence
    source: str
    answered_at: int
