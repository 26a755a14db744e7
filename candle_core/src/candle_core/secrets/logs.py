"""Log records without secrets: those of every logger, because an exchange's library writes to its own."""

import logging
from typing import Any, Final

from candle_core.secrets.errors import scrubbed, scrubbed_item, scrubbed_value, shown
from candle_core.secrets.redactor import REDACTOR

_FIELDS: Final = frozenset(vars(logging.makeLogRecord({})))
"""What every record has; the rest is what a caller gave as ``extra``."""


class Guard(logging.Filter):
    """Scrubs what a caller gives as ``extra``; it comes into a record when that is made already."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        for name, value in vars(record).items():
            if name not in _FIELDS:
                setattr(record, name, scrubbed_item(name, value))
        return True


_GUARD: Final = Guard()


def guarded(name: str) -> logging.Logger:
    """The logger of a plugin; those below it, as far as there are any, are guarded with it."""
    logger = logging.getLogger(name)
    for one in (logger, *_below(name)):
        one.addFilter(_GUARD)
    return logger


def _below(name: str) -> list[logging.Logger]:
    known = logging.Logger.manager.loggerDict
    return [one for other, one in [*known.items()] if other.startswith(f"{name}.") and isinstance(one, logging.Logger)]


def guard_records() -> None:
    """Scrub every record of this process from now on, in whatever way they were made before."""
    before = logging.getLogRecordFactory()

    def make(*arguments: Any, **options: Any) -> logging.LogRecord:
        record = before(*arguments, **options)
        _scrub(record)
        return record

    logging.setLogRecordFactory(make)


def _scrub(record: logging.LogRecord) -> None:
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit: the handler tells, and shows them
        message = None
    if message is None:
        record.msg, record.args = scrubbed_value(record.msg), scrubbed_value(record.args)
    elif REDACTOR.finds(f"{message}\n{shown(record.args)}"):
        record.msg, record.args = REDACTOR.scrub(message), ()
    if record.exc_info and record.exc_info[1] is not None:
        error = scrubbed(record.exc_info[1])
        record.exc_info = (type(error), error, error.__traceback__)
    if record.stack_info:
        record.stack_info = REDACTOR.scrub(record.stack_info)


REDACTOR.first = guard_records
