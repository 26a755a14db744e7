"""Targeted calls, wrappers, and what becomes of a plugin's mistakes."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from candle_core.dispatch import Dispatch, ProviderHooks, StorageHooks
from candle_hookspecs import (
    Action,
    ActionQuery,
    Answer,
    BrokenPluginError,
    CandleBatch,
    Event,
    ExtensionCapabilities,
    FetchRequest,
    Job,
    JobResult,
    LoadRead,
    MaintenanceReport,
    MaintenanceTask,
    Market,
    MarketInfo,
    MarketQuery,
    MissingHookError,
    Operation,
    OperationType,
    Page,
    SaveReceipt,
    SaveWrite,
    Session,
    Span,
    StorageCapabilities,
    StorageStatus,
    TransientError,
    WarmupScope,
    hookimpl,
)

MARKET = Market(
    archetype="CRYPTO", exchange="ONE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
    ccxt_symbol="BTC/USDT",
)  # fmt: skip
REQUEST = FetchRequest(markets=(MARKET,), timeframe="1m", span=Span(0, 60_000), limit=1)


def page() -> Page:
    return Page.of(REQUEST, CandleBatch.empty(), answered_at=7)


class Plugin:
    capabilities = ExtensionCapabilities(contract=1)

    def __init__(self) -> None:
        self.calls: list[Any] = []


class Provider(Plugin):
    """Answers, in a worker thread."""

    @hookimpl
    def candle_fetch(self, request: FetchRequest) -> Page:
        self.calls.append((request, threading.current_thread()))
        return page()

    @hookimpl
    async def candle_markets(self, query: MarketQuery) -> list[Market]:
        return [MARKET]

    @hookimpl
    def candle_decode(self, raw: Any) -> CandleBatch:
        self.calls.append(raw)
        return CandleBatch.empty()

    @hookimpl
    async def candle_close(self) -> None:
        self.calls.append("closed")


@pytest.fixture
def dispatch() -> Dispatch:
    return Dispatch()


async def test_only_the_provider_that_is_meant_is_called(dispatch: Dispatch) -> None:
    one, two = Provider(), Provider()
    dispatch.add_target("one", one)
    dispatch.add_target("two", two)
    hooks = ProviderHooks(dispatch, "one")
    assert isinstance(await hooks.fetch(REQUEST), Page)
    assert await hooks.markets(MarketQuery()) == [MARKET]
    assert len(hooks.decode("raw")) == 0
    await dispatch.close("one")
    assert [call if isinstance(call, str) else call[0] for call in one.calls] == [REQUEST, "raw", "closed"]
    assert two.calls == []
    assert dispatch.hooks("two") == ("candle_close", "candle_decode", "candle_fetch", "candle_markets")


async def test_a_plain_function_runs_in_a_worker_thread(dispatch: Dispatch) -> None:
    provider = Provider()
    dispatch.add_target("one", provider)
    await ProviderHooks(dispatch, "one").fetch(REQUEST)
    ((_, thread),) = provider.calls
    assert thread is not threading.current_thread()


class Metrics(Plugin):
    """A wrapper round every fetch; the first time it asks for something else instead of awaiting."""

    @hookimpl(wrapper=True)
    def candle_fetch(self, request: FetchRequest) -> Any:
        inner = yield
        return self._measured(request, inner)

    async def _measured(self, request: FetchRequest, inner: Any) -> Page:
        self.calls.append("before")
        answer: Page = await inner
        self.calls.append(("after", answer.answered_at))
        return answer

    @hookimpl(wrapper=True)
    def candle_decode(self, raw: Any) -> Any:
        batch = yield
        self.calls.append(len(batch))
        return batch


@pytest.mark.parametrize("target", ["one", "two"])
async def test_a_wrapper_stands_round_every_target(dispatch: Dispatch, target: str) -> None:
    metrics = Metrics()
    dispatch.add_target("one", Provider())
    dispatch.add_everywhere("metrics", metrics)
    dispatch.add_target("two", Provider())
    hooks = ProviderHooks(dispatch, target)
    await hooks.fetch(REQUEST)
    hooks.decode("raw")
    assert metrics.calls == ["before", ("after", 7), 0]


class Cache(Plugin):
    """Answers itself and closes what it does not need."""

    @hookimpl(wrapper=True)
    def candle_fetch(self, request: FetchRequest) -> Any:
        inner = yield
        return self._cached(inner)

    async def _cached(self, inner: Any) -> Page:
        inner.close()
        return page()


async def test_a_wrapper_may_answer_in_its_stead(dispatch: Dispatch) -> None:
    provider = Provider()
    dispatch.add_target("one", provider)
    dispatch.add_everywhere("cache", Cache())
    assert isinstance(await ProviderHooks(dispatch, "one").fetch(REQUEST), Page)
    assert provider.calls == []


# ── mistakes ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Silent(Plugin):
    """Implements nothing."""


async def test_a_hook_that_is_missing_is_an_error_and_not_none(dispatch: Dispatch) -> None:
    dispatch.add_target("one", Silent())
    dispatch.add_target("two", Provider())
    hooks = ProviderHooks(dispatch, "one")
    with pytest.raises(MissingHookError, match=r"'one'.*'candle_fetch'"):
        await hooks.fetch(REQUEST)
    with pytest.raises(MissingHookError, match="'candle_decode'"):
        hooks.decode("raw")
    await dispatch.close("one")


async def test_a_wrapper_alone_is_no_answer(dispatch: Dispatch) -> None:
    dispatch.add_target("one", Silent())
    dispatch.add_everywhere("metrics", Metrics())
    with pytest.raises(MissingHookError):
        await ProviderHooks(dispatch, "one").fetch(REQUEST)


async def test_what_is_optional_is_none(dispatch: Dispatch) -> None:
    dispatch.add_target("one", Silent())
    hooks = ProviderHooks(dispatch, "one")
    assert await hooks.warmup(WarmupScope()) is None
    assert await hooks.calendar(Span(0, 1)) is None


class WrongTypes(Plugin):
    @hookimpl
    async def candle_fetch(self, request: FetchRequest) -> Any:
        return {"rows": []}

    @hookimpl
    def candle_markets(self, query: MarketQuery) -> Any:
        return 5

    @hookimpl
    async def candle_save(self, write: SaveWrite) -> Any:
        return None


async def test_a_wrong_type_is_named(dispatch: Dispatch) -> None:
    dispatch.add_target("one", WrongTypes())
    with pytest.raises(BrokenPluginError, match=r"'one': 'candle_fetch' must return Page, not dict"):
        await ProviderHooks(dispatch, "one").fetch(REQUEST)
    with pytest.raises(BrokenPluginError, match=r"'candle_markets' must return a list, not int"):
        await ProviderHooks(dispatch, "one").markets(MarketQuery())
    with pytest.raises(BrokenPluginError, match=rf"must return {SaveReceipt.__name__}, not NoneType"):
        await StorageHooks(dispatch, "one", StorageCapabilities(contract=1)).save(SaveWrite(answers=()))


class Failing(Plugin):
    @hookimpl
    async def candle_fetch(self, request: FetchRequest) -> Page:
        raise self.error

    @hookimpl
    def candle_markets(self, query: MarketQuery) -> list[Market]:
        raise self.error

    @hookimpl
    def candle_decode(self, raw: Any) -> CandleBatch:
        raise self.error

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


async def test_a_foreign_exception_is_wrapped_with_its_cause(dispatch: Dispatch) -> None:
    cause = KeyError("price")
    dispatch.add_target("one", Failing(cause))
    hooks = ProviderHooks(dispatch, "one")
    for call in (hooks.fetch(REQUEST), hooks.markets(MarketQuery())):
        with pytest.raises(BrokenPluginError, match=r"'one' raised KeyError in 'candle_.*'price'") as caught:
            await call
        assert caught.value.__cause__ is cause
    with pytest.raises(BrokenPluginError) as caught:
        hooks.decode("raw")
    assert caught.value.__cause__ is cause


async def test_an_error_of_the_tree_comes_through_as_it_is(dispatch: Dispatch) -> None:
    error = TransientError("try again")
    dispatch.add_target("one", Failing(error))
    hooks = ProviderHooks(dispatch, "one")
    for call in (hooks.fetch(REQUEST), hooks.markets(MarketQuery())):
        with pytest.raises(TransientError) as caught:
            await call
        assert caught.value is error


class Abandoning(Plugin):
    """Waits for something of its own that somebody has cancelled: a connection that was closed under it, say."""

    @hookimpl
    async def candle_fetch(self, request: FetchRequest) -> Page:
        own = asyncio.ensure_future(asyncio.sleep(3600))
        asyncio.get_running_loop().call_soon(own.cancel)
        await own
        return page()


class AbandoningListener(Plugin):
    @hookimpl
    async def candle_event(self, event: Event) -> None:
        raise asyncio.CancelledError


async def test_a_plugin_that_is_cancelled_by_nobody_else_is_broken(dispatch: Dispatch) -> None:
    dispatch.add_target("one", Abandoning())
    dispatch.add_target("two", Failing(asyncio.CancelledError("mine")))
    one, two = ProviderHooks(dispatch, "one"), ProviderHooks(dispatch, "two")
    for call in (one.fetch(REQUEST), two.fetch(REQUEST), two.markets(MarketQuery())):
        with pytest.raises(BrokenPluginError, match=r"raised CancelledError in 'candle_") as caught:
            await call
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    with pytest.raises(BrokenPluginError, match=r"'two' raised CancelledError in 'candle_decode': mine"):
        two.decode("raw")
    dispatch.add_everywhere("listener", AbandoningListener())
    assert [type(error) for error in await dispatch.tell(Event(name="page.fetched", at=0))] == [asyncio.CancelledError]


class Waiting(Plugin):
    """Says when it is asked, and never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def wait(self) -> None:
        self.asked.set()
        await asyncio.Event().wait()


