"""PostgreSQL storage for the candle data manager: where users outgrow one file."""

from candle_postgres.storage import PostgresStorage

__all__ = ["PostgresStorage"]
