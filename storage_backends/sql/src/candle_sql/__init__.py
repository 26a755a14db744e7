"""What every SQL storage backend shares: tables, migrations, catalogue, coverage, and the frame of a save."""

from candle_sql.merge import Merge
from candle_sql.migrations import MIGRATIONS, Migration
from candle_sql.storage import SqlStorage

__all__ = ["MIGRATIONS", "Merge", "Migration", "SqlStorage"]
