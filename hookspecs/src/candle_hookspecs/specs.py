"""The hooks: what a plugin may implement, what it is given, what it must return.

A plugin is a class named by an entry point. The kernel validates the plugin's TOML table with its `Settings`, builds
``Plugin(settings, context)`` and registers the instance. Hooks are its methods, marked with `hookimpl`. The kernel
calls a hook of *one* provider or *one* storage, and of every wrapper; a plugin never has to ask whether a call is
meant for it.

    from candle_hookspecs import PluginContext, ProviderCapabilities, Settings, hookimpl

    class ExampleProvider:
        class Settings(Settings):
            rest_url: str = "https://api.example.com"

        capabilities = ProviderCapabilities(contract=1, tradetypes=("SPOT",), timeframes=("1m", "1h"), page_limit=500)

        def __init__(self, settings: Settings, context: PluginContext) -> None:
            self.settings, self.context = settings, context

I/O hooks may be ``async def`` or ``def`` (then they run in a worker thread); `PURE_HOOKS` are plain ``def``. No hook
may be a generator, except a wrapper. A wrapper around an I/O hook receives an awaitable and returns one; it awaits the
inner one at most once, or closes it:

    import time
    from candle_hookspecs import ExtensionCapabilities, hookimpl

    class Timing:
        capabilities = ExtensionCapabilities(contract=1)

        def __init__(self, settings=None, context=None):
            self.seconds = []

        @hookimpl(wrapper=True)
        def candle_fetch(self, request):
            inner = yield
            return self._timed(inner)

        async def _timed(self, inner):
            start = time.perf_counter()
            page = await inner
            self.seconds.append(time.perf_counter() - start)
            return page

Retries belong to the kernel: a hook tries once and raises an error of `candle_hookspecs.errors`. All times are UTC
milliseconds, all spans half-open.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from candle_hookspecs.actions import Action, ActionQuery
from candle_hookspecs.candles import CandleBatch
from candle_hookspecs.coverage import Coverage
from candle_hookspecs.extensions import Cache, Event, Job, JobResult
from candle_hookspecs.markers import hookspec
from candle_hookspecs.requests import FetchRequest, MarketQuery, Page
from candle_hookspecs.storage import (
    Answer,
    CoverageQuery,
    Forget,
    LoadRead,
    MaintenanceReport,
    MaintenanceTask,
    Operation,
    Registration,
    SaveReceipt,
    SaveWrite,
    StorageStatus,
    SymbolQuery,
    SymbolRecord,
)
from candle_hookspecs.symbols import Market
from candle_hookspecs.times import Session, Span
from candle_hookspecs.warmup import MarketInfo, WarmupScope

PURE_HOOKS: Final = frozenset({"candle_split", "candle_decode"})
"""No I/O, no waiting: plain functions of their arguments."""


class CandleSpecs(Protocol):
    """Every hook there is.

    Providers implement the first group, storages the second, extensions the third and any wrapper.
    """

    # ── providers ───────────────────────────────────────────────────────────────────────────────────────────────────

    @hookspec(firstresult=True)
    def candle_markets(self, query: MarketQuery) -> Sequence[Market]:
        """List markets, one if `query.name` is given, with precision, limits, status and dates as far as known.

        Requests are sent on the plugin's own account, so they pass ``context.budget`` first; what the answer's headers
        say of the limits is told to ``context.budget.observe``.

        Example:
            @hookimpl
            async def candle_markets(self, query):
                await self.context.budget.spend({"requests": 1})
                rows = await self._get("/markets")
                markets = [
                    Market(
                        archetype="CRYPTO", exchange="EXAMPLE", tradetype="SPOT", base=row["base"], quote=row["quote"],
                        native_id=row["id"], ccxt_symbol=f"{row['base']}/{row['quote']}",
                        status=MarketStatus.TRADING, price_tick=Decimal(row["tick"]),
                    )
                    for row in rows
                ]
                return [
                    market for market in markets
                    if query.tradetype in (None, market.tradetype) and query.status in (None, market.status)
                    and (query.name is None or market.answers_to(query.name))
                ]

        Returns:
            Markets; an empty list when there is none of that name.

        Raises:
            UnknownMarketError: the provider knows where else that name is traded, and says so.
            ProviderError: any of its children.
        """
        ...

    @hookspec(firstresult=True)
    def candle_split(self, request: FetchRequest) -> Sequence[FetchRequest] | None:
        """Cut a wish into calls, each with its `limit` and `costs`. Pure.

        Optional: without it, and where it answers None, the kernel cuts: candles by `capabilities.page_limit`, tickers
        and order books into groups of `capabilities.batch` markets; trades stay one call for each market, whose answer
        tells its `rest`.

        `request.span` is wanted as a whole. The calls together span it without overlap, in time order. Calls anchored
        at the start are best cut just behind an open time (1 ms after it), calls anchored at the end just at one, so
        that a full page proves its window to the end. The kernel offers long spans in stretches and keeps what is not
        yet sent on a work-list: windows that other answers prove are never sent.

        Example:
            @hookimpl
            def candle_split(self, request):
                day = 86_400_000
                starts = range(request.span.start, request.span.end, day)
                return [
                    replace(request, span=Span(start, min(start + day, request.span.end)), limit=1440)
                    for start in starts
                ]

        Raises:
            BadInputError: the request cannot be expressed at this exchange.
        """
        ...

    @hookspec(firstresult=True)
    def candle_fetch(self, request: FetchRequest) -> Page:
        """Send one call and return its answer.

        The kernel has spent `request.costs` before; the plugin sends one request. Where one answer cannot tell all that
        a page needs, what it sends besides passes ``context.budget`` first.

        The answer to a candle request holds the up to `request.limit` rows nearest to `request.anchor` (START: the
        oldest from ``span.start`` on; END: the newest before ``span.end``), the candle still open included. Where the
        wire can leave the far end open, do: a row beyond it proves the gap before it. `Page.of` works out the rest.

        An answer with trades holds those of the span nearest to the anchor, and `Page.rest` the calls for the others;
        `Page.of_trades` works it out where the wire counts by time alone. Of tickers and order books there is one for
        each of the markets. Where the exchange refuses a call as a whole because it does not know one of several
        markets, raise `MarketGoneError`: the kernel asks again for either half of them.

        Example:
            @hookimpl
            async def candle_fetch(self, request):
                parameters = {"market": request.market.native_id, "interval": request.timeframe, "limit": request.limit}
                if request.anchor is Anchor.START:
                    parameters["from"] = request.span.start
                else:
                    parameters["to"] = request.span.end - 1
                answer = await self._get("/candles", parameters)
                return Page.of(request, self.candle_decode(answer.rows), answered_at=answer.server_time)

        Raises:
            TransientError: connection lost, 5xx, a cut body. MalformedAnswerError: not the exchange's format.
            RateLimitedError: 429 or 418, with the wait. MarketGoneError: delisted. BadRequestError,
            AuthenticationError.
        """
        ...

    @hookspec(firstresult=True)
    def candle_decode(self, raw: Any) -> CandleBatch:
        """Turn the wire's own candle rows into columns, be they parsed JSON or the body's bytes. Pure.

        Example:
            @hookimpl
            def candle_decode(self, raw):
                rows = json.loads(raw) if isinstance(raw, bytes) else raw
                table = np.array(rows, dtype=np.float64).reshape(len(rows), 6)
                return CandleBatch.from_columns(dict(zip(REQUIRED_COLUMNS, table.T, strict=True)))

        Raises:
            MalformedAnswerError: not such rows, or a null or NaN where a number belongs (numpy makes NaN of null);
                nothing is guessed.
        """
        ...

    @hookspec(firstresult=True)
    def candle_warmup(self, scope: WarmupScope) -> MarketInfo:
        """Do what makes the first collection quick: open the session, read the exchange's clock, list markets if asked.

        Optional: without it the local clock is taken for the exchange's until the first answer corrects it.

        Example:
            @hookimpl
            async def candle_warmup(self, scope):
                await self.context.budget.spend({"requests": 1})
                answer = await self._get("/time")
                return MarketInfo(server_time=answer["serverTime"], local_time=self.context.clock.now())

        Raises:
            ProviderError: any of its children.
        """
        ...

    @hookspec(firstresult=True)
    def candle_calendar(self, span: Span) -> Sequence[Session]:
        """When the exchange trades: its sessions that touch the span, in time order. Optional: without it, always.

        Candles are then expected from each opening on, one after the other until the close, and none in between. All
        markets of a provider keep the same hours.

        Example:
            @hookimpl
            def candle_calendar(self, span):
                return [Session(Span(open_ms, close_ms)) for open_ms, close_ms in self._sessions(span)]
        """
        ...

    # ── storages ────────────────────────────────────────────────────────────────────────────────────────────────────

    @hookspec(firstresult=True)
    def candle_register(self, registrations: Sequence[Registration]) -> Sequence[SymbolRecord]:
        """Make markets and their timeframes known, or bring what is known of the markets up to date.

        Idempotent, and safe when several do it at once.

        Example:
            @hookimpl
            def candle_register(self, registrations):
                with self._transaction() as transaction:
                    return [self._upsert(transaction, entry.market, timeframe)
                            for entry in registrations for timeframe in entry.timeframes]

        Returns:
            One record for each market and timeframe, in the order given, without statistics.
        """
        ...

    @hookspec(firstresult=True)
    def candle_symbols(self, query: SymbolQuery) -> Sequence[SymbolRecord]:
        """The registered symbols that match, in the order of `Symbol`.

        Statistics and coverage, if asked for, are read in one pass for thousands of them.

        Example:
            @hookimpl
            def candle_symbols(self, query):
                return [record for record in self._records if query.exchange in (None, record.symbol.exchange)]
        """
        ...

    @hookspec(firstresult=True)
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        """Commit candles and the facts that prove them, in one transaction: all or nothing.

        On conflict the answer given later (`answered_at`, then `rank`) wins, whichever is saved first. A stored row
        that a later answer lacks is kept and counted in `lacking`. Saving the same write twice changes nothing.

        Example:
            @hookimpl
            def candle_save(self, write):
                receipt = SaveReceipt()
                with self._transaction() as transaction:
                    for answer in write.answers:
                        receipt += self._merge(transaction, answer)
                        self._add_facts(transaction, answer.symbol, answer.coverage)
                return receipt

        Raises:
            UnknownSymbolError: a symbol was not registered.
            StorageError: nothing of the write was stored.
        """
        ...

    @hookspec(firstresult=True)
    def candle_load(self, read: LoadRead) -> CandleBatch:
        """Candles in time order, at most `read.limit`, in one short transaction.

        With `read.as_of` (only asked of a storage with `StorageCapabilities.revisions`) each candle as the latest
        answer up to that moment had it; one that no answer had given by then is not there.

        Example:
            @hookimpl
            def candle_load(self, read):
                batch = self._batches[read.symbol]
                batch = batch.between(read.span) if read.span else batch
                limit = read.limit or len(batch)
                return batch[-limit:] if read.newest_first else batch[:limit]

        Raises:
            UnknownSymbolError: the symbol was never registered.
        """
        ...

    @hookspec(firstresult=True)
    def candle_answers(self, read: LoadRead) -> Sequence[Answer]:
        """Everything stored of a span, as the answers it came from (`StorageCapabilities.revisions`).

        Each answer has one source, rank and moment. Its batch holds the candles that stand as it gave them and those
        that a later answer replaced; its coverage the facts of that source and moment, cut to the span; its actions
        those of the market that it told (whatever the span). Saving these
        answers in another database, in whatever order, makes it hold the same. `read.limit`, `read.columns` and
        `read.as_of` mean nothing here.

        Example:
            @hookimpl
            def candle_answers(self, read):
                said = self._statements(read.symbol, read.span)  # stored rows and replaced ones
                return [self._answer(*origin, rows) for origin, rows in group_by_origin(said)]

        Returns:
            In the order of (answered_at, rank, source).

        Raises:
            UnknownSymbolError: the symbol was never registered.
        """
        ...

    @hookspec(firstresult=True)
    def candle_actions(self, query: ActionQuery) -> Sequence[Action]:
        """Splits and dividends of a market, in the order of their moments (`StorageCapabilities.actions`).

        Example:
            @hookimpl
            def candle_actions(self, query):
                actions = sorted(self._actions_of(query), key=lambda action: (action.at, action.kind))
                return [action for action in actions if query.span is None or action.at in query.span]

        Raises:
            StorageError: it cannot be read. A market that is not known has none.
        """
        ...

    @hookspec(firstresult=True)
    def candle_count(self, read: LoadRead) -> int:
        """How many candles `candle_load` would return without a limit.

        Example:
            @hookimpl
            def candle_count(self, read):
                return len(self.candle_load(replace(read, limit=0)))
        """
        ...

    @hookspec(firstresult=True)
    def candle_coverage(self, query: CoverageQuery) -> Sequence[Coverage]:
        """The facts that match, each whole, in the order of their spans.

        Example:
            @hookimpl
            def candle_coverage(self, query):
                facts = self._facts[query.symbol]
                wanted = [fact for fact in facts if query.span is None or fact.span.intersect(query.span)]
                return sorted(wanted, key=lambda fact: fact.span)

        Raises:
            UnknownSymbolError: the symbol was never registered.
        """
        ...

    @hookspec(firstresult=True)
    def candle_forget(self, forget: Forget) -> int:
        """Take proof back: facts are cut to what lies outside `forget.span`. With `candles`, the rows inside go too.

        Example:
            @hookimpl
            def candle_forget(self, forget):
                with self._transaction() as transaction:
                    self._cut_facts(transaction, forget.symbol, forget.span)
                    return self._delete_rows(transaction, forget) if forget.candles else 0

        Returns:
            How many candles were deleted.

        Raises:
            UnknownSymbolError: the symbol was never registered.
        """
        ...

    @hookspec(firstresult=True)
    def candle_execute(self, operation: Operation) -> int:
        """Write rows of a user's own table, in one transaction (`StorageCapabilities.executes`).

        The table is there already, made by whoever owns it; a database without any candles will do. The candle tables
        and the database's own are refused.

        Example:
            @hookimpl
            def candle_execute(self, operation):
                table = self._reflect(operation.table)
                with self._transaction() as transaction:
                    return transaction.execute(table.insert(), list(operation.rows)).rowcount

        Returns:
            Rows touched.

        Raises:
            BadInputError: no such table or column, a table that is not the user's, a row without its key, or a value
                that the database cannot hold.
            StorageConstraintError: a rule of the table is broken. StorageError: otherwise. Nothing was stored.
        """
        ...

    @hookspec(firstresult=True)
    def candle_maintain(self, task: MaintenanceTask) -> MaintenanceReport:
        """Do one step of upkeep. A task that means nothing to this database reports zero changes.

        A step that keeps writers out takes about a tenth of a second; what is left over is told by
        `MaintenanceReport.more`, and done by the next call.

        Example:
            @hookimpl
            def candle_maintain(self, task):
                start = time.perf_counter()
                changed = self._compact() if task is MaintenanceTask.COMPACT else 0
                return MaintenanceReport(task=task, seconds=time.perf_counter() - start, changed=changed)
        """
        ...

    @hookspec(firstresult=True)
    def candle_status(self) -> StorageStatus:
        """How the database stands, without changing it; one that is not there yet holds nothing.

        Example:
            @hookimpl
            def candle_status(self):
                size = self.path.stat().st_size
                return StorageStatus(place=str(self.path), size=size, symbols=self._count("symbols"))

        Raises:
            StorageError: it is there, and cannot be read.
        """
        ...

    # ── extensions ──────────────────────────────────────────────────────────────────────────────────────────────────

    @hookspec
    def candle_event(self, event: Event) -> None:
        """Hear what happened. Every extension is told; one that raises is logged and harms nobody.

        Example:
            @hookimpl
            async def candle_event(self, event):
                self.counters[event.name] += 1
        """
        ...

    @hookspec(firstresult=True)
    def candle_cache(self, name: str) -> Cache:
        """Give the cache of that name (``memory``, ``redis``).

        Example:
            @hookimpl
            async def candle_cache(self, name):
                return RedisCache(self.settings.url)
        """
        ...

    @hookspec(firstresult=True)
    def candle_run_jobs(self, jobs: Sequence[Job]) -> Sequence[JobResult]:
        """Run jobs somewhere else (many machines) and report each; a failed job is a result with an error.

        Example:
            @hookimpl
            async def candle_run_jobs(self, jobs):
                futures = self.cluster.map(run_job, jobs)
                return await self.cluster.gather(futures)
        """
        ...

    # ── all ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @hookspec(firstresult=True)
    def candle_close(self) -> None:
        """Let go of sessions, connections and files. Called once, also after an error. Optional.

        Example:
            @hookimpl
            async def candle_close(self):
                await self._session.close()
        """
        ...
