"""What a provider says of itself, and how it begins and ends."""

import pluggy

from candle_hookspecs import CONTRACT_VERSION, PROJECT, CandleSpecs, Kind, MarketQuery, Settings, WarmupScope
from candle_testkit.contracts.stage import LATEST_LAG, Stage


class SelfChecks:
    """Capabilities, hooks, warm-up, closing."""

    def test_capabilities_are_sane(self, stage: Stage) -> None:
        """What it says it can do fits together: every cost names a declared limit, every grid a timeframe."""
        able = stage.provider.capabilities
        assert able.contract == CONTRACT_VERSION
        assert Kind.CANDLES in able.kinds
        assert able.tradetypes
        assert all(name == name.upper() for name in (*able.tradetypes, able.archetype))
        assert able.timeframes
        assert len(set(able.timeframes)) == len(able.timeframes)
        assert able.anchors
        assert min(able.page_limit, able.concurrency) >= 1
        assert min(able.settle, able.doubt) >= 0
        amounts = {limit.name: limit.amount for limit in able.limits}
        assert all(limit.amount > 0 and limit.period > 0 for limit in able.limits)
        for kind, costs in able.costs.items():
            for name, cost in costs.items():
                assert 0 < cost <= amounts.get(name, 0), f"{kind} costs {cost} of {name!r}; the limits are {amounts}"
        assert set(able.grid) <= set(able.timeframes)

    def test_hooks_are_known(self, stage: Stage) -> None:
        """Every hook it marks is one of the contract's, and its settings are a model that refuses unknown keys."""
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(CandleSpecs)
        manager.register(stage.provider)
        manager.check_pending()
        assert issubclass(type(stage.provider).Settings, Settings)

    def test_warmup_reads_the_exchange_clock(self, stage: Stage) -> None:
        """The warm-up reads the exchange's clock by one request, and lists markets only if asked."""
        stage.need("candle_warmup")
        clock = stage.provider.context.clock
        before = clock.now()
        info = stage.call("candle_warmup", WarmupScope())
        assert before <= info.local_time <= clock.now()
        assert stage.scene.now - LATEST_LAG < info.server_time <= stage.scene.now
        assert not info.markets
        assert stage.sandbox.ledger.count() <= 1
        listing = stage.call("candle_markets", MarketQuery())
        assert list(stage.call("candle_warmup", WarmupScope(markets=True)).markets) == list(listing)

    def test_close_may_come_twice(self, stage: Stage) -> None:
        """Closing twice is harmless."""
        stage.fetch(stage.request(stage.scene.day, limit=1))
        stage.call("candle_close")
        stage.call("candle_close")
