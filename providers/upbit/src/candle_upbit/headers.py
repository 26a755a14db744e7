"""What Upbit's headers say of the limits."""

import re
from collections.abc import Mapping
from typing import Final

from candle_hookspecs import LimitFeedback
from candle_upbit.calls import TRADES

_REMAINING: Final = re.compile(r"group=([\w-]+);\s*min=\d+;\s*sec=(\d+)")
"""``Remaining-Req: group=candles; min=600; sec=9``. `min` is deprecated; `sec` is what is left in this second."""

_GROUPS: Final = {"crix-trades": TRADES}
"""What the header calls a group → what it is called here, where the two differ."""


def remaining(headers: Mapping[str, str]) -> LimitFeedback:
    """How much is left of the group that the request belonged to."""
    found = _REMAINING.search(headers.get("Remaining-Req", ""))
    return LimitFeedback(remaining={_GROUPS.get(found[1], found[1]): float(found[2])} if found else {})
