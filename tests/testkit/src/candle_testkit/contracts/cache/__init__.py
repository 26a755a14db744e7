"""What a cache must do, as a pytest class to subclass.

    from candle_testkit.contracts.cache import CacheContract

    class TestExampleCache(CacheContract):
        shared = True

        def build(self, folder):
            return ExampleCache(folder / "cache")

A cache that nobody else sees leaves out `shared`; what its checks need is skipped.
"""

import asyncio
import random
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from candle_hookspecs import Cache, CacheUnavailableError
from candle_testkit.contracts.cache.contests import calls, contend, count, until_back
from candle_testkit.contracts.cache.stage import LONG, SHORT, Stage, check

VALUES: Final = {
    "nothing": b"",
    "a zero byte": b"\0",
    "a number": b"123",
    "a word that means nothing elsewhere": b"None",
    "no text": bytes(range(256)),
    "text": '{"symbol": "BTC/원"}'.encode(),
    "line ends": b" \r\n$-1\r\n",
    "a pickle": b"\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00K\x01.",
}
LARGE: Final = 5_000_000
"""Bytes."""
KEYS: Final = (
    "market:info:*",
    "market:info:%",
    "market:info:binance",
    "market:info:BINANCE",
    "lock:market:info:binance",
    "market_info_binance",
    "'; DROP TABLE cache; --",
    "with space",
    "with space ",
    "with\nline",
    "with\0zero",
    "../../elsewhere",
    "업비트",
    "{a}",
    "x" * 1_000,
)
"""What others take for a pattern comes first, while what it would meet is there."""


