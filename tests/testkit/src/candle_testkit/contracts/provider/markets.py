"""What a provider lists, and how it pays for that."""

from dataclasses import fields
from decimal import Decimal
from typing import Any, ClassVar, Final

import pytest

from candle_hookspecs import Market, MarketQuery, MarketStatus, WarmupScope
from candle_testkit.contracts.stage import Stage

WRONG_NAMES: Final = {
    # what is asked for, made of another market's base and quote; that base is `cut` and `last`
    "unknown-pair": "NOPE/{quote}",
    "unknown": "NOPE",
    "slash-moved": "{cut}/{last}{quote}",
    "settled": "{base}/{quote}:{quote}",
    "blank": "{base} {quote}",
    "slash": "/",
    "long": "x" * 40,
}


class MarketChecks:
    """The listing, whole and by name."""

    name: ClassVar[str]

    def test_listing_has_every_market_once_and_exactly(self, stage: Stage) -> None:
        """The listing has every market once, with exact steps and the right status."""
        markets = stage.call("candle_markets", MarketQuery())
        listed = stage.scene.listed
        assert sorted(market.native_id for market in markets) == sorted(listed)
        for market in markets:
            wanted = listed[market.native_id]
            assert (market.base, market.quote) == (wanted.base, wanted.quote)
            assert market.ccxt_symbol == wanted.symbol
            assert market.exchange == self.name.upper()
            steps = tuple(None if step is None else Decimal(step) for step in (wanted.tick, wanted.step))
            assert (market.price_tick, market.amount_step) == steps
            assert (market.status is MarketStatus.TRADING) == wanted.trading
            assert all(bound is None or isinstance(bound, Decimal) for bound in _bounds(market))

    def test_orders_can_be_rounded_to_what_is_listed(self, stage: Stage) -> None:
        """Ticks, also those of a table, and steps are above zero; no limit is below."""
        for market in stage.call("candle_markets", MarketQuery()):
            table = market.tick_table  # reads the text of one, and refuses what is none
            ticks = [tick for one in table.tables for _, tick in one.bands] if table else []
            assert all(step > 0 for step in (*ticks, market.amount_step) if step is not None), market
            assert all(bound >= 0 for bound in _bounds(market) if bound is not None), market

    def test_listing_is_filtered(self, stage: Stage) -> None:
        """A listing by status or trade type leaves the others out."""
        trading = stage.call("candle_markets", MarketQuery(status=MarketStatus.TRADING))
        assert {market.native_id for market in trading} == stage.scene.trading
        assert not stage.call("candle_markets", MarketQuery(tradetype="NO-SUCH-TYPE"))

    @pytest.mark.parametrize("lower", [False, True], ids=["as-listed", "lower"])
    @pytest.mark.parametrize("spelling", ["ccxt_symbol", "native_id"])
    def test_one_market_by_any_of_its_names(self, stage: Stage, spelling: str, lower: bool) -> None:
        """By ccxt's symbol or native id, in any case, comes the market that the listing has."""
        listing = stage.call("candle_markets", MarketQuery())
        (wanted,) = [market for market in listing if market.native_id == stage.scene.other]
        name = getattr(wanted, spelling)
        assert stage.market(name.lower() if lower else name) == wanted

    @pytest.mark.parametrize("pattern", WRONG_NAMES.values(), ids=WRONG_NAMES)
    def test_unknown_market_is_an_empty_list(self, stage: Stage, pattern: str) -> None:
        """A name that no market has is answered by an empty list, not by an error or another market."""
        other = stage.scene.listed[stage.scene.other]
        name = pattern.format(base=other.base, quote=other.quote, cut=other.base[:-1], last=other.base[-1:])
        assert list(stage.call("candle_markets", MarketQuery(name=name))) == []

    def test_own_requests_pass_the_gate(self, stage: Stage) -> None:
        """What it sends on its own account is spent before and observed after, to the last unit."""
        scene = stage.scene
        for query in (MarketQuery(), MarketQuery(name=scene.listed[scene.other].symbol)):
            stage.call("candle_markets", query)
        if stage.has("candle_warmup"):
            stage.call("candle_warmup", WarmupScope())
        spent = stage.spent()
        assert spent == sum(request.weight for request in stage.sandbox.ledger.requests())
        if scene.meter is not None:
            assert [stage.used(feedback, scene.own_meter) for feedback in stage.gate.observed][-1:] == [spent]


def _bounds(market: Market) -> list[Any]:
    """The largest and smallest order, by each of its measures; None where there is no limit."""
    return [getattr(market, one.name) for one in fields(Market) if one.name.startswith(("min_", "max_"))]
