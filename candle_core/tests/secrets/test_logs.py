"""No record of any logger shows a secret, whoever handles it and wherever his handler stands."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from candle_core.secrets import MASK, REDACTOR, guarded

KEY = "planted-77aa/key+1=="


class Keeping(logging.Handler):
    """Keeps what it is given, and what it would write."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[logging.LogRecord] = []
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record)
        self.told.append(self.format(record))


@pytest.fixture
def handler() -> Iterator[Keeping]:
    REDACTOR.remember(KEY)
    keeping = Keeping()
    loggers = [logging.getLogger(name) for name in ("candle.fake", "aiohttp.client")]
    for logger in loggers:  # where no filter or handler of a logger above it would see the record first
        logger.addHandler(keeping)
        logger.setLevel(logging.DEBUG)
    yield keeping
    for logger in loggers:
        logger.removeHandler(keeping)
        logger.setLevel(logging.NOTSET)


def nothing_left(handler: Keeping) -> None:
    assert handler.kept
    for record, told in zip(handler.kept, handler.told, strict=True):
        assert KEY not in told
        assert KEY not in repr(vars(record)), vars(record)
        assert MASK in told + repr(vars(record))


@pytest.mark.parametrize("name", ["candle.fake", "candle.fake.wire", "aiohttp.client"])
def test_messages_and_arguments(handler: Keeping, name: str) -> None:
    logger = logging.getLogger(name)
    logger.info(f"with {KEY}")  # noqa: G004 - as some write it
    logger.info("with %s and %r", KEY, {"headers": {"X-KEY": KEY}})
    logger.info("with %(key)s", {"key": KEY})
    logger.info(ValueError(KEY))
    assert len(handler.kept) == 4
    nothing_left(handler)


def test_an_argument_that_the_message_does_not_show(handler: Keeping) -> None:
    logging.getLogger("candle.fake").info("with nothing", {"unused": KEY})  # noqa: PLE1205 - a mapping may name more
    (record,) = handler.kept
    assert (record.msg, record.args) == ("with nothing", ())


def test_exceptions_and_stacks(handler: Keeping) -> None:
    logger = logging.getLogger("candle.fake")
    try:
        try:
            raise ValueError(f"inner {KEY}")
        except ValueError as inner:
            raise OSError(5, f"outer {KEY}") from inner
    except OSError as error:
        logger.exception("it failed")
        logger.warning("it failed", exc_info=error, stack_info=True)
        kept = error
    assert KEY in str(kept), "the plugin's own error is its own"
    nothing_left(handler)
    assert all("OSError: [Errno 5] outer" in told and "ValueError: inner" in told for told in handler.told)


def test_what_is_given_as_extra(handler: Keeping) -> None:
    logger = guarded("candle.fake")
    logger.info("asked", extra={"url": f"http://x/?key={KEY}", "headers": {"X-KEY": KEY}, "rows": 3})
    nothing_left(handler)
    (record,) = handler.kept
    kept: Any = record
    assert (kept.rows, kept.url, kept.headers) == (3, f"http://x/?key={MASK}", {"X-KEY": MASK})


def test_arguments_that_do_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    REDACTOR.remember(KEY)
    record = logging.getLogRecordFactory()("candle.fake", logging.INFO, __file__, 1, "%s and %s", (KEY,), None)
    logging.StreamHandler().handle(record)
    assert "Arguments: " in (told := capsys.readouterr().err)
    assert KEY not in told


def test_a_record_without_secrets_is_left(handler: Keeping) -> None:
    logging.getLogger("candle.fake").info("rows: %d", 3)
    (record,) = handler.kept
    assert (record.msg, record.args) == ("rows: %d", (3,))
