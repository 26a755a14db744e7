"""Timeframes that Yahoo serves, and how far back each of them reaches.

Weeks and months are left to be made from days: a split within one leaves no telling in which shares it was traded.
Observed: 1m is answered for 30 days and 8 days at once, up to 90m for 60 days, 1h for 730, to the second.
"""

from collections.abc import Mapping
from typing import Final

DAY: Final = 86_400_000

INTERVALS: Final[Mapping[str, str]] = {
    "1m": "1m", "2m": "2m", "5m": "5m", "15m": "15m", "30m": "30m", "90m": "90m", "1h": "1h", "1d": "1d",
}  # fmt: skip
"""Timeframe → Yahoo's name for it."""

_MARGIN: Final = 3_600_000

REACH: Final[Mapping[str, int]] = {
    "1m": 30 * DAY - _MARGIN,
    **dict.fromkeys(("2m", "5m", "15m", "30m", "90m"), 60 * DAY - _MARGIN),
    "1h": 730 * DAY - _MARGIN,
}
"""Timeframe → milliseconds back from now; what is not here has no bound. An hour less than is served."""

LONGEST: Final[Mapping[str, int]] = {"1m": 7 * DAY}
"""Timeframe → most milliseconds asked for at once; the others are asked for up to now."""

ROWS: Final = 20_000
"""More rows than any answer has: 60 days of 2m are 12,600, 60 years of days 15,200."""
