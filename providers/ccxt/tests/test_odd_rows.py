"""A listing in which some rows cannot be read: all others answer, and what is left out is named."""

import asyncio
import logging
from pathlib import Path
from typing import Any, Final

import pytest

from candle_ccxt.listing import Reading, readable
from candle_ccxt.markets import parse_all
from candle_hookspecs import FetchRequest, MalformedAnswerError, MarketGoneError, MarketQuery, Span
from candle_testkit.context import OpenGate
from providers.ccxt.tests.test_many_wires import CANDLES, build, serving
from providers.ccxt.tests.test_markets import structure
from providers.ccxt.tests.wires import WIRES, gate_contract, gate_pair

GATE: Final = WIRES["gate"]
SPOT, SWAP, INVERSE, DATED = GATE.answers


async def bases(tmp_path: Path, changes: dict[str, Any], gate: OpenGate | None = None) -> list[str]:
    async with serving(GATE, changes) as (url, _):
        provider = build(tmp_path, "gate", url, gate)
        try:
            return [market.base for market in await provider.candle_markets(MarketQuery())]
        finally:
            await provider.candle_close()


def left_out(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING and "left out" in one.message]


async def test_a_few_of_many_are_found_wherever_they_are(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gate, odd = OpenGate(), (0, 1, 2, 499, 700, 998, 999)
    pairs = [gate_pair(f"N{number}" if number in odd else f"N{number}_USDT") for number in range(1000)]
    contracts = [gate_contract("BTC_USDT"), gate_contract("ODD_USDT", order_price_deviate="much")]
    found = await bases(tmp_path, {SPOT: pairs, SWAP: contracts}, gate)
    assert found == [f"N{number}" for number in range(1000) if number not in odd] + ["BTC", "BTC", "BTC"]
    assert len(gate.spent) == 4, "no answer is asked for twice"
    told = left_out(caplog)
    assert len(told) == len(odd) + 1
    for name in (*(f"N{number}" for number in odd), "ODD_USDT"):
        assert [one for one in told if f"'{name}'" in one and "gate" in one], name


async def test_where_nothing_can_be_read_it_is_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gate = OpenGate()
    nothing: dict[str, Any] = {SWAP: [], INVERSE: [], DATED: []}
    for rows in (1, 2, 200):
        gate.spent.clear()
        with pytest.raises(MalformedAnswerError, match="its markets at gate"):
            await bases(tmp_path, {SPOT: [gate_pair(f"N{number}") for number in range(rows)], **nothing}, gate)
        assert len(gate.spent) == 4
    assert left_out(caplog) == []


async def test_a_form_that_ccxt_does_not_know_is_no_matter_of_odd_rows(tmp_path: Path) -> None:
    """Half of the markets would be missing, and nobody would know; nor is it worth the time to find each."""
    pairs = [gate_pair(f"N{number}" if number % 2 else f"N{number}_USDT") for number in range(1000)]
    with pytest.raises(MalformedAnswerError, match="257 rows of the markets of gate and more"):
        await bases(tmp_path, {SPOT: pairs})


async def test_an_error_of_ccxts_own_is_no_refusal() -> None:
    """It says nothing of what the exchange would rather be asked for."""
    from ccxt.base.errors import ExchangeError

    async def read() -> list[Any]:
        raise ExchangeError("method() missing id")

    with pytest.raises(MalformedAnswerError, match=r"the markets of any: .* missing id"):
        await readable("the markets of any", read)


async def test_a_market_without_a_name_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """ccxt sorts markets by their names, and cannot sort one that has none."""
    wire = WIRES["bitstamp"]
    (path,) = wire.answers
    nameless = {**wire.answers[path][0], "market_symbol": None, "name": "ODD/USD", "base_currency": "ODD"}
    async with serving(wire, {path: [*wire.answers[path], nameless]}) as (url, _):
        provider = build(tmp_path, "bitstamp", url)
        assert len(await provider.candle_markets(MarketQuery())) == len(wire.markets)
        await provider.candle_close()
    (told,) = left_out(caplog)
    assert "ODD/USD" in told
    async with serving(wire, {path: [nameless]}) as (url, _):
        provider = build(tmp_path, "bitstamp", url)
        with pytest.raises(MalformedAnswerError, match="ODD/USD"):
            await provider.candle_markets(MarketQuery())
        await provider.candle_close()


def test_what_is_no_market_of_ours_in_the_end_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    odd = [structure("ODD/USDT", precision={"price": "fine", "amount": None}), structure("BAD/USDT", limits=None)]
    assert [one.base for one in parse_all([odd[0], structure(), odd[1]], "ANY", 4)] == ["BTC"]
    told = left_out(caplog)
    assert ["'ODD/USDT'" in told[0], "'BAD/USDT'" in told[1], len(told)] == [True, True, 2]
    with pytest.raises(MalformedAnswerError, match="ODD/USDT"):
        parse_all(odd, "ANY", 4)


async def test_what_cannot_be_read_is_not_called_gone(tmp_path: Path) -> None:
    pairs = {name: gate_pair(name) for name in ("BTC_USDT", "ODD_USDT", "OLD_USDT")}
    answers: dict[str, Any] = {SPOT: list(pairs.values())}
    async with serving(GATE, answers) as (url, _):
        provider = build(tmp_path, "gate", url)
        span = Span(CANDLES[0][0], CANDLES[-1][0] + 60_000)
        asked = {}
        for name in ("BTC/USDT", "ODD/USDT", "OLD/USDT"):
            (market,) = await provider.candle_markets(MarketQuery(name=name))
            anchor = provider.capabilities.anchors[0]
            asked[name] = FetchRequest(markets=(market,), timeframe="1m", span=span, anchor=anchor, limit=3)
        await provider.candle_close()
    # Its precision is read by arithmetic on the text.
    odd = {**pairs["ODD_USDT"], "amount_precision": "many"}
    async with serving(GATE, {SPOT: [pairs["BTC_USDT"], odd]}) as (url, _):
        provider = build(tmp_path, "gate", url)
        assert len((await provider.candle_fetch(asked["BTC/USDT"])).batch) == 3
        with pytest.raises(MalformedAnswerError, match="ODD_USDT"):
            await provider.candle_fetch(asked["ODD/USDT"])
        with pytest.raises(MarketGoneError, match="OLD_USDT"):
            await provider.candle_fetch(asked["OLD/USDT"])
        await provider.candle_close()


async def test_a_row_is_only_looked_for_where_every_question_was_answered() -> None:
    """What failed on the way is no row, and one that asks for more without some rows was not read."""

    async def ask(answer: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    reading = Reading()
    assert await reading.answer("a", lambda: ask([1, 2])) == [1, 2]
    assert reading.rows() == [("a", 0), ("a", 1)]
    without = Reading(reading.answers, frozenset({("a", 0)}), asks=False)
    assert await without.answer("a", lambda: ask([])) == [2]
    with pytest.raises(Exception, match="b"):
        await without.answer("b", lambda: ask([]))
    with pytest.raises(OSError, match="broken"):
        await reading.answer("b", lambda: ask(OSError("broken")))
    assert reading.rows() == []


TABLES: Final[dict[str, tuple[Any, list[tuple[Any, ...]]]]] = {
    "list": ([1, None], [(0,), (1,)]),
    "inside": ({"code": 0, "data": {"list": [{}, {}], "cursor": ""}}, [("data", "list", 0), ("data", "list", 1)]),
    "by-name": ({"result": {"A": {"x": 1}, "B": {"y": []}}}, [("result", "A"), ("result", "B")]),
    "parts": ({"spot": {"list": [{}]}, "swap": {"list": [{}]}}, [("spot", "list", 0), ("swap", "list", 0)]),
    "lists": ([[["A", 1], ["B", 2]], [], ["C"]], [(0, 0), (0, 1), (2, 0)]),
    "together": ([{"universe": [1, 2]}, [3, 4]], [(0,), (1,)]),
    "nothing": ({}, []),
}


@pytest.mark.parametrize(("body", "places"), TABLES.values(), ids=TABLES)
async def test_what_a_row_is(body: Any, places: list[tuple[Any, ...]]) -> None:
    """Lists that belong together by their order (Hyperliquid's) are taken for two rows, and not shortened apart."""
    reading = Reading({"q": asyncio.get_running_loop().create_future()})
    reading.answers["q"].set_result(body)
    assert [place[1:] for place in reading.rows()] == places
