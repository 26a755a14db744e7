"""The budget's store on a real Redis: one lock, one clock, and nothing that stops the event loop for long."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from textwrap import dedent
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis

from candle_hookspecs import CacheUnavailableError, StoreBusyError
from candle_redis import RedisBudgetStore
from candle_testkit.redis import RedisServer, running

WEEK = 7 * 86_400
PATIENCE = 120.0
Opener = Callable[..., RedisBudgetStore]
Lease = Callable[[int], None]


@pytest.fixture(autouse=True)
def lease(monkeypatch: pytest.MonkeyPatch) -> Lease:
    """Sets for how many milliseconds a lock is its holder's from now on; so long, if nothing is said, that nobody is
    too slow for it."""

    def set_to(milliseconds: int) -> None:
        monkeypatch.setattr("candle_redis.budget._LEASE", milliseconds)

    set_to(60_000)
    return set_to


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Opens a store, which is patient if nothing else is said, and waits for its connection if somebody is there."""
    with ExitStack() as stores:

        def opener(url: SecretStr | str, *, there: bool = True, **options: Any) -> RedisBudgetStore:
            secret = url if isinstance(url, SecretStr) else SecretStr(url)
            store = stores.enter_context(closing(RedisBudgetStore(secret, **{"timeout": 30.0, **options})))
            if there:
                until_there(store)
            return store

        yield opener


def write(store: RedisBudgetStore, turn: int = 1, then: Callable[[], object] = lambda: None) -> None:
    """A transaction in which something happens."""
    with store.transaction("a") as records:
        records["a"] = {"turn": turn}
        then()


