"""What a plan says a collection would ask for, against what it asks for, from either end and around what is known."""

import random
from dataclasses import replace
from typing import Any

import pytest

import candle_core
from candle_core import blocking
from candle_core.estimate import together
from candle_hookspecs import Anchor, CollectionPlan, Limit, Spending, Symbol, to_datetime, to_ms

MINUTE = 60_000
CONFIG = {"storage": {"backend": "memory"}, "defaults": {"exchange": "FAKE", "tradetype": "SPOT"}}
START = to_ms("2023-11-01")


def stretch(chance: random.Random, longest: int) -> dict[str, Any]:
    """A range within ten days, now and then with ends off the grid."""
    begin = START + chance.randrange(14_400) * MINUTE
    jitter = [chance.choice([0, 0, 1, 999, MINUTE - 1]) for _ in range(2)]
    return {"start": begin + jitter[0], "end": begin + chance.randint(1, longest) * MINUTE + jitter[1]}


@pytest.mark.parametrize("anchors", [(Anchor.START, Anchor.END), (Anchor.END,), (Anchor.START,)], ids=str)
@pytest.mark.parametrize("seed", range(5))
async def test_a_dense_market_takes_as_many_requests_as_planned(
    clock: Any, exchange: Any, anchors: tuple[Anchor, ...], seed: int
) -> None:
    able = exchange.FakeProvider.capabilities
    exchange.FakeProvider.capabilities = replace(able, anchors=anchors)
    chance = random.Random(seed)
    async with candle_core.open(CONFIG, clock=clock) as candles:
        for _ in range(5):
            await candles.collect_candles_only("BTC/USDT", "1m", **stretch(chance, 300))
        (provider,) = exchange.instances
        for _ in range(5):
            wanted = stretch(chance, 3_000)
            provider.requests.clear()
            plan = await candles.plan_collection("BTC/USDT", "1m", **wanted)
            assert provider.requests == []
            summary = await candles.collect_candles_only("BTC/USDT", "1m", **wanted)
            assert plan.requests == len(provider.requests) == summary.api_calls_made, wanted
            counts = summary.overlap_analysis_results
            assert (plan.wanted, plan.already_covered, plan.asked) == (
                counts["wanted"], counts["already_covered"], counts["asked"],
            )  # fmt: skip
            minutes = sum((end - start).total_seconds() / 60 for start, end in plan.missing)
            assert minutes == plan.asked


def test_the_blocking_twin(clock: Any, exchange: Any) -> None:
    with blocking.open(CONFIG, clock=clock) as candles:
        plan = candles.plan_collection("BTC/USDT", "1m", start="2023-11-01", end="2023-11-02")
        # 1,440 slots in pages of 100; 600 requests a minute.
        assert (plan.requests, plan.spending[0].cost) == (15, 15)
        assert plan.estimated_seconds == pytest.approx(1.5)
        assert candles.symbols() == []


def test_plans_that_share_their_limits_add_up() -> None:
    fast, slow = Limit("weight", 6000, 60), Limit("requests", 10, 1)
    moment = to_datetime(0)
    one = CollectionPlan(
        symbol=Symbol("CRYPTO", "FAKE", "SPOT", "BTC", "USDT", "1m"), time_range=(moment, moment),
        wanted=0, already_covered=0, asked=0, spending=(Spending(fast, 3000), Spending(slow, 100)),
    )  # fmt: skip
    assert one.estimated_seconds == max(3000 / 6000 * 60, 100 / 10)
    other = replace(one, spending=(Spending(slow, 500),))
    assert together([one, other]) == (Spending(fast, 3000), Spending(slow, 600))
    assert replace(one, spending=together([one, other])).estimated_seconds == 60
    assert replace(one, spending=()).estimated_seconds == 0
