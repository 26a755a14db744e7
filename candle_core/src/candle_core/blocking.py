"""The same API for scripts and notebooks: the kernel runs on an event loop in a thread of its own.

with candle_core.blocking.open("candle.toml") as candles:
    frame = candles.load("BTC/USDT", "1m").to_pandas()
"""

import asyncio
import atexit
import functools
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, Self, TypeVar, Unpack, cast

from anyio.from_thread import BlockingPortal, start_blocking_portal

from candle_core import coordinator, manager, warmup
from candle_core.coordinator import LargeCandleRequest, profiles
from candle_hookspecs import BadInputError, Clock

_Asynchronous = TypeVar("_Asynchronous")
_Asynchronous_co = TypeVar("_Asynchronous_co", covariant=True)
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_END: Final = object()

# Closing takes worker threads, which Python lets nobody have any more once what `atexit` knows is called. This comes
# before; it is how the standard library's own executors say goodbye.
_at_exit: Final[Callable[[Callable[[], object]], object]] = getattr(threading, "_register_atexit", atexit.register)


class _Twin(Protocol[_Asynchronous_co]):
    """What stands for something asynchronous, whose work is done behind the portal."""

    @property
    def asynchronous(self) -> _Asynchronous_co: ...

    @property
    def portal(self) -> BlockingPortal: ...


