"""What the kernel hands back to its users."""

from candle_hookspecs.results.collection import (
    CollectionConfig,
    CollectionPlan,
    CollectionProgress,
    CollectionSummary,
    Spending,
    StreamingConfig,
    StreamingMeta,
    TimeRange,
)
from candle_hookspecs.results.moved import CopyProgress, CopyState, CopySummary, ImportSummary, SymbolCopy
from candle_hookspecs.results.stored import Anomaly, AnomalyKind, Revision, SlotReport, SymbolSummary, VerifyReport
from candle_hookspecs.results.updates import UpdateProgress, UpdateResult, UpdateState
from candle_hookspecs.results.warmups import ExchangeWarmup, WarmupProgress, WarmupResult

__all__ = [
    "Anomaly",
    "AnomalyKind",
    "CollectionConfig",
    "CollectionPlan",
    "CollectionProgress",
    "CollectionSummary",
    "CopyProgress",
    "CopyState",
    "CopySummary",
    "ExchangeWarmup",
    "ImportSummary",
    "Revision",
    "SlotReport",
    "Spending",
    "StreamingConfig",
    "StreamingMeta",
    "SymbolCopy",
    "SymbolSummary",
    "TimeRange",
    "UpdateProgress",
    "UpdateResult",
    "UpdateState",
    "VerifyReport",
    "WarmupProgress",
    "WarmupResult",
]
