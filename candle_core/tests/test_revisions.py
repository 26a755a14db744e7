"""What later answers changed, read in pieces from a database that keeps it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

import candle_core
from candle_core import revisions
from candle_core.revisions import read_revisions
from candle_hookspecs import (
    REQUIRED_COLUMNS,
    Answer,
    BadInputError,
    CandleBatch,
    LoadRead,
    MaintenanceTask,
    MissingHookError,
    Revision,
    Span,
    StorageCapabilities,
    Symbol,
)

SYMBOL = Symbol("CRYPTO", "ONE", "SPOT", "BTC", "USDT", "1m")
MINUTE = 60_000
ALWAYS = Span(-(2**53), 2**53)


class Keeper:
    """A database that keeps what it was told, and notes how much it was asked for at once."""

    capabilities = StorageCapabilities(contract=1, revisions=True)
    backend = "keeper"

    def __init__(self, *answers: Answer) -> None:
        self.said = answers
        self.most = 0

    async def load(self, read: LoadRead) -> CandleBatch:
        batch = CandleBatch.concat([one.batch for one in self.said])
        return batch.between(read.span or ALWAYS)[: read.limit or len(batch)]

    async def answers(self, read: LoadRead) -> Sequence[Answer]:
        cut = [replace(one, batch=one.batch.between(read.span or ALWAYS)) for one in self.said]
        self.most = max(self.most, sum(len(one.batch) for one in cut))
        return cut


def said(at: int, rows: dict[int, float], source: str = "one:rest", **unlike: float) -> Answer:
    """An answer with one number for every column of a minute, but for the columns that are unlike."""
    times = np.array([minute * MINUTE for minute in rows], np.int64)
    columns = {name: np.array(list(rows.values())) for name in REQUIRED_COLUMNS[1:]}
    columns |= {name: np.full(len(times), value) for name, value in unlike.items()}
    batch = CandleBatch.from_columns({"open_time": times} | columns)
    return Answer(symbol=SYMBOL, source=source, answered_at=at, batch=batch)


async def read(keeper: Keeper, span: Span = ALWAYS) -> list[Revision]:
    return [one async for one in read_revisions(keeper, SYMBOL, span)]  # type: ignore[arg-type] # all that is used


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


async def test_a_change_says_what_was_and_what_became_by_whom_and_when() -> None:
    keeper = Keeper(
        said(0, {7: 1.0, 8: 1.0}, "import"),
        said(1_000, {7: 1.0, 8: 2.0}, close=1.0, quote_volume=5.0),
        said(2_000, {7: 1.0}, "one:archive", close=1.0, quote_volume=5.0, low=0.5),
    )
    assert await read(keeper) == [
        Revision(
            open_time=moment(7 * MINUTE), changes={"quote_volume": (None, 5.0)}, answered_before=None,
            answered_after=moment(1_000), source_before="import", source_after="one:rest",
        ),
        Revision(
            open_time=moment(7 * MINUTE), changes={"low": (1.0, 0.5)}, answered_before=moment(1_000),
            answered_after=moment(2_000), source_before="one:rest", source_after="one:archive",
        ),
        Revision(
            open_time=moment(8 * MINUTE),
            changes=dict.fromkeys(("open", "high", "low", "volume"), (1.0, 2.0)) | {"quote_volume": (None, 5.0)},
            answered_before=None, answered_after=moment(1_000), source_before="import", source_after="one:rest",
        ),
    ]  # fmt: skip


async def test_an_extra_column_may_change_alone() -> None:
    (one,) = await read(Keeper(said(1, {0: 1.0}, dividend=0.1), said(2, {0: 1.0}, dividend=0.2)))
    assert one.changes == {"dividend": (0.1, 0.2)}


async def test_only_a_piece_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "CHUNK", 10)
    keeper = Keeper(said(1, dict.fromkeys(range(100), 1.0)), said(2, dict.fromkeys(range(0, 100, 3), 2.0)))
    found = await read(keeper)
    assert [one.open_time for one in found] == [moment(minute * MINUTE) for minute in range(0, 100, 3)]
    assert keeper.most == 14
    assert [one.open_time for one in await read(keeper, Span(9 * MINUTE, 15 * MINUTE + 1))] == [
        moment(minute * MINUTE) for minute in (9, 12, 15)
    ]


async def test_a_database_that_forgets_is_named() -> None:
    keeper = Keeper()
    keeper.capabilities = StorageCapabilities(contract=1)
    with pytest.raises(MissingHookError, match=r"'keeper'.*`candle copy"):
        await read(keeper)


async def test_upkeep_is_named_or_all_of_it() -> None:
    async with candle_core.open({"storage": {"backend": "memory"}}) as candles:
        assert [report.task for report in await candles.maintain(["check", MaintenanceTask.COMPACT])] == [
            "check", "compact",
        ]  # fmt: skip
        assert {report.task for report in await candles.maintain()} == set(MaintenanceTask)
        with pytest.raises(BadInputError, match="'polish'"):
            await candles.maintain(["analyze", "polish"])
