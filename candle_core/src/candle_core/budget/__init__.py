"""Rate limits: one gate that every request passes, its counts shared by all processes of the machine."""

from candle_core.budget.distant import DistantStore
from candle_core.budget.gate import Budget
from candle_core.budget.pauses import LONGEST_PAUSE
from candle_core.budget.shared import BudgetNotSharedWarning, Remote, SharedStore, cache_root, host_of

__all__ = [
    "LONGEST_PAUSE",
    "Budget",
    "BudgetNotSharedWarning",
    "DistantStore",
    "Remote",
    "SharedStore",
    "cache_root",
    "host_of",
]
