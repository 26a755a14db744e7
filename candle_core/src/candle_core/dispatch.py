"""Typed, targeted hook calls.

One provider or one storage, and every wrapper. The only place that touches ``pm.hook``.
"""

import asyncio
import inspect
import os
import sys
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

from candle_core.registry import Registered, new_manager, register
from candle_core.secrets import REDACTOR, scrubbed, scrubbed_value
from candle_core.statistics import MARKETS, WARMUP, Collector, rows_of
from candle_hookspecs import (
    Action,
    ActionQuery,
    Answer,
    BrokenPluginError,
    CandleBatch,
    CandleError,
    Coverage,
    CoverageQuery,
    Event,
    FetchRequest,
    Forget,
    LoadRead,
    MaintenanceReport,
    MaintenanceTask,
    Market,
    MarketInfo,
    MarketQuery,
    MissingHookError,
    Operation,
    Page,
    Registration,
    SaveReceipt,
    SaveWrite,
    Session,
    Span,
    StorageCapabilities,
    StorageStatus,
    SymbolQuery,
    SymbolRecord,
    WarmupScope,
)

_Answer = TypeVar("_Answer")

TRACE: Final = "CANDLE_TRACE"
"""Set this environment variable to see every hook call on standard error."""


class Dispatch:
    """The plugin manager behind a façade.

    Args:
        statistics: counts what providers are asked.
    """

    def __init__(self, statistics: Collector | None = None) -> None:
        self.statistics = statistics or Collector()
        self._manager = new_manager()
        self._targets: dict[str, Registered] = {}
        self._everywhere: dict[str, Registered] = {}
        if os.environ.get(TRACE):
            self._manager.trace.root.setwriter(lambda text: sys.stderr.write(REDACTOR.scrub(text)))
            self._manager.enable_tracing()

    def add_target(self, name: str, plugin: object) -> None:
        """Register a provider or storage: called only when it is meant."""
        self._targets[name] = register(self._manager, name, plugin)

    def add_everywhere(self, name: str, plugin: object) -> None:
        """Register an extension, or the kernel's defaults: part of every call."""
        self._everywhere[name] = register(self._manager, name, plugin)

    def hooks(self, name: str) -> tuple[str, ...]:
        """The hooks that a target implements itself."""
        return tuple(sorted(vars(self._targets[name])))

    def implements(self, name: str, hook: str) -> bool:
        """Whether a call of the hook would find an answer."""
        caller = self._manager.subset_hook_caller(hook, self._not_meant(name, hook))
        return any(not (impl.wrapper or impl.hookwrapper) for impl in caller.get_hookimpls())

    def call(self, name: str, hook: str, /, **arguments: object) -> Any:
        """Call a pure hook of one target.

        Raises:
            MissingHookError: the target lacks the hook. BrokenPluginError: it raised something that is no
            `CandleError`.
        """
        if not self.implements(name, hook):
            raise MissingHookError(f"plugin {name!r} does not implement {hook!r}")
        try:
            return self._manager.subset_hook_caller(hook, self._not_meant(name, hook))(**arguments)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - raised again, as one of ours
            failure = _told(name, hook, error)
        # Not where it was caught: Python would chain the original to it.
        raise failure

    def _not_meant(self, name: str, hook: str) -> set[Registered]:
        """The other targets; and, as everybody closes for himself, whoever else would close."""
        others = {target for other, target in self._targets.items() if other != name}
        if hook == "candle_close":
            own = {other: vars(plugin).get(hook) for other, plugin in self._everywhere.items() if other != name}
            others |= {self._everywhere[other] for other, close in own.items() if inspect.iscoroutinefunction(close)}
        return others

    async def ask(self, name: str, hook: str, expected: type[_Answer], /, **arguments: object) -> _Answer:
        """Call an I/O hook of one target and await its answer.

        Raises:
            MissingHookError, BrokenPluginError: as in `call`; also when the answer is not of the expected type.
        """
        awaitable: Awaitable[Any] = self.call(name, hook, **arguments)
        answer: Any = None
        failure: CandleError | None = None
        try:
            answer = await awaitable
        except (Exception, asyncio.CancelledError) as error:
            if _cancels(error):
                raise
            failure = _told(name, hook, error)
        if failure is not None:
            raise failure  # not where it was caught: Python would chain the original to it
        if not isinstance(answer, expected):
            raise BrokenPluginError(
                f"plugin {name!r}: {hook!r} must return {expected.__name__}, not {type(answer).__name__}"
            )
        return answer

    async def ask_many(self, name: str, hook: str, /, **arguments: object) -> Sequence[Any]:
        """`ask` a hook that returns a list."""
        answer = await self.ask(name, hook, object, **arguments)
        if not isinstance(answer, Sequence):
            raise BrokenPluginError(f"plugin {name!r}: {hook!r} must return a list, not {type(answer).__name__}")
        return answer

    async def tell(self, event: Event) -> list[BaseException]:
        """Give an event to every extension; one that raises harms nobody. Returns what was raised."""
        raised: list[BaseException] = []
        if not (listeners := self._manager.hook.candle_event.get_hookimpls()):
            return raised
        event = replace(event, data=scrubbed_value(event.data))
        for impl in listeners:
            try:
                answer = impl.function(event)
                if inspect.isawaitable(answer):
                    await answer
            except (Exception, asyncio.CancelledError) as error:
                if _cancels(error):
                    raise
                raised.append(scrubbed(error))
        return raised

    async def close(self, name: str) -> None:
        """Let a target or an extension go of what it holds."""
        if self.implements(name, "candle_close"):
            await self.ask(name, "candle_close", type(None))


