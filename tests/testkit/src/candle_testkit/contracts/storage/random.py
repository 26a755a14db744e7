# ruff: noqa: D102 - a check is called what it checks
"""Random saves against a plain dictionary."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candle_hookspecs import Span
from candle_testkit.contracts.storage.harness import Database, StorageHarness, answer, candles, slot

SLOTS = 12


@dataclass(frozen=True)
class Saying:
    """What a random answer says: a price for each slot, and from where to where it claims to have all there is."""

    at: int
    rank: int
    price: int
    slots: frozenset[int]
    proven: tuple[int, int] | None

    def proves(self, index: int) -> bool:
        """Whether it claims to know the slot."""
        return self.proven is not None and self.proven[0] <= index < self.proven[1]

    @property
    def span(self) -> Span | None:
        """What it proves."""
        return self.proven and Span(slot(self.proven[0]), slot(self.proven[1]))


spans = st.tuples(st.integers(0, SLOTS - 1), st.integers(1, SLOTS)).filter(lambda pair: pair[0] < pair[1])
sayings = st.builds(
    Saying,
    at=st.integers(1, 4),
    rank=st.integers(0, 1),
    price=st.integers(1, 3),
    slots=st.frozensets(st.integers(0, SLOTS - 1), max_size=SLOTS),
    proven=st.none() | spans,
)
writes = st.lists(st.lists(sayings, min_size=1, max_size=3), min_size=1, max_size=6)


def winners(said: list[Saying]) -> Iterator[tuple[int, float | None]]:
    """For each slot the price that must stand in the end, whatever the order of the saves.

    Of all who had the slot, the one with the latest moment, then the highest rank, then saved last. None where that is
    open: a later answer that claims to have all there is lacked the slot, so the stored row may stay as it was.
    """
    for index in range(SLOTS):
        having = [(saying.at, saying.rank, order) for order, saying in enumerate(said) if index in saying.slots]
        if not having:
            continue
        earliest = min(having)[:2]
        open_to = any(
            saying.proves(index) and index not in saying.slots and (saying.at, saying.rank) > earliest
            for saying in said
        )
        yield index, None if open_to else said[max(having)[2]].price


class RandomChecks(StorageHarness):
    """Whatever is saved in whatever order."""

    @given(writes=writes)
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    def test_random_saves_match_a_dictionary(self, tmp_path: Path, writes: list[list[Saying]]) -> None:
        folder = tmp_path / uuid.uuid4().hex
        folder.mkdir()
        database = self.database(folder)
        try:
            self._play(database, writes)
        finally:
            database.close()

    def _play(self, database: Database, writes: list[list[Saying]]) -> None:
        said: list[Saying] = []
        for write in writes:
            answers = [
                answer(
                    candles(sorted(saying.slots), saying.price), saying.at, rank=saying.rank, proven=saying.span,
                    source=f"example:{saying.rank}",
                )
                for saying in write
            ]  # fmt: skip
            inserted = lacking = 0
            for saying in write:
                present = frozenset().union(*(earlier.slots for earlier in said))
                inserted += len(saying.slots - present)
                lacking += sum(saying.proves(index) for index in present - saying.slots)
                said.append(saying)
            receipt = database.save(*answers)
            assert (receipt.inserted, receipt.lacking) == (inserted, lacking)
            rows = sum(len(saying.slots) for saying in write)
            assert receipt.inserted + receipt.revised + receipt.unchanged + receipt.outdated == rows
        expected = dict(winners(said))
        stored = database.stored()
        assert [row[0] for row in stored] == [slot(index) for index in expected]
        for row, (index, price) in zip(stored, expected.items(), strict=True):
            if price is not None:
                assert row[1] == price + index / 7
        facts = {(fact.span, fact.answered_at, fact.source) for fact in database.facts()}
        assert facts == {(saying.span, saying.at, f"example:{saying.rank}") for saying in said if saying.span}
