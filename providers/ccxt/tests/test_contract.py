"""What every provider must do, through ccxt's own classes, for each way of paging there is."""

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from candle_ccxt.errors import BAN, PAUSE
from candle_ccxt.provider import CcxtProvider
from candle_hookspecs import MarketQuery, PluginContext, WarmupScope
from candle_testkit.contracts.provider import ProviderContract
from candle_testkit.contracts.scenes import BINANCE, UPBIT, Listed, Scene
from candle_testkit.contracts.stage import Stage

COLUMNS = ("open_time", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, kw_only=True)
class EightPlaces(Scene):
    """ccxt says of every Upbit market that its steps are the smallest there are."""

    @property
    def listed(self) -> dict[str, Listed]:
        smallest = "0.00000001"
        return {name: replace(one, tick=smallest, step=smallest) for name, one in super().listed.items()}


class CcxtContract(ProviderContract):
    """Attributes: unit: what ccxt charges for one of what the sandbox charges."""

    columns = COLUMNS
    unit: ClassVar[float]

    def build(self, url: str, context: PluginContext) -> CcxtProvider:
        return CcxtProvider(CcxtProvider.Settings.model_validate({"rest_url": url, "tradetypes": ["SPOT"]}), context)

    def test_own_requests_pass_the_gate(self, stage: Stage) -> None:
        for query in (MarketQuery(), MarketQuery(name=stage.scene.listed[stage.scene.other].symbol)):
            stage.call("candle_markets", query)
        stage.call("candle_warmup", WarmupScope())
        spent = sum(costs["cost"] for costs in stage.gate.spent)
        sent = sum(request.weight for request in stage.sandbox.ledger.requests())
        assert spent == pytest.approx(sent * self.unit)

    def test_decode_reads_the_wire(self, stage: Stage) -> None:
        """What it decodes are ccxt's rows, whatever the wire's are."""
        page = stage.fetch(self._request(stage, stage.scene.day, stage.provider.capabilities.anchors[0]))
        span = replace(stage.scene.day, start=page.batch.first, end=page.batch.last + 1)
        truth = stage.truth(page.request, span)
        rows = [list(row) for row in zip(*(truth[name].tolist() for name in COLUMNS), strict=True)]
        assert stage.call("candle_decode", rows) == page.batch
        assert stage.call("candle_decode", json.dumps(rows).encode()) == page.batch


class TestBinance(CcxtContract):
    name = "binance"
    scene = replace(BINANCE, meter=None)
    unit = 0.2  # 1,200 units a minute for a weight of 6,000


class TestUpbit(CcxtContract):
    name = "upbit"
    scene = EightPlaces(**{**UPBIT.__dict__, "meter": None, "waits": {"rate_limited": PAUSE, "banned": BAN}})
    unit = 2  # twenty units a second for ten requests
