"""`ExchangeService`: the names that users' programs call, with and without await."""

import gc
import json
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import candle_core
from candle_core import blocking, warmup
from candle_hookspecs import Account, BadInputError

ACCOUNTS = {
    "storage": {"backend": "memory"},
    "accounts": [
        {"name": "mine", "exchange": "town"},
        {"name": "yours", "exchange": "TOWN"},
        {"name": "old", "exchange": "harbour", "active": False},
        {"name": "ours", "exchange": "village"},
    ],
}
NAMES = (
    "refresh_api_based_market_info", "warm_up_market_precision_cache", "warm_up_all_market_info",
    "warm_up_supported_exchanges_cache", "warm_up_all_market_precision_cache",
)  # fmt: skip


@pytest.fixture
def service(town: Any) -> Any:
    with blocking.ExchangeService(ACCOUNTS) as service:
        yield service


def asked(town: Any) -> dict[str, list[str]]:
    return {name: one.asked for name, one in town.instances.items()}


def kept_under(key: str, service: blocking.ExchangeService) -> bytes:
    """What stands in the cache; empty if nothing does."""
    return service.portal.call(service.asynchronous._kernel.cache.get, key) or b""


def test_the_names_are_those_that_are_promised() -> None:
    for name in NAMES:
        twin, original = vars(blocking.ExchangeService)[name], getattr(warmup.ExchangeService, name)
        assert original.__doc__
        assert twin.__doc__ == original.__doc__


def test_all_active_accounts_once_for_each_exchange(town: Any, service: blocking.ExchangeService) -> None:
    result = service.refresh_api_based_market_info()
    assert json.loads(json.dumps(result)) == result
    assert (result["success"], result["refreshed_exchanges"], result["total_markets"]) == (
        True, ["town", "village"], 2002,
    )  # fmt: skip
    assert result["exchange_details"]["town"]["accounts"] == ["mine", "yours"]
    assert asked(town) == {"town": ["warmup"], "village": ["warmup"]}
    assert service.warm_up_all_market_precision_cache()["exchange_details"]["town"]["cached"] is True
    assert asked(town) == {"town": ["warmup"], "village": ["warmup"]}
    service.refresh_api_based_market_info()
    assert asked(town) == {"town": ["warmup"], "village": ["warmup"]}
    service.refresh_api_based_market_info(force=True)
    assert asked(town) == {"town": ["warmup"] * 2, "village": ["warmup"] * 2}


@pytest.mark.parametrize("name", ["warm_up_market_precision_cache", "warm_up_all_market_info"])
@pytest.mark.parametrize("account", ["yours", Account(name="new", exchange="Town")], ids=str)
def test_one_account(town: Any, service: blocking.ExchangeService, name: str, account: Any) -> None:
    result = getattr(service, name)(account)
    assert result["refreshed_exchanges"] == ["town"]
    assert asked(town) == {"town": ["warmup"]}
    assert kept_under("precision:cache:town", service)


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ("nobody", ["'nobody'", "there are: mine, yours, old, ours"]),
        ("old", ["'old' is not active", "active = true"]),
        (Account(name="gone", exchange="town", active=False), ["'gone' is not active"]),
        (None, ["None is no account", "[[accounts]]"]),
    ],
)
def test_an_account_that_cannot_be_used(
    town: Any, service: blocking.ExchangeService, account: Any, words: list[str]
) -> None:
    for name in ("warm_up_market_precision_cache", "warm_up_all_market_info"):
        with pytest.raises(BadInputError) as caught:
            getattr(service, name)(account)
        assert [word for word in words if word not in str(caught.value)] == []
    assert asked(town) == {}


def test_without_accounts_it_says_where_to_write_them(town: Any) -> None:
    with blocking.ExchangeService({}) as service, pytest.raises(BadInputError, match=r"write \[\[accounts\]\]"):
        service.warm_up_all_market_info("mine")


def test_failures_are_in_the_dict(town: Any, service: blocking.ExchangeService) -> None:
    service.warm_up_all_market_info("mine")
    town.instances["town"].error = PermissionError("Invalid API key")
    result = service.refresh_api_based_market_info(force=True)
    assert (result["success"], result["refreshed_exchanges"]) == (False, ["village"])
    details = result["exchange_details"]["town"]
    assert (details["success"], details["stale"], details["error_type"]) == (False, True, "BrokenPluginError")
    assert "Invalid API key" in details["error"]


def test_the_supported_exchanges_are_read_from_metadata_alone(town: Any) -> None:
    tables = ACCOUNTS | {"providers": {"fair": {"plugin": "town"}, "moon": {}, "nasdaq": {"plugin": "stocks"}}}
    with blocking.ExchangeService(tables) as service:
        result = service.warm_up_supported_exchanges_cache()
        packed = json.loads(kept_under("supported:exchanges", service))
    assert town.instances == {}
    assert result["success"] is False, "one is configured that nobody installed"
    details = result["exchange_details"]
    assert details["town"] == {
        "success": True, "distribution": "candle-town", "version": "1.0", "plugin": "town", "configured": False,
        "accounts": ["mine", "yours"],
    }  # fmt: skip
    assert details["fair"] == {**details["town"], "configured": True, "accounts": []}
    assert (details["moon"]["success"], details["moon"]["error_type"]) == (False, "MissingPluginError")
    assert "pip install candle-moon" in details["moon"]["error"]
    assert {"town", "fair", "harbour", "village", "plain", "nasdaq"} <= set(result["refreshed_exchanges"])
    assert not {"stocks", "ccxt"} & set(details), "these are no exchanges, whatever is asked by their help"
    kept = packed["value"]
    assert kept["version"] == 1
    assert sorted(kept["exchanges"]) == result["refreshed_exchanges"]
    assert kept["exchanges"]["fair"]["distribution"] == "candle-town"


