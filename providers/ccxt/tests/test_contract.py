"""What every provider must do, through ccxt's own classes, for each way of paging there is."""

import json
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import pytest

from candle_ccxt.errors import BAN, PAUSE
from candle_ccxt.provider import CcxtProvider
from candle_hookspecs import Anchor, MarketQuery, PluginContext, ProviderError, Span, WarmupScope
from candle_testkit.contracts.provider import FAULTS, ProviderContract
from candle_testkit.contracts.scenes import ABSENCES, BINANCE, MINUTE, UPBIT, Listed, Scene
from candle_testkit.contracts.stage import Stage
from candle_testkit.sandbox import MarketConfig

COLUMNS = ("open_time", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, kw_only=True)
class EightPlaces(Scene):
    """ccxt says of every Upbit market that its steps are the smallest there are."""

    @property
    def listed(self) -> dict[str, Listed]:
        smallest = "0.00000001"
        return {name: replace(one, tick=smallest, step=smallest) for name, one in super().listed.items()}


class CcxtContract(ProviderContract):
    """Attributes: prices: path → what ccxt charges for it."""

    columns = COLUMNS
    prices: ClassVar[dict[str, float]]

    def build(self, url: str, context: PluginContext) -> CcxtProvider:
        return CcxtProvider(CcxtProvider.Settings.model_validate({"rest_url": url, "tradetypes": ["SPOT"]}), context)

    def test_own_requests_pass_the_gate(self, stage: Stage) -> None:
        for query in (MarketQuery(), MarketQuery(name=stage.scene.listed[stage.scene.other].symbol)):
            stage.call("candle_markets", query)
        stage.call("candle_warmup", WarmupScope())
        spent = sum(costs["cost"] for costs in stage.gate.spent)
        sent = [self.prices[request.path] for request in stage.sandbox.ledger.requests()]
        assert len(sent) >= 2
        assert spent == pytest.approx(sum(sent))

    def test_decode_reads_the_wire(self, stage: Stage) -> None:
        """What it decodes are ccxt's rows, whatever the wire's are."""
        page = stage.fetch(stage.request(stage.scene.day))
        span = replace(stage.scene.day, start=page.batch.first, end=page.batch.last + 1)
        truth = stage.truth(page.request, span)
        rows = [list(row) for row in zip(*(truth[name].tolist() for name in COLUMNS), strict=True)]
        assert stage.call("candle_decode", rows) == page.batch
        assert stage.call("candle_decode", json.dumps(rows).encode()) == page.batch


class TestBinance(CcxtContract):
    name = "binance"
    scene = replace(BINANCE, meter=None)
    prices: ClassVar = {"/api/v3/exchangeInfo": 4, "/api/v3/time": 0.2}  # a fifth of the weight


class TestUpbit(CcxtContract):
    name = "upbit"
    scene = EightPlaces(**{**UPBIT.__dict__, "meter": None, "waits": {"rate_limited": PAUSE, "banned": BAN}})
    prices: ClassVar = {"/v1/market/all": 2}


def of(market: MarketConfig, exchange: str, **changes: Any) -> MarketConfig:
    """A market of Binance's scene at another exchange."""
    return replace(market, exchange=exchange, off_grid=(), **changes)


HIDDEN: Final = ("object", "other-range")
LONGEST: Final = 250 * MINUTE
MAIN, ENDED, OTHER = BINANCE.markets
OKX: Final = Scene(
    markets=(of(MAIN, "OKX", symbol="BTC-USDT"), of(ENDED, "OKX", symbol="LUNA-USDT"),
             of(OTHER, "OKX", symbol="ETH-BTC")),
    main="BTC-USDT", other="ETH-BTC", ended="LUNA-USDT", absent="GONE-USDT", meter=None, own_meter="cost", forgets=True,
    walk=899 + 180 + 500, waits={"rate_limited": PAUSE, "banned": BAN},
    # An answer tells of no more than the stretch that was asked for.
    day=Span.of("2024-01-20T00:00", "2024-01-20T04:00"),
    absences={
        case: (role, Span(max(span.start, span.end - LONGEST), span.end)) for case, (role, span) in ABSENCES.items()
    },
)  # fmt: skip


class TestOkx(CcxtContract):
    """Bounded at both ends by cursors, newest first."""

    name = "okx"
    scene = OKX
    prices: ClassVar = {"/api/v5/public/instruments": 1, "/api/v5/public/time": 2}

    def build(self, url: str, context: PluginContext) -> CcxtProvider:
        provider = super().build(url, context)
        able = provider.capabilities
        # The sandbox has no candles of a quarter.
        provider.capabilities = replace(able, timeframes=tuple(name for name in able.timeframes if name != "3M"))
        return provider

    @pytest.mark.parametrize(("kind", "options"), [("wrong_shape", {"shape": "object"}), ("other_range", {})])
    def test_what_ccxt_hides_proves_nothing(self, stage: Stage, kind: str, options: dict[str, Any]) -> None:
        """ccxt reads what is no list as an empty one, and any rows may follow a gap; the kernel asks twice."""
        request = stage.request(stage.scene.day, Anchor.END)
        stage.sandbox.faults.script(kind, **options)
        page = stage.fetch(request)
        assert (len(page.batch), page.proofs, page.asserted) == (0, (), page.request.span)

    @pytest.mark.parametrize(("kind", "options", "error", "unlike"), [one for one in FAULTS if one.id not in HIDDEN])
    def test_fault_becomes_its_error(
        self, stage: Stage, kind: str, options: dict[str, Any], error: type[ProviderError], unlike: Any
    ) -> None:
        super().test_fault_becomes_its_error(stage, kind, options, error, unlike)

    @pytest.mark.parametrize("anchor", [Anchor.END])
    def test_walk_loses_and_repeats_nothing(self, stage: Stage, anchor: Anchor) -> None:
        """A hole that is longer than a page is asserted, window after window, and walked over."""
        whole = stage.scene.walked
        end, found = whole.end, set[int]()
        while end > whole.start:
            page = stage.fetch(stage.request(Span(whole.start, end), anchor))
            stage.check_rows(page)
            found |= set(page.batch.between(whole).open_time.tolist())
            said = [*(proof.span for proof in page.proofs), *([page.asserted] if page.asserted else [])]
            assert min(span.start for span in said) < end, "it does not get on"
            end = min(span.start for span in said)
        truth = stage.truth(stage.request(whole, anchor), whole)["open_time"].tolist()
        assert (sorted(found), len(truth)) == (truth, stage.scene.walk)