class CacheContract:
    """The checks. Subclass it under a name that pytest collects, and say how to `build` the cache.

    Attributes:
        shared: two caches of one folder are one.
        goes_away: the suite can make it unavailable: there are `take_away` and `bring_back`.
    """

    shared: ClassVar[bool] = False
    goes_away: ClassVar[bool] = False

    def build(self, folder: Path) -> Cache:
        """A cache; where `shared`, one with all others of this folder. It is called on a running event loop."""
        raise NotImplementedError

    async def close(self, cache: Any) -> None:
        """Let it go of what it holds. Called twice for some."""

    async def pass_time(self, seconds: float) -> None:
        """Let time pass for the cache."""
        await asyncio.sleep(seconds)

    async def take_away(self, folder: Path) -> None:
        """Make the caches of this folder unavailable."""
        raise NotImplementedError

    async def bring_back(self, folder: Path) -> None:
        """Make them available again; what they held may be lost."""
        raise NotImplementedError

    # ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @check
    async def test_what_was_put_comes_back(self, stage: Stage) -> None:
        """To the byte, whatever it looks like."""
        for name, value in VALUES.items():
            await stage.cache.set(name, value, LONG)
        for name, value in VALUES.items():
            found = await stage.cache.get(name)
            assert found == value, f"put {value!r} ({name}), got {found!r}"
            assert isinstance(found, bytes), f"{name} is bytes, not {type(found).__name__}"

    @check
    async def test_a_large_value_comes_back_whole(self, stage: Stage) -> None:
        """A listing of many markets is some megabytes."""
        value = random.Random(8).randbytes(LARGE)
        await stage.cache.set("large", value, LONG)
        found = await stage.cache.get("large")
        assert found == value, f"{LARGE} bytes became {len(found or b'')}, or others"

    @check
    async def test_what_is_not_there_is_none(self, stage: Stage) -> None:
        """Never there, or no more; to forget it again is no error."""
        assert await stage.cache.get("a") is None, "never put"
        await stage.cache.delete("a")
        await stage.cache.set("a", b"1", LONG)
        await stage.cache.delete("a")
        await stage.cache.delete("a")
        assert await stage.cache.get("a") is None, "deleted"

    @check
    async def test_a_later_value_replaces_an_earlier_one_and_its_time(self, stage: Stage) -> None:
        """A shorter value, a longer time; and the other way round."""
        await stage.cache.set("longer", b"long and old", SHORT)
        await stage.cache.set("longer", b"new", LONG)
        await stage.cache.set("shorter", b"old", LONG)
        await stage.cache.set("shorter", b"new and long", SHORT)
        await self.pass_time(2 * SHORT)
        assert await stage.cache.get("longer") == b"new", "it has the time it was given last"
        assert await stage.cache.get("shorter") is None, "it has the time it was given last"

    @check
    async def test_a_value_expires_when_its_time_is_over_and_not_before(self, stage: Stage) -> None:
        """Times may be parts of a second."""
        await stage.cache.set("short", b"1", SHORT)
        await stage.cache.set("long", b"2", LONG)
        await self.pass_time(2 * SHORT)
        assert await stage.cache.get("short") is None, f"put for {SHORT} s, and there after {2 * SHORT} s"
        assert await stage.cache.get("long") == b"2", f"put for {LONG} s, and gone after {2 * SHORT} s"

    @check
    async def test_a_key_is_but_a_name(self, stage: Stage) -> None:
        """None is another's pattern, prefix, path or spelling."""
        for number, key in enumerate(KEYS):
            await stage.cache.set(key, b"%d" % number, LONG)
        for number, key in enumerate(KEYS):
            assert await stage.cache.get(key) == b"%d" % number, f"another key than {key[:40]!r} was meant"
        for number, key in enumerate(KEYS):
            await stage.cache.delete(key)
            assert await stage.cache.get(key) is None, f"{key[:40]!r} was deleted"
            left = [other for other in KEYS[number + 1 :] if await stage.cache.get(other) is None]
            assert not left, f"with {key[:40]!r}, {left} went as well"

    @check
    async def test_calls_at_one_time_get_their_own_answers(self, stage: Stage) -> None:
        """Whatever they share below."""
        keys = [f"key {number}" for number in range(50)]
        await asyncio.gather(*(stage.cache.set(key, key.encode() * 1_000, LONG) for key in keys))
        found = await asyncio.gather(*(stage.cache.get(key) for key in keys * 2))
        wrong = [key for key, value in zip(keys * 2, found, strict=True) if value != key.encode() * 1_000]
        assert not wrong, f"got somebody else's answer: {wrong}"

    @check
    async def test_a_call_that_is_given_up_disturbs_no_other(self, stage: Stage) -> None:
        """Its answer may still come, and is then nobody's."""
        await stage.cache.set("large", bytes(LARGE), LONG)
        await stage.cache.set("small", b"small", LONG)
        for pause in (0, 0.0005, 0.001, 0.002, 0.004, 0.008):
            task = asyncio.ensure_future(stage.cache.get("large"))
            await asyncio.sleep(pause)
            task.cancel()
            await asyncio.wait([task])
            assert await stage.cache.get("small") == b"small", f"after a call given up within {pause} s"

    # ── swap ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @check
    async def test_swap_does_nothing_unless_the_old_value_is_there(self, stage: Stage) -> None:
        """Nothing is None, and an empty value is something."""
        cache = stage.cache
        for there in (None, b"", b"old"):
            for old in (None, b"", b"old", b"other"):
                for new in (None, b"", b"old", b"new"):
                    await cache.delete("lock")
                    if there is not None:
                        await cache.set("lock", there, LONG)
                    done, left = await cache.swap("lock", old, new, LONG), await cache.get("lock")
                    case = f"with {there!r} there, swap({old!r}, {new!r})"
                    assert done is (there == old), f"{case} said {done!r}"
                    assert left == (new if there == old else there), f"{case} left {left!r}"

    @check
    async def test_what_is_swapped_in_has_its_own_time(self, stage: Stage) -> None:
        """A lease: it ends, is renewed, and is not prolonged by those who fail to take it."""
        cache, loop = stage.cache, asyncio.get_running_loop()
        for turn in range(100):
            began = loop.time()
            ends, fails, renewed = f"ends {turn}", f"fails {turn}", f"renewed {turn}"
            for key in (ends, fails, renewed):
                assert await cache.swap(key, None, b"me", SHORT)
            said = await cache.swap(renewed, b"me", b"me", LONG), await cache.swap(fails, None, b"you", LONG)
            if loop.time() - began < SHORT:  # else the leases may have ended meanwhile
                break
        else:
            pytest.fail(f"five calls never took less than {SHORT} s")
        assert said == (True, False), "a lease that lasts is renewed by its holder, and is nobody else's"
        await self.pass_time(2 * SHORT)
        assert await cache.get(renewed) == b"me", "a lease that is renewed lasts"
        assert await cache.get(ends) is None, "a lease ends with its time"
        assert await cache.get(fails) is None, "who fails to take it does not prolong it"

    @check
    async def test_to_swap_what_has_expired_is_to_swap_nothing(self, stage: Stage) -> None:
        """Who held it holds it no more; anybody may take it."""
        await stage.cache.set("lock", b"me", SHORT)
        await self.pass_time(2 * SHORT)
        assert not await stage.cache.swap("lock", b"me", b"me", LONG), "who lost a lease cannot renew it"
        assert await stage.cache.swap("lock", None, b"you", LONG), "what has expired is not there"

    @check
    async def test_of_many_who_swap_one_wins(self, stage: Stage) -> None:
        """And its value is the one that is there."""
        await contend([stage.cache])

    @check
    async def test_nothing_is_lost_between_reading_and_swapping(self, stage: Stage) -> None:
        """Many count one number up, each beginning anew where somebody was faster."""
        await count([stage.cache])

    # ── several caches ───────────────────────────────────────────────────────────────────────────────────────────────

    @check
    async def test_two_who_share_see_the_same(self, stage: Stage) -> None:
        """What one puts or forgets, the other finds or misses."""
        one, other = stage.cache, stage.other()
        await one.set("a", b"1", LONG)
        await one.set("short", b"1", SHORT)
        assert await other.get("a") == b"1", "put by one, unseen by the other"
        await other.set("a", b"2", LONG)
        assert await one.get("a") == b"2", "replaced by the other, still the old one here"
        await one.delete("a")
        assert await other.get("a") is None, "deleted by one, still there for the other"
        await self.pass_time(2 * SHORT)
        assert await other.get("short") is None, "put for a short time by one, still there for the other"

    @check
    async def test_of_two_who_share_one_wins(self, stage: Stage) -> None:
        """A lock holds for all of them."""
        await contend([stage.cache, stage.other()])
        await count([stage.cache, stage.other()])

    # ── an end, and an outage ────────────────────────────────────────────────────────────────────────────────────────

    @check
    async def test_a_closed_cache_works_or_says_that_it_is_unavailable(self, stage: Stage) -> None:
        """It may be closed twice, and takes nothing with it that others share."""
        await stage.cache.set("a", b"1", LONG)
        await self.close(stage.cache)
        await self.close(stage.cache)
        if self.shared:
            assert await stage.build().get("a") == b"1", "closing one has cost the others a value"
        for call in calls(stage.cache):
            try:
                await call()
            except CacheUnavailableError:
                continue
            except Exception as error:  # noqa: BLE001 - whatever else it is, it is the finding
                pytest.fail(f"a closed cache raised {error!r}")

    @check
    async def test_a_cache_that_is_away_says_so_and_comes_back(self, stage: Stage) -> None:
        """By a `CacheUnavailableError` and nothing else; then everything is as before, but for the values."""
        if not self.goes_away:
            pytest.skip("this cache cannot be made to go away")
        await stage.cache.set("a", b"1", LONG)
        await self.take_away(stage.folder)
        try:
            for call in calls(stage.cache):
                try:
                    answer = await call()
                except CacheUnavailableError:
                    continue
                except Exception as error:  # noqa: BLE001 - whatever else it is, it is the finding
                    pytest.fail(f"{call.func.__name__}: a cache that is away raised {error!r}")
                pytest.fail(f"{call.func.__name__}: a cache that is away answered {answer!r}")
        finally:
            await self.bring_back(stage.folder)
        await until_back(stage.cache)
        await stage.cache.set("a", b"2", LONG)
        assert await stage.cache.get("a") == b"2", "a cache that came back does not keep"
