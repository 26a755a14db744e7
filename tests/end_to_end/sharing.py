"""Three who share one limit of one exchange, and what may be said of what they sent."""

import time
from pathlib import Path

from candle_testkit.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
MINUTE = 60_000
SPEED = 10.0
WEIGHT = 200
"""A hundred pages a minute, which at this speed lasts six seconds."""
UNUSED = WEIGHT // 4
"""Weight that may be left over in a minute: what is under way when it turns counts on both sides, and on a busy machine
that is much of a minute which lasts six seconds. Nothing may be spent beyond the limit."""
REACTION = 20_000
"""Milliseconds of the sandbox's clock: two seconds here. What was sent before a ban was heard of may still arrive."""


def until(sandbox: Sandbox, moment: int) -> None:
    while sandbox.clock.now() < moment:
        time.sleep(0.01)


def until_all_are_at_work(sandbox: Sandbox) -> None:
    """All three ask for candles, of years of their own."""
    deadline = time.monotonic() + 60
    while len({request.params.get("startTime", "")[:4] for request in sandbox.ledger.requests()}) < 4:
        assert time.monotonic() < deadline, "not all of them are at work"
        time.sleep(0.01)
