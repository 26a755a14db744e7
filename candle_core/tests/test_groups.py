"""Groups of markets, and what an unknown one among them costs."""

from math import ceil, log2
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.config import load_config
from candle_core.groups import group, halves
from candle_core.kernel import Kernel
from candle_hookspecs import FetchRequest, Kind, Market, ProviderCapabilities

ABLE = ProviderCapabilities(
    contract=1, tradetypes=("SPOT",), timeframes=("1m",), page_limit=500, batch={Kind.TICKERS: 3},
    costs={Kind.TICKERS: {"weight": 2}, Kind.TRADES: {"weight": 4}},
)  # fmt: skip


def markets(count: int, exchange: str = "EXAMPLE") -> tuple[Market, ...]:
    return tuple(
        Market(
            archetype="CRYPTO", exchange=exchange, tradetype="SPOT", base=f"C{n}", quote="USDT",
            native_id=f"C{n}USDT", ccxt_symbol=f"C{n}/USDT",
        )
        for n in range(count)
    )  # fmt: skip


def split(request: FetchRequest) -> list[FetchRequest]:
    return group(request, ABLE)


def test_groups_are_as_large_as_one_call_may_be() -> None:
    calls = split(FetchRequest(kind=Kind.TICKERS, markets=markets(7), limit=5))
    assert [len(call.markets) for call in calls] == [3, 3, 1]
    assert tuple(one for call in calls for one in call.markets) == markets(7)
    assert all(call.costs == {"weight": 2} and call.limit == 5 for call in calls)


def test_trades_stay_one_call_for_each_market() -> None:
    calls = split(FetchRequest(kind=Kind.TRADES, markets=markets(2), limit=5_000))
    assert [(call.market.base, call.limit, call.costs) for call in calls] == [
        ("C0", 5_000, {"weight": 4}), ("C1", 5_000, {"weight": 4}),
    ]  # fmt: skip


@given(st.integers(1, 200), st.data())
def test_one_unknown_market_costs_few_calls(count: int, data: st.DataObject) -> None:
    everything = markets(count)
    unknown = data.draw(st.sampled_from(everything))
    answered: list[Market] = []
    refused: list[Market] = []
    calls, sent = [FetchRequest(kind=Kind.TICKERS, markets=everything)], 0
    while calls:
        call, sent = calls.pop(), sent + 1
        if unknown not in call.markets:
            answered.extend(call.markets)
        elif not (smaller := halves(call, lambda request: [request])):
            refused.extend(call.markets)
        else:
            calls.extend(smaller)
    assert refused == [unknown]
    assert sorted(answered, key=lambda one: one.base) == sorted(
        (one for one in everything if one != unknown), key=lambda one: one.base
    )
    assert sent <= 1 + 2 * ceil(log2(count))


def test_a_half_costs_what_the_provider_says() -> None:
    calls = halves(FetchRequest(kind=Kind.TICKERS, markets=markets(4), costs={"weight": 80}, token="all"), split)
    assert [(len(call.markets), call.costs, call.token) for call in calls] == [(2, {"weight": 2}, "")] * 2


@pytest.mark.parametrize("kind", [Kind.TICKERS, Kind.ORDERBOOKS, Kind.TRADES])
async def test_the_kernel_groups_for_who_does_not_split(clock: Any, exchange: Any, kind: Kind) -> None:
    kernel = Kernel(load_config({"storage": {"backend": "memory"}}), clock)
    calls = kernel.provider("FAKE").hooks.split(FetchRequest(kind=kind, markets=markets(2, "FAKE")))
    assert [len(call.markets) for call in calls] == [1, 1]
    await kernel.close()