class WaitingProvider(Waiting):
    @hookimpl
    async def candle_fetch(self, request: FetchRequest) -> Page:
        await self.wait()
        return page()


class WaitingListener(Waiting):
    @hookimpl
    async def candle_event(self, event: Event) -> None:
        await self.wait()


async def test_who_cancels_a_call_is_obeyed(dispatch: Dispatch) -> None:
    provider, listener = WaitingProvider(), WaitingListener()
    dispatch.add_target("one", provider)
    dispatch.add_everywhere("listener", listener)
    fetching = asyncio.ensure_future(ProviderHooks(dispatch, "one").fetch(REQUEST))
    telling = asyncio.ensure_future(dispatch.tell(Event(name="page.fetched", at=0)))
    await provider.asked.wait()
    await listener.asked.wait()
    fetching.cancel()
    telling.cancel()
    await asyncio.wait([fetching, telling])
    assert (fetching.cancelled(), telling.cancelled()) == (True, True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await ProviderHooks(dispatch, "one").fetch(REQUEST)


# ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Listener(Plugin):
    @hookimpl
    async def candle_event(self, event: Event) -> None:
        self.calls.append(event.name)


class PlainListener(Plugin):
    @hookimpl
    def candle_event(self, event: Event) -> None:
        self.calls.append(event.name)


class Clumsy(Plugin):
    @hookimpl
    async def candle_event(self, event: Event) -> None:
        raise RuntimeError("ouch")


async def test_every_extension_is_told_whatever_another_does(dispatch: Dispatch) -> None:
    listeners = [Listener(), Clumsy(), PlainListener(), Clumsy(), Listener()]
    for number, listener in enumerate(listeners):
        dispatch.add_everywhere(f"listener-{number}", listener)
    raised = await dispatch.tell(Event(name="page.fetched", at=0))
    assert [str(error) for error in raised] == ["ouch", "ouch"]
    assert [listener.calls for listener in listeners] == [["page.fetched"], [], ["page.fetched"], [], ["page.fetched"]]


# ── every hook has its way through ──────────────────────────────────────────────────────────────────────────────────


class Everything(Plugin):
    """Answers what may stay unanswered, and what only later rooms call."""

    @hookimpl
    async def candle_warmup(self, scope: WarmupScope) -> MarketInfo:
        return MarketInfo(server_time=1, local_time=2)

    @hookimpl
    def candle_calendar(self, span: Span) -> list[Session]:
        return [Session(span)]

    @hookimpl
    def candle_execute(self, operation: Operation) -> int:
        return len(operation.rows)

    @hookimpl
    def candle_answers(self, read: LoadRead) -> list[Answer]:
        return []

    @hookimpl
    def candle_actions(self, query: ActionQuery) -> list[Action]:
        return []

    @hookimpl
    def candle_status(self) -> StorageStatus:
        return StorageStatus(place="here")

    @hookimpl
    def candle_maintain(self, task: MaintenanceTask) -> MaintenanceReport:
        return MaintenanceReport(task=task, seconds=0.0)

    @hookimpl
    def candle_cache(self, name: str) -> dict[str, str]:
        return {"name": name}

    @hookimpl
    def candle_budget_store(self, name: str) -> dict[str, str]:
        return {"store": name}

    @hookimpl
    async def candle_run_jobs(self, jobs: Sequence[Job]) -> list[JobResult]:
        return [JobResult(job=job, rows=3) for job in jobs]


async def test_every_hook_takes_exactly_its_arguments(dispatch: Dispatch) -> None:
    dispatch.add_target("one", Everything())
    symbol, span = MARKET.symbol("1m"), Span(0, 5)
    provider = ProviderHooks(dispatch, "one")
    storage = StorageHooks(dispatch, "one", StorageCapabilities(contract=1, executes=True, revisions=True))
    assert await provider.warmup(WarmupScope()) == MarketInfo(server_time=1, local_time=2)
    assert await provider.calendar(span) == [Session(span)]
    assert (await storage.maintain(MaintenanceTask.ANALYZE)).task is MaintenanceTask.ANALYZE
    operation = Operation(table="mine", type=OperationType.INSERT, rows=({"a": 1},))
    assert await storage.execute(operation) == 1
    assert await storage.answers(LoadRead(symbol=symbol)) == []
    market = ActionQuery(archetype="STOCK", exchange="ONE", tradetype="STOCK", base="AAPL", quote="USD")
    assert await storage.actions(market) == []
    assert await storage.status() == StorageStatus(place="here")
    assert dispatch.call("one", "candle_cache", name="redis") == {"name": "redis"}
    assert dispatch.call("one", "candle_budget_store", name="redis") == {"store": "redis"}
    job = Job(symbol=symbol, span=span)
    assert await dispatch.ask_many("one", "candle_run_jobs", jobs=[job]) == [JobResult(job=job, rows=3)]