def _cancels(error: BaseException) -> bool:
    """Whether it ends the caller. Where nobody has cancelled the caller, a `CancelledError` is the plugin's mistake."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _told(name: str, hook: str, error: BaseException) -> CandleError:
    """An error of ours that shows no secret."""
    clean = scrubbed(error)
    if isinstance(clean, CandleError):
        return clean
    said = f": {clean}" if str(clean) else ""
    broken = BrokenPluginError(f"plugin {name!r} raised {type(clean).__name__} in {hook!r}{said}")
    broken.__cause__ = clean
    return broken


class ProviderHooks:
    """The hooks of one provider, as typed methods. See `CandleSpecs` for what they mean and raise."""

    def __init__(self, dispatch: Dispatch, name: str) -> None:
        self._dispatch = dispatch
        self.name = name

    async def markets(self, query: MarketQuery) -> Sequence[Market]:
        """`candle_markets`."""
        with self._dispatch.statistics.call(self.name, MARKETS) as call:
            markets: Sequence[Market] = await self._dispatch.ask_many(self.name, "candle_markets", query=query)
            call.answered(len(markets))
        return markets

    def split(self, request: FetchRequest) -> Sequence[FetchRequest]:
        """`candle_split`."""
        return cast(Sequence[FetchRequest], self._dispatch.call(self.name, "candle_split", request=request))

    async def fetch(self, request: FetchRequest) -> Page:
        """`candle_fetch`."""
        with self._dispatch.statistics.call(self.name, request.kind, request.costs) as call:
            page = await self._dispatch.ask(self.name, "candle_fetch", Page, request=request)
            call.answered(rows_of(page), page.size)
        return page

    def decode(self, raw: object) -> CandleBatch:
        """`candle_decode`."""
        return cast(CandleBatch, self._dispatch.call(self.name, "candle_decode", raw=raw))

    async def warmup(self, scope: WarmupScope) -> MarketInfo | None:
        """`candle_warmup`; None where the provider has none."""
        if not self._dispatch.implements(self.name, "candle_warmup"):
            return None
        with self._dispatch.statistics.call(self.name, WARMUP) as call:
            info = await self._dispatch.ask(self.name, "candle_warmup", MarketInfo, scope=scope)
            call.answered(len(info.markets))
        return info

    async def calendar(self, span: Span) -> Sequence[Session] | None:
        """`candle_calendar`; None: the market trades always."""
        if not self._dispatch.implements(self.name, "candle_calendar"):
            return None
        return await self._dispatch.ask_many(self.name, "candle_calendar", span=span)


class StorageHooks:
    """The hooks of one storage, as typed methods. See `CandleSpecs` for what they mean and raise.

    `backend` is what messages call it.
    """

    def __init__(self, dispatch: Dispatch, name: str, capabilities: StorageCapabilities) -> None:
        self._dispatch = dispatch
        self.name = name
        self.backend = name.rpartition(":")[2]
        self.capabilities = capabilities

    async def register(self, registrations: Sequence[Registration]) -> Sequence[SymbolRecord]:
        """`candle_register`."""
        return await self._dispatch.ask_many(self.name, "candle_register", registrations=registrations)

    async def symbols(self, query: SymbolQuery) -> Sequence[SymbolRecord]:
        """`candle_symbols`."""
        return await self._dispatch.ask_many(self.name, "candle_symbols", query=query)

    async def save(self, write: SaveWrite) -> SaveReceipt:
        """`candle_save`."""
        return await self._dispatch.ask(self.name, "candle_save", SaveReceipt, write=write)

    async def load(self, read: LoadRead) -> CandleBatch:
        """`candle_load`."""
        return await self._dispatch.ask(self.name, "candle_load", CandleBatch, read=read)

    async def answers(self, read: LoadRead) -> Sequence[Answer]:
        """`candle_answers`."""
        return await self._dispatch.ask_many(self.name, "candle_answers", read=read)

    async def actions(self, query: ActionQuery) -> Sequence[Action]:
        """`candle_actions`."""
        return await self._dispatch.ask_many(self.name, "candle_actions", query=query)

    async def count(self, read: LoadRead) -> int:
        """`candle_count`."""
        return await self._dispatch.ask(self.name, "candle_count", int, read=read)

    async def coverage(self, query: CoverageQuery) -> Sequence[Coverage]:
        """`candle_coverage`."""
        return await self._dispatch.ask_many(self.name, "candle_coverage", query=query)

    async def forget(self, forget: Forget) -> int:
        """`candle_forget`."""
        return await self._dispatch.ask(self.name, "candle_forget", int, forget=forget)

    async def execute(self, operation: Operation) -> int:
        """`candle_execute`."""
        return await self._dispatch.ask(self.name, "candle_execute", int, operation=operation)

    async def status(self) -> StorageStatus:
        """`candle_status`."""
        return await self._dispatch.ask(self.name, "candle_status", StorageStatus)

    async def maintain(self, task: MaintenanceTask) -> MaintenanceReport:
        """`candle_maintain`."""
        return await self._dispatch.ask(self.name, "candle_maintain", MaintenanceReport, task=task)