def test_no_plugin_is_imported_for_it(town: Any) -> None:
    script = (
        "import sys\nfrom candle_core.blocking import ExchangeService\n"
        "with ExchangeService({}) as service:\n    names = service.warm_up_supported_exchanges_cache()\n"
        "assert 'binance' in names['refreshed_exchanges'], names\n"
        "print([name for name in ('candle_binance', 'candle_upbit', 'candle_ccxt', 'ccxt') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


# ── opening and closing ──────────────────────────────────────────────────────────────────────────────────────────────


def test_on_a_manager_that_is_open_already(town: Any) -> None:
    with blocking.open(ACCOUNTS) as candles:
        with blocking.ExchangeService(candles) as service:
            assert service.refresh_api_based_market_info()["success"]
        assert len(candles.markets("TOWN")) == 1001, "it is not closed with the service"
        assert service.refresh_api_based_market_info()["success"], "which opened nothing"


async def test_the_asynchronous_one(town: Any) -> None:
    async with candle_core.open(ACCOUNTS) as candles:
        assert isinstance(candles, candle_core.Candles)
        service = warmup.ExchangeService(candles)
        assert (await service.refresh_api_based_market_info())["total_markets"] == 2002
        assert (await service.warm_up_all_market_info("mine"))["exchange_details"]["town"]["cached"] is True


def test_it_opens_when_it_is_first_called_and_again_when_it_was_closed(town: Any) -> None:
    service = blocking.ExchangeService({**ACCOUNTS, "colect": {}})
    with pytest.raises(BadInputError, match="did you mean 'collect'"):
        service.refresh_api_based_market_info()
    service = blocking.ExchangeService(ACCOUNTS)
    assert town.instances == {}
    assert service.warm_up_all_market_info("mine")["success"]
    first = town.instances["town"]
    service.close()
    service.close()
    assert service.warm_up_all_market_info("mine")["success"]
    assert town.instances["town"] is not first
    service.close()


def test_one_that_was_closed_is_kept_by_nobody(town: Any) -> None:
    """A scheduler's task may make one each time; what each of them held must not stay until the process ends."""

    def task() -> Any:
        with blocking.ExchangeService(ACCOUNTS) as service:
            assert service.warm_up_all_market_info("mine")["success"]
        return weakref.ref(service)

    gone = [task(), task(), weakref.ref(blocking.ExchangeService(ACCOUNTS))]
    gc.collect()
    assert [one() for one in gone] == [None] * 3


def test_on_a_manager_that_was_closed(town: Any) -> None:
    with blocking.open(ACCOUNTS) as candles:
        service = blocking.ExchangeService(candles)
    with pytest.raises(BadInputError, match="is closed; open another one"):
        service.refresh_api_based_market_info()


@pytest.mark.parametrize("name", ["refresh_api_based_market_info", "warm_up_supported_exchanges_cache"])
async def test_nothing_is_told_nor_written_for_a_manager_that_was_closed(town: Any, name: str) -> None:
    async with candle_core.open({**ACCOUNTS, "cache": {"backend": "memory"}}) as candles:
        service, cache = warmup.ExchangeService(candles), candles.kernel.cache
    with pytest.raises(BadInputError, match="is closed; open another one"):
        await getattr(service, name)()
    assert await cache.get("supported:exchanges") is None


async def test_a_market_in_the_cache_is_not_told_by_a_manager_that_was_closed(town: Any) -> None:
    market: dict[str, Any] = {"symbol": "C1/X", "exchange": "TOWN", "tradetype": "SPOT"}
    async with candle_core.open(ACCOUNTS) as candles:
        await candles.warm_up(["town"])
        await candles.precision(**market)
    with pytest.raises(BadInputError, match="is closed; open another one"):
        await candles.precision(**market)


def test_any_thread_may_call_it(town: Any, service: blocking.ExchangeService) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: service.warm_up_all_market_info("mine"), range(8)))
    assert all(result["success"] for result in results)
    assert asked(town) == {"town": ["warmup"]}


def test_who_forgets_to_close_it_ends_in_good_order(tmp_path: Path) -> None:
    """A script that just ends: nothing hangs, nothing is said, and what was counted is kept."""
    script = (
        "from candle_core.blocking import ExchangeService\n"
        "from candle_testkit.sandbox import Sandbox, SandboxConfig\n"
        "sandbox = Sandbox(SandboxConfig(speed=0))\nsandbox.__enter__()\n"
        "tables = {'storage': {'path': 'candles.sqlite3'}, 'providers': {'binance': {'rest_url': sandbox.url}}}\n"
        "service = ExchangeService(tables)\n"
        "print(service.refresh_api_based_market_info()['success'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_a_fork_of_a_program_that_opened_it_is_told_so_and_ends(tmp_path: Path) -> None:
    """As web servers do with their workers; the thread with the event loop stays behind."""
    script = (
        "import os, warnings\nwarnings.simplefilter('ignore')\n"
        "from candle_core.blocking import ExchangeService\n"
        "service = ExchangeService({'storage': {'backend': 'memory'}})\n"
        "assert service.warm_up_supported_exchanges_cache()['success']\n"
        "child = os.fork()\n"
        "if child:\n    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "else:\n"
        "    for _ in range(2):\n"
        "        try:\n            service.refresh_api_based_market_info()\n"
        "        except Exception as error:\n            print(type(error).__name__, str(error)[:14], flush=True)\n"
        "        service.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, 2 * "BadInputError this was opene\n" + "0\n"), done