def until_there(store: RedisBudgetStore) -> None:
    """Until a transaction succeeds: connections are made beside the loop, and leases end by themselves."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with store.transaction("a"):
                return
        except (StoreBusyError, CacheUnavailableError):
            time.sleep(0.005)
    pytest.fail("it never came")


def told(store: RedisBudgetStore) -> str:
    """What a transaction says that does not find Redis."""
    with pytest.raises(CacheUnavailableError) as caught, store.transaction("a"):
        pytest.fail("nobody is there")
    return str(caught.value)


def until_told(store: RedisBudgetStore, words: str) -> None:
    """Until somebody says why no connection could be made."""
    deadline = time.monotonic() + PATIENCE
    while words not in (message := told(store)):
        assert time.monotonic() < deadline, message
        time.sleep(0.01)


# ── transactions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_one_writes_another_reads(url: SecretStr, prefix: str, opened: Opener) -> None:
    one, other = opened(url, prefix=prefix), opened(url, prefix=prefix)
    with one.transaction("a", "b") as records:
        assert records == {"a": None, "b": None}
        records["a"] = {"spent": [28_333_334, 1.5, 0.0], "waiting": {"1-ab": [2, 1_700_000_000_000, 5]}}
    with other.transaction("b", "a") as records:
        assert records == {
            "b": None,
            "a": {"spent": [28_333_334, 1.5, 0.0], "waiting": {"1-ab": [2, 1_700_000_000_000, 5]}},
        }


def test_an_error_ends_the_block_and_nothing_was_written(url: SecretStr, prefix: str, opened: Opener) -> None:
    store = opened(url, prefix=prefix)
    with pytest.raises(ZeroDivisionError):
        write(store, then=lambda: 1 / 0)
    with store.transaction("a") as records:
        assert records == {"a": None}, "and the lock is free"


def test_who_comes_meanwhile_is_told_at_once(server: RedisServer, opened: Opener) -> None:
    one, other = opened(server.url), opened(server.url)
    with Redis.from_url(server.url) as redis, one.transaction("a") as records:
        redis.config_resetstat()
        with pytest.raises(StoreBusyError), other.transaction("z"):
            pytest.fail("the lock is held")
        assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] == 1, "it asks once"
        records["a"] = {"turn": 1}
    with other.transaction("a") as records:
        assert records["a"] == {"turn": 1}


def test_who_takes_too_long_loses_the_lock_and_destroys_nothing(
    url: SecretStr, prefix: str, opened: Opener, lease: Lease
) -> None:
    slow, quick = opened(url, prefix=prefix), opened(url, prefix=prefix)

    def dawdle() -> None:
        lease(60_000)
        until_there(quick)
        write(quick, 2)

    lease(50)
    with pytest.raises(StoreBusyError):
        write(slow, 1, then=dawdle)
    with slow.transaction("a") as records:
        assert records["a"] == {"turn": 2}


def test_who_is_killed_while_holding_the_lock_holds_others_up_for_half_a_second(
    url: SecretStr, prefix: str, opened: Opener
) -> None:
    program = """
        import sys, time
        from pydantic import SecretStr
        from candle_redis import RedisBudgetStore, budget
        budget._GREETING = 60
        with RedisBudgetStore(SecretStr(sys.argv[1]), prefix=sys.argv[2], timeout=60).transaction("a") as records:
            records["a"] = {"turn": 1}
            print("holding", flush=True)
            time.sleep(600)
    """
    store = opened(url, prefix=prefix)
    command = [sys.executable, "-c", dedent(program), url.get_secret_value(), prefix]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder, Redis.from_url(url.get_secret_value()) as redis:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"holding\n"
        left = redis.pttl(f"{prefix}budget:lock")
        holder.kill()
    assert left <= 500, "milliseconds that the lock lives on, by the clock of Redis"
    until_there(store)
    with store.transaction("a") as records:
        assert records["a"] is None, "what was written under it never happened"


def test_records_live_for_a_week_after_the_last_change(server: RedisServer, opened: Opener) -> None:
    store = opened(server.url)
    with store.transaction("a", "b") as records:
        records["a"] = {"turn": 1}
    with Redis.from_url(server.url) as redis:
        assert redis.keys() == [b"budget:a"], "what did not change is not written"
        assert WEEK - 10 < redis.ttl("budget:a") <= WEEK
        redis.expire("budget:a", 100)
        with store.transaction("a") as records:
            pass
        assert redis.ttl("budget:a") <= 100
        with store.transaction("a") as records:
            records["a"] = {"turn": 2}
        assert WEEK - 10 < redis.ttl("budget:a") <= WEEK


# ── the clock ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("skew", [3_000, -3_600_000])
def test_the_clock_of_redis_is_known_to_a_moment(
    server: RedisServer, opened: Opener, monkeypatch: pytest.MonkeyPatch, skew: int
) -> None:
    true_time = time.time_ns

    def error(ahead: int) -> float:
        """Milliseconds by which a block sees another difference, beyond those that it took to get there."""
        began = time.monotonic()
        with store.transaction("a"):
            return abs(store.ahead - ahead) - (time.monotonic() - began) * 1000

    monkeypatch.setattr(time, "time_ns", lambda: true_time() + skew * 1_000_000)
    store = opened(server.url)
    assert max(error(-skew) for _ in range(20)) <= 1
    monkeypatch.setattr(time, "time_ns", true_time)
    assert error(0) <= 1, "a clock that is set is followed"


# ── when Redis is away ───────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_there_is_said_and_who_comes_is_found(server: RedisServer, opened: Opener) -> None:
    store = opened(server.url)
    with store.transaction("a") as records:
        records["a"] = {"turn": 1}
    server.kill()
    until_told(store, "refused")
    server.start()
    until_there(store)
    with store.transaction("a") as records:
        assert records == {"a": None}, "it kept nothing"
        records["a"] = {"turn": 1}


def test_one_that_does_not_answer_stops_the_loop_for_no_longer_than_was_said(
    server: RedisServer, opened: Opener, lease: Lease
) -> None:
    store = opened(server.url, timeout=0.5)
    lease(50)  # Redis still does what it was told when it goes on, and nobody lets go of that lock
    server.stop()
    assert "Timeout" in told(store), "the call that was under way"
    store._pool.connection_kwargs["socket_timeout"] = 2 * PATIENCE
    # A new connection is waited for in a thread, and not by those who come meanwhile.
    assert ["no connection yet" in told(store) for _ in range(3)] == [True] * 3
    server.go_on()
    lease(60_000)
    until_there(store)


def test_a_host_that_swallows_everything_does_not_stop_the_loop(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as callers:
        for _ in range(3):  # the line before it is full; further calls are not even refused
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        url = f"redis://127.0.0.1:{full.getsockname()[1]}"
        until_told(opened(url, there=False), "Timeout")
        monkeypatch.setattr("candle_redis.budget._CONNECTING", 2 * PATIENCE)
        assert "no connection yet" in told(opened(url, there=False)), "before it is known that nobody is there"


def test_a_connection_that_is_cut_in_the_block_is_told(server: RedisServer, opened: Opener) -> None:
    store = opened(server.url)
    with pytest.raises(CacheUnavailableError):
        write(store, then=server.kill)
    server.start()
    until_there(store)

    def fail() -> None:
        server.kill()
        raise KeyError

    with pytest.raises(KeyError):
        write(store, then=fail)  # what went wrong first is what is told


@pytest.mark.parametrize("name", ["url", "unix_url"])
def test_the_place_is_named_and_the_password_is_not(opened: Opener, name: str) -> None:
    with running("pa/ss:w@rd") as server:
        opened(getattr(server, name))
        wrong = getattr(server, name).replace("rd@", "rd9@")
        store = opened(wrong, there=False)
        until_told(store, "invalid")
        with pytest.raises(CacheUnavailableError) as caught, store.transaction("a"):
            pytest.fail("a wrong password")
    shown = f"{caught.value!r} {caught.value.__cause__!r} {store!r}"
    assert "rd9" not in shown
    assert (f"127.0.0.1:{server.port}" if name == "url" else str(server.socket)) in str(caught.value)


@pytest.mark.parametrize("value", ["{", b"\xff", "[1, 2]", "5"])
def test_what_is_no_record_is_told_every_time(server: RedisServer, opened: Opener, value: str | bytes) -> None:
    with Redis.from_url(server.url) as redis:
        store = opened(server.url)
        redis.set("budget:a", value)
        for _ in range(3):  # and not once, and then that it is locked: that would be waited for
            with pytest.raises(CacheUnavailableError, match="are no counts"), store.transaction("a"):
                pytest.fail("nothing to read")


@pytest.mark.parametrize("lock", ["without an end", "for an hour", "no text"])
def test_a_lock_that_would_stay_is_dropped(server: RedisServer, opened: Opener, lease: Lease, lock: str) -> None:
    """Another program's, or of a moment when the clock of Redis was ahead."""
    with Redis.from_url(server.url) as redis:
        store = opened(server.url)
        if lock == "no text":
            redis.rpush("budget:lock", "somebody")
        else:
            redis.set("budget:lock", "somebody", ex=3600 if lock == "for an hour" else None)
        lease(50)
        with pytest.raises(StoreBusyError), store.transaction("a"):
            pytest.fail("it is held")
        assert redis.pttl("budget:lock") <= 50
        lease(60_000)
        until_there(store)
        with store.transaction("a") as records:
            assert records == {"a": None}


async def test_stores_of_several_loops_and_threads_are_apart(url: SecretStr, prefix: str, opened: Opener) -> None:
    stores = [opened(url, prefix=prefix) for _ in range(4)]

    def count(store: RedisBudgetStore) -> None:
        for _ in range(50):
            while True:
                try:
                    with store.transaction("a") as records:
                        records["a"] = {"turn": (records["a"] or {"turn": 0})["turn"] + 1}
                    break
                except StoreBusyError:
                    time.sleep(0.001)

    await asyncio.gather(*(asyncio.to_thread(count, store) for store in stores))
    with stores[0].transaction("a") as records:
        assert records["a"] == {"turn": 200}
