"""What a database does."""

from collections.abc import Sequence
from typing import Protocol

from candle_hookspecs.actions import Action, ActionQuery
from candle_hookspecs.candles import CandleBatch
from candle_hookspecs.coverage import Coverage
from candle_hookspecs.markers import hookspec
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


class StorageSpecs(Protocol):
    """What a database does."""

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
