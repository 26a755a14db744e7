"""A memory cache: values expire, and neither their number nor their bytes exceed the bounds."""

import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.cache import MemoryCache
from candle_hookspecs import BadInputError


class Timer:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def make(**bounds: Any) -> tuple[MemoryCache[str, bytes], Timer]:
    timer = Timer()
    return MemoryCache(len, timer=timer, **bounds), timer


def test_a_value_is_there_until_it_expires() -> None:
    cache, timer = make()
    cache.set("a", b"1", ttl=2)
    cache.set("b", b"22", ttl=4)
    timer.seconds = 1.9
    assert (cache.get("a"), cache.get("b"), len(cache), cache.size) == (b"1", b"22", 2, 3)
    timer.seconds = 2
    assert (cache.get("a"), cache.get("b"), len(cache), cache.size) == (None, b"22", 1, 2)


def test_a_value_may_be_too_old_for_one_and_not_for_another() -> None:
    cache, timer = make()
    cache.set("a", b"1", ttl=10)
    timer.seconds = 3
    assert [cache.get("a", age) for age in (0, 2.9, 3, 3.1, None)] == [None, None, None, b"1", b"1"]


def test_what_is_deleted_is_gone_and_an_absent_key_is_no_error() -> None:
    cache, _ = make()
    cache.set("a", b"1", ttl=10)
    cache.set("b", b"1", ttl=10)
    cache.delete("a")
    cache.delete("a")
    assert (cache.get("a"), cache.get("b")) == (None, b"1")
    cache.clear()
    assert (cache.get("b"), len(cache), cache.size) == (None, 0, 0)


def test_what_was_not_used_for_longest_goes_first() -> None:
    cache, _ = make(max_entries=2)
    cache.set("a", b"1", ttl=10)
    cache.set("b", b"2", ttl=10)
    cache.get("a")
    cache.set("c", b"3", ttl=10)
    assert [cache.get(key) for key in "abc"] == [b"1", None, b"3"]


def test_a_value_larger_than_the_cache_is_not_kept_and_takes_the_place_of_none() -> None:
    cache, _ = make(max_bytes=10)
    cache.set("a", b"old", ttl=10)
    cache.set("b", b"1", ttl=10)
    cache.set("a", b"x" * 11, ttl=10)
    assert (cache.get("a"), cache.get("b")) == (None, b"1")


def test_a_time_of_zero_keeps_nothing() -> None:
    cache, _ = make()
    cache.set("a", b"1", ttl=0)
    assert cache.get("a") is None


@pytest.mark.parametrize("bounds", [{"max_entries": 0}, {"max_bytes": 0}])
def test_bounds_that_hold_nothing_are_refused(bounds: dict[str, int]) -> None:
    with pytest.raises(BadInputError, match=next(iter(bounds))):
        make(**bounds)


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 12), st.integers(0, 5), st.integers(0, 3))),
    st.integers(1, 5),
    st.integers(1, 30),
)
def test_never_more_than_allowed_and_never_anything_else_than_was_set(
    steps: list[tuple[str, int, int, int]], max_entries: int, max_bytes: int
) -> None:
    cache, timer = make(max_entries=max_entries, max_bytes=max_bytes)
    true: dict[str, tuple[bytes, float]] = {}
    for number, (key, size, ttl, wait) in enumerate(steps):
        value = bytes([number % 256]) * size
        cache.set(key, value, ttl)
        true[key] = (value, timer.seconds + ttl)
        timer.seconds += wait
        assert len(cache) <= max_entries
        assert cache.size <= max_bytes
        for other, (expected, until) in true.items():
            found = cache.get(other)
            assert found in (None, expected)
            assert found is None or timer.seconds < until


@pytest.mark.skipif(sys.platform != "linux", reason="a clock of Linux")
def test_a_laptop_that_slept_remembers_nothing_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The monotonic clock of Linux stands still while the machine is suspended, which a test cannot do; another does
    not: https://man7.org/linux/man-pages/man2/clock_gettime.2.html."""
    slept = 0.0
    clocks = time.clock_gettime
    monkeypatch.setattr("time.clock_gettime", lambda which: clocks(which) + slept * (which == time.CLOCK_BOOTTIME))
    cache: MemoryCache[str, bytes] = MemoryCache(len)
    cache.set("a", b"1", ttl=3_600)
    assert cache.get("a") == b"1"
    slept = 8 * 3_600.0
    assert cache.get("a") is None
