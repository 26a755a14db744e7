"""Handing rows to the writer from outside: queued by priority, gathered into transactions, told of when written."""

from candle_core.batch.manager import BatchDBManager
from candle_core.batch.operation import BatchOperation, OperationCallback

__all__ = ["BatchDBManager", "BatchOperation", "OperationCallback"]