class _Blocking(Generic[_Asynchronous, _Arguments, _Result]):
    """An async method as a plain one of the twin, with the same arguments and documentation."""

    def __init__(self, method: Callable[Concatenate[_Asynchronous, _Arguments], Awaitable[_Result]]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: _Twin[_Asynchronous], owner: type) -> Callable[_Arguments, _Result]:
        @functools.wraps(self._method)
        def call(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
            bound = functools.partial(self._method, instance.asynchronous, *arguments, **named)
            future = instance.portal.start_task_soon(bound)
            try:
                return future.result()
            finally:
                future.cancel()  # stops the work when Ctrl-C ends the wait; nothing otherwise

        return call


class _Steps(Generic[_Result]):
    """An async generator step by step. However the loop over it ends, by Ctrl-C too, the work ends first."""

    def __init__(self, portal: BlockingPortal, source: AsyncGenerator[_Result, None]) -> None:
        self._portal = portal
        self._source = source
        self._step: asyncio.Task[object] | None = None

    def __iter__(self) -> Iterator[_Result]:
        try:
            while (item := self._portal.call(self._next)) is not _END:
                yield cast(_Result, item)
        finally:
            self._portal.call(self._close)

    async def _next(self) -> object:
        self._step = asyncio.create_task(self._take())
        return await self._step

    async def _take(self) -> object:
        return await anext(self._source, _END)

    async def _close(self) -> None:
        """A step may still be under way; a generator that runs cannot be closed."""
        if self._step is not None and not self._step.done():
            self._step.cancel()
            await asyncio.wait((self._step,))
        await self._source.aclose()


class _BlockingStream(Generic[_Arguments, _Result]):
    """An async generator of `manager.Candles` as a plain one."""

    def __init__(
        self, method: Callable[Concatenate[manager.Candles, _Arguments], AsyncGenerator[_Result, None]]
    ) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: "Candles", owner: type["Candles"]) -> Callable[_Arguments, Iterator[_Result]]:
        @functools.wraps(self._method)
        def iterate(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> Iterator[_Result]:
            source = self._method(instance.asynchronous, *arguments, **named)
            yield from _Steps(instance.portal, source)

        return iterate


class Candles:
    """`candle_core.Candles` without ``await``. Made by `open`; any thread may use it."""

    def __init__(self, asynchronous: manager.Candles, portal: BlockingPortal) -> None:
        self.asynchronous = asynchronous
        self._portal: BlockingPortal | None = portal
        self._process = os.getpid()

    @property
    def portal(self) -> BlockingPortal:
        """The way to the event loop on which it runs.

        Raises:
            BadInputError: it is closed; or this process was forked off from the one that opened it, where its thread
                stayed.
        """
        if self._portal is None:
            raise BadInputError("this candle manager is closed; open another one by candle_core.blocking.open")
        if self._process != os.getpid():
            raise BadInputError(
                f"this was opened by process {self._process}, and process {os.getpid()} was forked off from it;"
                " open one in each process"
            )
        return self._portal

    def _close(self) -> None:
        self._portal = None

    markets = _Blocking(manager.Candles.markets)
    precision = _Blocking(manager.Candles.precision)
    symbols = _Blocking(manager.Candles.symbols)
    slots = _Blocking(manager.Candles.slots)
    verify = _Blocking(manager.Candles.verify)
    plan_collection = _Blocking(manager.Candles.plan_collection)
    chart = _Blocking(manager.Candles.chart)
    check_plugins = _Blocking(manager.Candles.check_plugins)
    collect_candles_only = _Blocking(manager.Candles.collect_candles_only)
    get_candles = _Blocking(manager.Candles.get_candles)
    active_update = _Blocking(manager.Candles.active_update)
    passive_update = _Blocking(manager.Candles.passive_update)
    import_candles = _Blocking(manager.Candles.import_candles)
    load = _Blocking(manager.Candles.load)
    load_many = _Blocking(manager.Candles.load_many)
    forget = _Blocking(manager.Candles.forget)
    status = _Blocking(manager.Candles.status)
    statistics = _Blocking(manager.Candles.statistics)
    maintain = _Blocking(manager.Candles.maintain)
    copy_to = _Blocking(manager.Candles.copy_to)
    warm_up = _Blocking(manager.Candles.warm_up)
    revisions = _BlockingStream(manager.Candles.revisions)
    stream_candles = _BlockingStream(manager.Candles.stream_candles)


class MarketDataCoordinator:
    """`candle_core.coordinator.MarketDataCoordinator` without ``await``, for what `open` gives.

    Args:
        candles: whose exchanges and database to use.
        max_concurrency, options: as there.
    """

    def __init__(
        self,
        candles: Candles,
        max_concurrency: int = coordinator.MAX_CONCURRENCY,
        **options: Unpack[coordinator.Options],
    ) -> None:
        self.asynchronous = coordinator.MarketDataCoordinator(candles.asynchronous, max_concurrency, **options)
        self._candles = candles

    @property
    def portal(self) -> BlockingPortal:
        """See `Candles.portal`."""
        return self._candles.portal

    get_candle_data = _Blocking(coordinator.MarketDataCoordinator.get_candle_data)
    get_ticker_data = _Blocking(coordinator.MarketDataCoordinator.get_ticker_data)
    get_orderbook_data = _Blocking(coordinator.MarketDataCoordinator.get_orderbook_data)
    get_trade_data = _Blocking(coordinator.MarketDataCoordinator.get_trade_data)


# ── profiles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _profile(
    function: Callable[Concatenate[coordinator.MarketDataCoordinator, _Arguments], AsyncGenerator[_Result, None]],
) -> Callable[Concatenate[MarketDataCoordinator, _Arguments], Iterator[_Result]]:
    """An async generator that asks through a coordinator as a plain one, with the same arguments and documentation."""

    @functools.wraps(function)
    def iterate(
        through: MarketDataCoordinator, /, *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> Iterator[_Result]:
        yield from _Steps(through.portal, function(through.asynchronous, *arguments, **named))

    return iterate


def _profile_result(
    function: Callable[Concatenate[coordinator.MarketDataCoordinator, _Arguments], Awaitable[_Result]],
) -> Callable[Concatenate[MarketDataCoordinator, _Arguments], _Result]:
    """The same for what has one result."""
    method = _Blocking(function)

    @functools.wraps(function)
    def call(through: MarketDataCoordinator, /, *arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        return method.__get__(through, type(through))(*arguments, **named)

    return call


screen = _profile(coordinator.screen)
backtest = _profile(coordinator.backtest)
collect_many = _profile_result(coordinator.collect_many)


class ChartView:
    """`candle_core.coordinator.ChartView` without ``await``.

    Args:
        coordinator: what to ask through.
        request, forming: as there.
    """

    def __init__(
        self, coordinator: MarketDataCoordinator, request: LargeCandleRequest, *, forming: bool = False
    ) -> None:
        self.asynchronous = profiles.ChartView(coordinator.asynchronous, request, forming=forming)
        self._coordinator = coordinator

    @property
    def portal(self) -> BlockingPortal:
        """See `Candles.portal`."""
        return self._coordinator.portal

    look = _Blocking(profiles.ChartView.look)


class ExchangeService:
    """`candle_core.warmup.ExchangeService` without ``await``: warming up, for scripts, schedulers and web servers.

        service = candle_core.blocking.ExchangeService("candle.toml")
        result = service.refresh_api_based_market_info()

    Any thread may use it. What it opens itself is opened at the first call, and closed by `close`, at the end of a
    ``with``, or at last when the interpreter ends.

    Args:
        source: what `open` gives, or a configuration as `open` takes it.
    """

    def __init__(self, source: Candles | str | Path | Mapping[str, Any] | None = None) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._candles = source if isinstance(source, Candles) else None
        self._stack = ExitStack()
        self._process = 0

    refresh_api_based_market_info = _Blocking(warmup.ExchangeService.refresh_api_based_market_info)
    warm_up_market_precision_cache = _Blocking(warmup.ExchangeService.warm_up_market_precision_cache)
    warm_up_all_market_info = _Blocking(warmup.ExchangeService.warm_up_all_market_info)
    warm_up_supported_exchanges_cache = _Blocking(warmup.ExchangeService.warm_up_supported_exchanges_cache)
    warm_up_all_market_precision_cache = _Blocking(warmup.ExchangeService.warm_up_all_market_precision_cache)

    @property
    def asynchronous(self) -> warmup.ExchangeService:
        """The same with ``await``."""
        return warmup.ExchangeService(self._opened().asynchronous)

    @property
    def portal(self) -> BlockingPortal:
        """The way to the event loop on which it runs."""
        return self._opened().portal

    def close(self) -> None:
        """Close what it opened itself; a later call opens it again.

        Nothing happens in a process that was forked off: the thread that would do it is not there.
        """
        with self._lock:
            if self._process == os.getpid():
                self._candles = None
                _open_services.discard(self)
                self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _opened(self) -> Candles:
        with self._lock:
            if self._candles is None:
                assert not isinstance(self._source, Candles)
                self._candles, self._process = self._stack.enter_context(open(self._source)), os.getpid()
                _open_services.add(self)
            return self._candles


_open_services: Final[set[ExchangeService]] = set()
"""Those that have something to close, and no others: who makes one for each task makes many."""


@_at_exit
def _close_services() -> None:
    for service in [*_open_services]:
        service.close()


@contextmanager
def open(config: str | Path | Mapping[str, Any] | None = None, *, clock: Clock | None = None) -> Iterator[Candles]:
    """A candle manager, closed at the end of the block. See `candle_core.open`."""
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(manager.open(config, clock=clock)) as candles,
    ):
        twin = Candles(candles, portal)
        try:
            yield twin
        finally:
            twin._close()
