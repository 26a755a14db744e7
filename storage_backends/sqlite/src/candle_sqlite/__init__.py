"""SQLite storage for the candle data manager: the embedded default."""

from candle_sqlite.storage import SqliteStorage

__all__ = ["SqliteStorage"]
