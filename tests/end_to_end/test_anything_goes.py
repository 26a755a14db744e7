"""Random markets, ranges, moments and faults: whatever comes together, the truth is what is stored in the end."""

import random
from typing import Any

import pytest

from candle_testkit.sandbox import MarketConfig, OffGrid
from tests.end_to_end.clocks import FastClock
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.world import MINUTE, World, after, bitcoin, ms

START = "2024-01-01"
LENGTH = 20_000
LIES: dict[str, dict[str, Any]] = {"lying_empty": {}, "one_row": {}, "short": {"rows": 7}}
"""Rows withheld. Believed when the differently anchored probe lies as well, so there is one of them at a time."""
CUT = {"one_row": ("keep", ["first", "last"]), "short": ("side", ["first", "last"])}
SLIPS: dict[str, dict[str, Any]] = {
    "duplicates": {"rows": 3}, "reordered": {}, "nan": {}, "truncated": {}, "html": {}, "status": {"status": 503},
    "reset": {}, "wrong_shape": {"shape": "null_price"}, "rate_limited": {},
}  # fmt: skip


def at(minute: float) -> str:
    return after(START, minute)


def some_market(chance: random.Random) -> MarketConfig:
    """Listed before, inside or after the stretch; perhaps delisted; holes of all sizes; odd rows anywhere."""
    listed = chance.choice([-50_000, -50_000, chance.randrange(LENGTH)])
    options: dict[str, Any] = {"listed": at(listed)}
    if chance.random() < 0.3:
        options["delisted"] = at(max(listed, 0) + chance.randrange(1, LENGTH))
    holes = []
    for _ in range(chance.randrange(6)):
        begin = chance.randrange(LENGTH)
        holes.append((at(begin), at(begin + chance.choice([1, 2, 60, 999, 1_000, 1_001, 5_000]))))
    slots = {chance.choice([chance.randrange(LENGTH), chance.randrange(1, 20) * 1_000 - 1]) for _ in range(12)}
    odd = [OffGrid("1m", at(slot), chance.randrange(1, 60) * 1_000, extra=chance.random() < 0.5) for slot in slots]
    return bitcoin(holes=holes, off_grid=odd, **options)


def a_range(chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(-2_000, LENGTH - 1)
    return start, start + chance.choice([1, 10, 1_000, chance.randrange(1, LENGTH - start)])


def misbehave(world: World, chance: random.Random, start: int, end: int, lies: list[str]) -> None:
    """Perhaps a lie, perhaps a few slips, somewhere in the range."""
    slips = chance.sample(list(SLIPS), chance.randrange(3))
    for kind in [*chance.sample(lies, chance.randrange(2)), *slips]:
        options = dict((LIES | SLIPS)[kind])
        if kind in CUT:
            name, ends = CUT[kind]
            options[name] = chance.choice(ends)
        world.sandbox.faults.script(kind, at=at(chance.randrange(start, end)), **options)


async def collect_somehow(world: World, chance: random.Random, start: int, end: int) -> None:
    (market,) = world.sandbox.markets.values()
    # Where a market has ended, the probe is the first to be asked, and nobody is left to contradict it.
    misbehave(world, chance, start, end, list(LIES) if market.config.delisted is None else ["lying_empty"])
    world.forget()
    summary = await world.collect(at(start), at(end))
    world.sandbox.faults.clear()
    assert summary.complete
    # Every page, one more where the range ends on a full one, three for each fault, two for where the market begins;
    # and for each earlier range the stretch that is missing may fall into one part more.
    assert len(world.asked()) <= (end - start) / 1_000 + 20
    world.assert_complete(at(start), at(end))


@pytest.mark.parametrize("seed", range(16))
async def test_anything_goes(make_world: MakeWorld, seed: int) -> None:
    chance = random.Random(seed)
    world = make_world(
        some_market(chance), at="2024-06-01T00:00:30", speed=20, clock=FastClock("2024-06-01T00:00:30", 20)
    )
    for _ in range(4):
        await collect_somehow(world, chance, *a_range(chance))
    await collect_somehow(world, chance, -1_000, LENGTH)
    world.forget()
    await world.collect(at(-1_000), at(LENGTH))
    assert world.asked() == []


@pytest.mark.parametrize("seed", range(6))
async def test_following_the_present_through_anything(make_world: MakeWorld, seed: int) -> None:
    """Collected again and again while the market goes on, halts and lies: in the end nothing is lost or frozen."""
    chance = random.Random(seed)
    market = some_market(chance)
    world = make_world(market, clock=FastClock(START, 20))
    now = max(100.0, (market.listed_ms - ms(START)) / MINUTE + 1)
    while now < LENGTH:
        world.sandbox.clock.set(at(now))
        world.forget()
        misbehave(world, chance, -100, int(now), ["lying_empty"])
        await world.collect(at(-100))
        world.sandbox.faults.clear()
        world.assert_honest()
        now += chance.choice([0.05, 0.6, 1, 7, 30, 400, 2_500])
    world.sandbox.clock.set(at(LENGTH + 5_000))
    await world.collect(at(-100), at(LENGTH))
    world.assert_complete(at(-100), at(LENGTH))
