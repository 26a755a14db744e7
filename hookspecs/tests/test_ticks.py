"""Tables of ticks read and print without loss, and say which tick held when."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_hookspecs import PRICE_TICKS, BadInputError, Market, TickBands, TickTable, to_ms

TEXT = "@2025-07-31T00:00+09:00 1000:5 100:1 0:0.01; @2024-01-29T00:00+09:00 1000:1 0:0.001; 0:0.1"
SUMMER, WINTER = to_ms("2025-07-30T15:00Z"), to_ms("2024-01-28T15:00Z")

positive = st.builds(lambda digits, places: Decimal(digits).scaleb(places), st.integers(1, 10**30), st.integers(-40, 0))
moments = st.integers(to_ms("0001-01-01"), to_ms("9999-12-31"))


@st.composite
def bands(draw: st.DrawFn) -> tuple[tuple[Decimal, Decimal], ...]:
    starts = sorted(draw(st.lists(positive, max_size=5, unique=True)), reverse=True)
    return tuple((start, draw(positive)) for start in (*starts, Decimal(0)))


@st.composite
def tables(draw: st.DrawFn) -> TickTable:
    since: list[int | None] = [*sorted(draw(st.lists(moments, max_size=4, unique=True)), reverse=True)]
    if not since or draw(st.booleans()):
        since.append(None)
    return TickTable(tuple(TickBands(draw(bands()), moment) for moment in since))


@given(tables())
def test_the_text_is_lossless(table: TickTable) -> None:
    assert TickTable.parse(str(table)) == table


@given(tables(), positive | st.just(Decimal(0)), moments)
def test_which_tick_held_by_looking_at_all_of_them(table: TickTable, price: Decimal, at: int) -> None:
    held = [one for one in table.tables if one.since is None or one.since <= at]
    newest = max(held, key=lambda one: -(10**20) if one.since is None else one.since, default=None)
    expected = None if newest is None else dict(newest.bands)[max(start for start, _ in newest.bands if start <= price)]
    assert table.tick(price, at) == expected


@pytest.mark.parametrize(
    ("price", "at", "tick"),
    [
        ("1000", None, "5"), ("999.99", None, "1"), ("99", None, "0.01"), ("0", None, "0.01"),
        ("1000", SUMMER, "5"), ("1000", SUMMER - 1, "1"), ("999", SUMMER - 1, "0.001"), ("999", WINTER, "0.001"),
        ("999", WINTER - 1, "0.1"), ("999", 0, "0.1"),
    ],
)  # fmt: skip
def test_a_table_with_its_history(price: str, at: int | None, tick: str) -> None:
    assert TickTable.parse(TEXT).tick(Decimal(price), at) == Decimal(tick)


def test_none_where_no_table_held_yet() -> None:
    table = TickTable.parse(TEXT.rpartition(";")[0])
    assert (table.tick(Decimal(1), WINTER), table.tick(Decimal(1), WINTER - 1)) == (Decimal("0.001"), None)
    assert table.at(WINTER - 1) is None


def test_the_older_text_is_one_table_without_a_moment() -> None:
    table = TickTable.parse("1000000:1000 500000:500 0:0.00000001")
    assert table == TickTable(
        (
            TickBands(
                tuple((Decimal(a), Decimal(b)) for a, b in [("1000000", "1000"), ("500000", "500"), ("0", "1e-8")])
            ),
        )
    )
    assert str(table) == "1000000:1000 500000:500 0:0.00000001"


@pytest.mark.parametrize(
    "text",
    [
        "", ";", "0:1;", "1", "a:b", "0:1:2", "0:0", "0:-1", "0:NaN", "0:Infinity", "NaN:1 0:1", "1:1", "0:1 1:1",
        "1:1 1:1 0:1", "-1:1 0:1", "0:1 -1:1", "@ 0:1", "@soon 0:1", "@2024-01-01", "0:1; 0:1",
        "0:1; @2024-01-01 0:1", "@2024-01-01 0:1; @2024-01-01 0:1", "@2023-01-01 0:1; @2024-01-01 0:1",
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(BadInputError):
        TickTable.parse(text)


def test_a_moment_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(BadInputError, match="microseconds"):
        TickBands(((Decimal(0), Decimal(1)),), since=SUMMER * 1000)


def market(**options: Any) -> Market:
    return Market(
        archetype="CRYPTO", exchange="X", tradetype="SPOT", base="A", quote="B", native_id="AB", ccxt_symbol="A/B",
        **options,
    )  # fmt: skip


def test_the_table_of_a_market() -> None:
    assert market().tick_table is None
    assert market(extra={PRICE_TICKS: ""}).tick_table is None
    single = market(price_tick=Decimal("0.01")).tick_table
    assert single is not None
    assert [single.tick(Decimal(price), at) for price, at in (("0", None), ("1e9", 0))] == [Decimal("0.01")] * 2
    several = market(price_tick=Decimal("0.01"), extra={PRICE_TICKS: TEXT}).tick_table
    assert several == TickTable.parse(TEXT)


def test_a_market_whose_tick_is_none_is_named() -> None:
    with pytest.raises(BadInputError, match="'0:0'"):
        _ = market(price_tick=Decimal(0)).tick_table
    with pytest.raises(BadInputError, match="'nonsense'"):
        _ = market(extra={PRICE_TICKS: "nonsense"}).tick_table
