"""Registered symbols, from where they stand to the last closed candle."""

from candle_core.kernel import Kernel
from candle_core.timeframes import Grid
from candle_core.update.account import ProgressCallback
from candle_core.update.buffer import BUFFER_SIZE
from candle_core.update.due import beginning, first_known, last_known
from candle_core.update.run import Update, by_exchange
from candle_hookspecs import SymbolQuery, SymbolRecord, UpdateResult


async def passive_update(
    kernel: Kernel,
    query: SymbolQuery,
    *,
    mend: bool = True,
    buffer_size: int | None = None,
    callback: ProgressCallback | None = None,
) -> UpdateResult:
    """See `Candles.passive_update`."""
    update = Update(kernel, BUFFER_SIZE if buffer_size is None else buffer_size, callback)
    records = await kernel.storage().symbols(query)

    def begin(record: SymbolRecord, grid: Grid) -> int:
        known = first_known(record) if mend else last_known(record)
        return beginning(record.market, grid) if known is None else known

    return await update.run(by_exchange(records), begin)
