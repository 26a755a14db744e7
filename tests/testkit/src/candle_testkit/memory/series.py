"""What is known of one symbol: the rows that stand, all that was ever said, and what is proven."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, TypeAlias

from candle_hookspecs import (
    INTEGER_COLUMNS,
    PRICE_COLUMNS,
    UNKNOWN_COUNT,
    Action,
    BadInputError,
    CandleBatch,
    Coverage,
    CoverageState,
)

Values: TypeAlias = Mapping[str, float | int]
"""What a row says, by column; what it does not say is absent."""


class Row(NamedTuple):
    """A stored candle: its values, and when, and with which rank, they were last said."""

    values: Values
    moment: tuple[int, int]


class Said(NamedTuple):
    """What an answer said of a candle."""

    source: str
    values: Values


class Told(NamedTuple):
    """An action, and when and by whom it was told."""

    moment: tuple[int, int]
    source: str
    action: Action


@dataclass
class Series:
    """What is known of one symbol.

    Attributes:
        rows: what stands, by open time.
        said: everything that was said, by open time, then by moment and rank; of two of one moment the last saved.
        ranks: the rank with which facts came, by their source and moment.
    """

    registered: datetime
    rows: dict[int, Row] = field(default_factory=dict)
    said: dict[int, dict[tuple[int, int], Said]] = field(default_factory=dict)
    facts: set[Coverage] = field(default_factory=set)
    ranks: dict[tuple[str, int], int] = field(default_factory=dict)
    revisions: int = 0

    def __copy__(self) -> "Series":
        return replace(self, rows=dict(self.rows), said=dict(self.said), facts=set(self.facts), ranks=dict(self.ranks))

    def known(self, as_of: int | None) -> dict[int, Values]:
        """The candles as the answers up to a moment had them; None: as they stand."""
        if as_of is None:
            return {open_time: row.values for open_time, row in self.rows.items()}
        found = {}
        for open_time, said in self.said.items():
            if moments := [moment for moment in said if moment[0] <= as_of]:
                found[open_time] = said[max(moments)].values
        return found

    def statements(self, open_time: int) -> Iterator[tuple[tuple[int, int], Said]]:
        """What was said of a candle, in order; without that which repeats what came before, where a fact tells so."""
        before: Values | None = None
        for moment, said in sorted(self.said[open_time].items()):
            if said.values != before or not self._is_proven(open_time, moment[0], said.source):
                yield moment, said
            before = said.values

    @property
    def replaced(self) -> int:
        """How many statements do not stand any more."""
        return sum(len(list(self.statements(open_time))) for open_time in self.said) - len(self.rows)

    def _is_proven(self, open_time: int, answered_at: int, source: str) -> bool:
        return any(
            fact.source == source
            and fact.answered_at == answered_at
            and fact.state is CoverageState.ANSWERED
            and open_time in fact.span
            for fact in self.facts
        )


def values_of(batch: CandleBatch) -> list[Values]:
    """The rows of a batch by column name, what is unknown left out.

    Raises:
        BadInputError: a price or the volume is unknown.
    """
    columns = {name: column.tolist() for name, column in batch.columns().items() if name != "open_time"}
    rows: list[Values] = []
    for values in zip(*columns.values(), strict=True):
        said = dict(zip(columns, values, strict=True))
        row = {
            name: value
            for name, value in said.items()
            if (value != UNKNOWN_COUNT if name in INTEGER_COLUMNS else value == value)
        }
        if missing := [name for name in (*PRICE_COLUMNS, "volume") if name not in row]:
            raise BadInputError(f"a candle has no {missing!r}: only the optional columns may be unknown; drop the row")
        rows.append(row)
    return rows
