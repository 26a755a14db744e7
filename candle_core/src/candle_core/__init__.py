"""Candle market history you can trust: plan, collect, prove, store, read.

    import candle_core

    async with candle_core.open("candle.toml") as candles:
        await candles.collect_candles_only("BTC/USDT", "1m", exchange="BINANCE", tradetype="SPOT", count=1000)

`candle_core.blocking` is the same without ``await``. Names are imported when first used, so that ``candle --help``
stays quick.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from candle_core import blocking
    from candle_core.batch import BatchDBManager, BatchOperation
    from candle_core.manager import Candles, open
    from candle_core.resample import candles_from_trades
    from candle_core.writer import BatchConfig
    from candle_hookspecs import (
        CandleBatch,
        CandleError,
        CandleFrame,
        CollectionConfig,
        CollectionPlan,
        CollectionProgress,
        CollectionSummary,
        OperationType,
        Priority,
        SlotReport,
        Symbol,
        VerifyReport,
    )

__all__ = [
    "BatchConfig",
    "BatchDBManager",
    "BatchOperation",
    "CandleBatch",
    "CandleError",
    "CandleFrame",
    "Candles",
    "CollectionConfig",
    "CollectionPlan",
    "CollectionProgress",
    "CollectionSummary",
    "OperationType",
    "Priority",
    "SlotReport",
    "Symbol",
    "VerifyReport",
    "blocking",
    "candles_from_trades",
    "open",
]

_HOMES = {
    "BatchConfig": "candle_core.writer",
    "BatchDBManager": "candle_core.batch",
    "BatchOperation": "candle_core.batch",
    "CandleBatch": "candle_hookspecs",
    "CandleError": "candle_hookspecs",
    "CandleFrame": "candle_hookspecs",
    "Candles": "candle_core.manager",
    "CollectionConfig": "candle_hookspecs",
    "CollectionPlan": "candle_hookspecs",
    "CollectionProgress": "candle_hookspecs",
    "CollectionSummary": "candle_hookspecs",
    "OperationType": "candle_hookspecs",
    "Priority": "candle_hookspecs",
    "SlotReport": "candle_hookspecs",
    "Symbol": "candle_hookspecs",
    "VerifyReport": "candle_hookspecs",
    "candles_from_trades": "candle_core.resample",
    "open": "candle_core.manager",
}


def __getattr__(name: str) -> object:
    if name == "blocking":
        return importlib.import_module("candle_core.blocking")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
