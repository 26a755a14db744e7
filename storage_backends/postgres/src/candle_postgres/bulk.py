"""The rows of many answers as one stream of columns, cut to pieces that are encoded at one time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from candle_hookspecs import COLUMNS, INTEGER_COLUMNS, OPTIONAL_COLUMNS, UNKNOWN_COUNT, CandleBatch
from candle_postgres.frames import Column
from candle_sql import Merge

_PIECE: Final = 16_384  # rows


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of an answer."""

    task: Merge
    rows: slice

    @property
    def size(self) -> int:
        """How many."""
        return int(self.rows.stop - self.rows.start)

    @property
    def batch(self) -> CandleBatch:
        """Its candles."""
        return self.task.answer.batch[self.rows]


def pieces(tasks: Iterable[Merge]) -> Iterator[list[Part]]:
    """Large answers cut, small ones gathered."""
    piece: list[Part] = []
    room = _PIECE
    for task in tasks:
        rows = len(task.answer.batch)
        for low in range(0, rows, _PIECE):
            part = Part(task, slice(low, min(low + _PIECE, rows)))
            if part.size > room:
                yield piece
                piece, room = [], _PIECE
            piece.append(part)
            room -= part.size
    if piece:
        yield piece


def stored_columns(parts: Sequence[Part]) -> dict[str, Column]:
    """The columns of the table `candles`."""
    return {
        "symbol_id": (_repeated(parts, [part.task.symbol_id for part in parts], np.int32), None),
        **_candles(parts),
        "answered_at": (_repeated(parts, [part.task.answer.answered_at for part in parts], np.int64), None),
        "source_id": (_repeated(parts, [part.task.source_id for part in parts], np.int32), None),
    }


def staged_columns(parts: Sequence[Part], numbers: Mapping[int, int]) -> dict[str, Column]:
    """Those, the number of the answer (by its identity), its rank, and which rows it brings no proof of."""
    unproven = np.concatenate([part.task.unproven()[part.rows] for part in parts])
    return {
        **stored_columns(parts),
        "task": (_repeated(parts, [numbers[id(part.task)] for part in parts], np.int32), None),
        "rank": (_repeated(parts, [part.task.answer.rank for part in parts], np.int32), None),
        "unproven": (unproven, None),
    }


def _repeated(parts: Sequence[Part], values: Sequence[int], kind: type[np.generic]) -> NDArray[Any]:
    return np.repeat(np.array(values, kind), [part.size for part in parts])


def _candles(parts: Sequence[Part]) -> dict[str, Column]:
    batches = [part.batch for part in parts]
    return {name: _column(name, [_values(batch, name) for batch in batches]) for name in COLUMNS}


def _values(batch: CandleBatch, name: str) -> NDArray[Any]:
    """A column, what is unknown told as `CandleBatch` tells it."""
    values: NDArray[Any] | None = getattr(batch, name)
    if values is not None:
        return values
    return np.full(len(batch), UNKNOWN_COUNT) if name in INTEGER_COLUMNS else np.full(len(batch), np.nan)


def _column(name: str, parts: list[NDArray[Any]]) -> Column:
    values = np.concatenate(parts)
    if name not in OPTIONAL_COLUMNS:
        return values, None
    return values, values == UNKNOWN_COUNT if name in INTEGER_COLUMNS else np.isnan(values)
