"""What leaves through the dispatch shows no secret: errors, events, the trace of calls."""

import contextlib
import itertools
import json
import traceback
from typing import Any

import pytest

from candle_core.budget import BudgetNotSharedWarning, DistantStore
from candle_core.budget.shared import LocalStore
from candle_core.checkup import check_plugins
from candle_core.cli.common import Session
from candle_core.cli.errors import report
from candle_core.config import load_config
from candle_core.dispatch import TRACE, Dispatch, ProviderHooks
from candle_core.kernel import Kernel
from candle_core.secrets import MASK, REDACTOR
from candle_hookspecs import (
    AuthenticationError,
    BrokenPluginError,
    CacheUnavailableError,
    CandleBatch,
    Event,
    ExtensionCapabilities,
    Market,
    MarketQuery,
    StoreBusyError,
    hookimpl,
)

KEY = "planted-2fe1/key+3=="


@pytest.fixture(autouse=True)
def _remembered() -> None:
    REDACTOR.remember(KEY)


class Leaking:
    """Puts its key wherever it can."""

    capabilities = ExtensionCapabilities(contract=1)

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.events: list[Event] = []

    @hookimpl
    async def candle_markets(self, query: MarketQuery) -> list[Market]:
        try:
            raise OSError(5, f"header X-KEY: {KEY}")
        except OSError:
            raise self.error  # noqa: B904 - so that the first is its context

    @hookimpl
    def candle_decode(self, raw: Any) -> CandleBatch:
        raise self.error

    @hookimpl
    async def candle_event(self, event: Event) -> None:
        self.events.append(event)
        raise self.error


@pytest.mark.parametrize("error", [AuthenticationError(f"401: {KEY}"), LookupError(KEY), AuthenticationError("401")])
async def test_errors_and_what_led_to_them(error: Exception) -> None:
    dispatch = Dispatch()
    dispatch.add_target("one", Leaking(error))
    hooks = ProviderHooks(dispatch, "one")
    with pytest.raises((AuthenticationError, BrokenPluginError)) as caught:
        await hooks.markets(MarketQuery())
    told = "".join(traceback.format_exception(caught.value))
    assert KEY not in told
    assert f"header X-KEY: {MASK}" in told, "what led to it is told all the same"
    assert "in candle_markets" in told, "and where"
    error.__context__ = None
    with pytest.raises((AuthenticationError, BrokenPluginError)) as caught:
        hooks.decode("raw")
    assert KEY not in "".join(traceback.format_exception(caught.value))


async def test_events_and_the_errors_of_those_who_hear_them() -> None:
    dispatch, hearer = Dispatch(), Leaking(RuntimeError(KEY))
    dispatch.add_everywhere("hearer", hearer)
    (raised,) = await dispatch.tell(Event(name="request.retried", at=7, data={"cause": f"no {KEY}", "rows": 3}))
    assert hearer.events == [Event(name="request.retried", at=7, data={"cause": f"no {MASK}", "rows": 3})]
    assert str(raised) == MASK


async def test_the_trace_of_calls(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(TRACE, "1")
    dispatch = Dispatch()
    dispatch.add_target("one", Leaking(LookupError(KEY)))
    with pytest.raises(BrokenPluginError):
        ProviderHooks(dispatch, "one").decode({"url": f"http://x/?key={KEY}"})
    traced = capsys.readouterr().err
    assert "candle_decode" in traced
    assert MASK in traced
    assert KEY not in traced


def test_what_the_command_line_tells(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CANDLE_DEBUG", "1")
    error = AuthenticationError(f"no {KEY}")
    error.__cause__ = OSError(5, KEY)
    assert report(error, as_json=True) == 1
    session = Session(config=None, as_json=True)
    session.emit({"url": f"http://x/?key={KEY}", "rows": 3})
    session.note(f"asked with {KEY}")
    out, err = capsys.readouterr()
    assert KEY not in out + err
    told, document = out.split("\n", 1)
    assert json.loads(told) == {"error": {"type": "AuthenticationError", "message": f"no {MASK}"}}
    assert json.loads(document) == {"url": f"http://x/?key={MASK}", "rows": 3}
    assert f"candle: no {MASK}\n" in err
    assert f"asked with {MASK}\n" in err
    assert f"OSError: [Errno 5] {MASK}\n" in err, "what led to it is told to those who debug"


class Unreachable:
    """A store that says how it was to be reached."""

    ahead = 0

    def transaction(self, *keys: str) -> Any:
        raise CacheUnavailableError(f"no answer from store://:{KEY}@localhost")

    def close(self) -> None:
        """Nothing is held."""


def test_the_warning_of_a_store_that_cannot_be_reached() -> None:
    moments = itertools.count(step=10.0)
    store = DistantStore(Unreachable(), LocalStore(), timer=lambda: next(moments))

    def ask() -> None:
        with contextlib.suppress(StoreBusyError), store.transaction("key"):
            pass

    ask()
    with pytest.warns(BudgetNotSharedWarning) as warned:
        ask()
    assert [str(one.message).partition("itself: ")[2] for one in warned] == [
        f"no answer from store://:{MASK}@localhost"
    ]


UNBUILDABLE = """
    class Plugin:
        def __init__(self, settings, context):
            raise {error}(f"cannot reach https://x/?key={{context.account.api_key.get_secret_value()}}")
"""


@pytest.mark.parametrize("error", ["OSError", "__import__('candle_hookspecs').ConfigError"])
async def test_a_plugin_that_cannot_be_built(clock: Any, install: Any, error: str) -> None:
    source = UNBUILDABLE.format(error=error)
    install("candle-broken", "[candle.providers]\nbroken = broken_plugin:Plugin\n", broken_plugin=source)
    account = {"name": "main", "exchange": "broken", "api_key": {"env": "BROKEN_KEY"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BROKEN_KEY", "planted-another-key")
        config = load_config({"storage": {"backend": "memory"}, "accounts": [account]})
        with pytest.raises(Exception, match="cannot reach") as caught:
            Kernel(config, clock).provider("broken")
        (state,) = [one for one in check_plugins(config) if one.name == "broken"]
    told = "".join(traceback.format_exception(caught.value)) + state.error
    assert f"https://x/?key={MASK}" in told
    assert "planted-another-key" not in told
