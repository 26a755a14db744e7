# ruff: noqa: D102 - a check is called what it checks
"""Checks of splits and dividends: `Answer.actions`, `candle_actions`."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from candle_hookspecs import Action, ActionKind, ActionQuery, Answer, Market, Span
from candle_testkit.contracts.storage.harness import BTC, SYMBOL, Database, answer, candles, market, slot, span

SPLIT = Action(slot(3), ActionKind.SPLIT, 4.0)
DIVIDEND = Action(slot(3), ActionKind.DIVIDEND, 0.205, 114.09)
LATER = Action(slot(7), ActionKind.DIVIDEND, 1 / 3)


def telling(*actions: Action, at: int = 1, rank: int = 0, listed: Market = BTC, timeframe: str = "1m") -> Answer:
    """An answer that tells of actions, and of one candle."""
    symbol = listed.symbol(timeframe)
    return replace(answer(candles([0]), at, rank=rank, symbol=symbol, source=f"example:{rank}"), actions=actions)


def told(db: Database, within: Span | None = None, listed: Market = BTC) -> Sequence[Action]:
    """The actions that the storage gives."""
    found: Sequence[Action] = db.call("candle_actions", ActionQuery.of(listed.symbol("1m"), within))
    return list(found)


def need_actions(db: Database) -> None:
    """Skip where the storage keeps none."""
    if not db.capabilities.actions:
        pytest.skip("capabilities.actions is False")


class ActionChecks:
    """What a company did to its shares."""

    def test_actions_come_back_in_order(self, db: Database) -> None:
        need_actions(db)
        db.save(telling(LATER, SPLIT, DIVIDEND))
        assert told(db) == [DIVIDEND, SPLIT, LATER]
        assert told(db, span(0, 7)) == [DIVIDEND, SPLIT]
        assert told(db, span(3, 4)) == [DIVIDEND, SPLIT]
        assert told(db, span(4, 7)) == []

    def test_a_later_answer_corrects_and_an_earlier_one_does_not(self, db: Database) -> None:
        need_actions(db)
        right, wrong = replace(DIVIDEND, value=0.21), replace(DIVIDEND, value=0.19)
        db.save(telling(SPLIT, DIVIDEND, at=5))
        db.save(telling(right, at=6))
        db.save(telling(wrong, at=4))
        assert told(db) == [right, SPLIT], "what a later answer leaves out stays"
        db.save(telling(wrong, at=6, rank=-1))
        assert told(db) == [right, SPLIT], "of one moment the higher rank wins"
        db.save(telling(DIVIDEND, at=6, rank=1))
        assert told(db) == [DIVIDEND, SPLIT]

    def test_a_market_has_them_once_for_all_timeframes(self, db: Database) -> None:
        need_actions(db)
        db.register("1d")
        db.save(telling(SPLIT), telling(SPLIT, LATER, timeframe="1d", at=2))
        assert told(db) == [SPLIT, LATER]
        assert db.call("candle_actions", ActionQuery.of(BTC.symbol("1d"))) == [SPLIT, LATER]

    def test_markets_do_not_mix(self, db: Database) -> None:
        need_actions(db)
        other = market("ETH")
        db.register(listed=other)
        db.save(telling(SPLIT), telling(LATER, listed=other))
        assert (told(db), told(db, listed=other)) == ([SPLIT], [LATER])
        assert told(db, listed=market("STRANGER")) == []

    def test_actions_outlive_forgotten_candles_and_reopening(self, db: Database) -> None:
        need_actions(db)
        db.save(telling(SPLIT))
        db.forget(None, with_candles=True)
        if db.capabilities.durable:
            db.reopen()
        assert told(db) == [SPLIT]

    def test_a_refused_write_tells_nothing(self, db: Database) -> None:
        need_actions(db)
        with pytest.raises(Exception, match="STRANGER"):
            db.save(telling(SPLIT), telling(LATER, listed=market("STRANGER")))
        assert told(db) == []

    def test_answers_carry_them(self, db: Database) -> None:
        need_actions(db)
        if not db.capabilities.revisions:
            pytest.skip("capabilities.revisions is False")
        db.save(telling(SPLIT, at=3), telling(LATER, at=4, rank=1))
        db.forget(None, with_candles=True)
        given = {(one.answered_at, one.rank): one.actions for one in db.answers(SYMBOL) if one.actions}
        assert given == {(3, 0): (SPLIT,), (4, 1): (LATER,)}
