"""Candles from files: what their names say, what their times mean, and how they stand below any exchange's answer."""

from candle_core.importing.importer import Import, ImportCallback, query_for

__all__ = ["Import", "ImportCallback", "query_for"]
