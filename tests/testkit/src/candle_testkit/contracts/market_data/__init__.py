"""What a provider of tickers, order books or trades must do, checked against a sandbox that knows the truth.

    from candle_testkit.contracts.market_data import MarketDataContract

    class TestExampleMarketData(MarketDataContract):
        name = "example"

        def build(self, url, context):
            return ExampleProvider(ExampleProvider.Settings(rest_url=url), context)

A kind that `capabilities.kinds` does not name is skipped. The sandbox speaks the wires of Binance, Upbit and, for
tickers of stocks, Yahoo; say which of their scenes is the provider's.
"""

from dataclasses import replace
from math import ceil
from typing import Any, Final

import pytest

from candle_hookspecs import FetchRequest, Kind, ProviderError, RateLimitedError, TransientError
from candle_testkit.contracts.market_data.harness import able_to, split
from candle_testkit.contracts.market_data.states import STATES, StateChecks
from candle_testkit.contracts.market_data.trades import TradeChecks
from candle_testkit.contracts.stage import Stage

FAULTS: Final = [
    pytest.param("status", {"status": 500}, TransientError, id="500"),
    pytest.param("html", {"status": 503}, TransientError, id="503-html"),
    pytest.param("html", {"status": 200}, TransientError, id="200-html"),
    pytest.param("truncated", {}, TransientError, id="truncated"),
    pytest.param("reset", {}, TransientError, id="reset"),
    pytest.param("rate_limited", {"retry_after": 7}, RateLimitedError, id="429"),
    pytest.param("banned", {"retry_after": 130}, RateLimitedError, id="418"),
]
each_kind = pytest.mark.parametrize("kind", [*STATES, Kind.TRADES], ids=str)


class MarketDataContract(StateChecks, TradeChecks):
    """Every check. Subclass it under a name that pytest collects, and say how to `build` the provider.

    Attributes:
        name: what the provider stands under in the TOML.
        scene: the exchange that it is checked on.
        counted: how many trades are asked for at once where many are: more than two answers hold.
    """

    # ── what it says of itself ──────────────────────────────────────────────────────────────────────────────────────

    @each_kind
    def test_what_it_has_it_describes(self, stage: Stage, kind: Kind) -> None:
        """Costs name declared limits, and how much one answer holds is said."""
        able = able_to(stage, kind)
        limits = {limit.name for limit in able.limits}
        assert able.cost(kind), f"capabilities.costs says nothing of {kind}"
        assert set(able.cost(kind)) <= limits, f"{able.cost(kind)} names no limit of {sorted(limits)}"
        assert able.most_markets(kind) >= 1, "a call names at least one market"
        assert able.most_markets(Kind.TRADES) == able.most_markets(Kind.CANDLES) == 1, "one market a call for rows"
        assert kind is Kind.TICKERS or able.most_rows(kind) >= 1, f"capabilities.rows says nothing of {kind}"

    @each_kind
    @pytest.mark.parametrize("count", [1, 2, 20, 21, 100, 101, 2_000])
    def test_calls_name_every_market_once(self, stage: Stage, kind: Kind, count: int) -> None:
        """Whatever the number of markets, the calls name each of them once, and say what they cost."""
        able, one = able_to(stage, kind), stage.market(self.scene.main)
        markets = tuple(replace(one, native_id=f"{one.native_id}{number}") for number in range(count))
        calls = split(stage, FetchRequest(kind=kind, markets=markets))
        assert [market for call in calls for market in call.markets] == list(markets), "each market once, in order"
        for call in calls:
            assert call.costs, f"a call for {len(call.markets)} markets costs nothing"
            assert set(call.costs) <= {limit.name for limit in able.limits}, f"{call.costs} names no limit"
        assert len(calls) <= ceil(count / able.most_markets(kind)), f"{len(calls)} calls for {count} markets"

    # ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────

    @each_kind
    @pytest.mark.parametrize(("fault", "options", "expected"), FAULTS)
    def test_trouble_becomes_the_right_error(
        self, stage: Stage, kind: Kind, fault: str, options: dict[str, Any], expected: type[ProviderError]
    ) -> None:
        """One request, not repeated, and an error that says whether to try again, and when."""
        able_to(stage, kind)
        (call,) = split(stage, FetchRequest(kind=kind, markets=(stage.market(self.scene.main),), limit=5))
        stage.sandbox.ledger.clear()
        tries = 2 if fault == "reset" and self.scene.reconnects else 1
        stage.sandbox.faults.script(fault, path="*", times=2, **options)
        with pytest.raises(ProviderError) as caught:
            stage.call("candle_fetch", call)
        stage.sandbox.faults.clear()
        assert isinstance(caught.value, expected), f"{caught.value!r}"
        assert stage.sandbox.ledger.count() == tries, "a hook tries once"
        if isinstance(caught.value, RateLimitedError):
            wait = self.scene.waits.get(fault, options["retry_after"])
            assert caught.value.retry_after == wait, f"wait {wait} s, not {caught.value.retry_after}"
            assert caught.value.banned is (fault == "banned" and self.scene.tells_bans), "a ban is a ban"
