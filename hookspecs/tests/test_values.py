"""Every public value says what it is and cannot be changed."""

import copy
import dataclasses
import inspect
import pickle
from enum import Enum

import pytest
from pydantic import SecretStr, ValidationError

import candle_hookspecs
from candle_hookspecs import (
    Account,
    CollectionSummary,
    Kind,
    ProviderCapabilities,
    SaveReceipt,
    SaveWrite,
    Settings,
    Span,
    Symbol,
    to_datetime,
)
from candle_hookspecs.storage import Answer

PUBLIC = {name: getattr(candle_hookspecs, name) for name in candle_hookspecs.__all__}
CLASSES = [value for value in PUBLIC.values() if inspect.isclass(value)]
DATACLASSES = [value for value in CLASSES if dataclasses.is_dataclass(value)]


@pytest.mark.parametrize("value", CLASSES, ids=lambda value: value.__name__)
def test_says_what_it_is(value: type) -> None:
    own = vars(value).get("__doc__")
    assert own
    assert not own.startswith(f"{value.__name__}("), "a dataclass without words documents itself with its signature"
    assert own.strip()[0].isupper() or own.startswith("`")


@pytest.mark.parametrize("value", DATACLASSES, ids=lambda value: value.__name__)
def test_is_frozen(value: type) -> None:
    assert value.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_there_are_values_to_look_at() -> None:
    assert len(DATACLASSES) > 30
    assert {Span, Symbol, Kind} <= set(CLASSES)
    assert all(issubclass(kind, Enum) for kind in (Kind,))


SYMBOL = Symbol("CRYPTO", "EXAMPLE", "SPOT", "BTC", "USDT", "1m")


def test_receipts_add_up_field_by_field() -> None:
    first = SaveReceipt(inserted=1, revised=2, unchanged=3, outdated=4, lacking=5)
    second = SaveReceipt(inserted=10, revised=20, unchanged=30, outdated=40, lacking=50)
    assert dataclasses.astuple(first + second) == (11, 22, 33, 44, 55)


def test_a_write_counts_its_rows() -> None:
    empty = Answer(symbol=SYMBOL, source="x:rest", answered_at=0, batch=candle_hookspecs.CandleBatch.empty())
    assert SaveWrite(answers=(empty, empty)).rows == 0


def test_a_kind_without_a_price_costs_nothing() -> None:
    able = ProviderCapabilities(
        contract=1, tradetypes=("SPOT",), timeframes=("1m",), page_limit=5, costs={Kind.CANDLES: {"weight": 2}}
    )
    assert able.cost(Kind.CANDLES) == {"weight": 2}
    assert able.cost(Kind.TRADES) == {}


def test_a_summary_is_complete_when_nothing_is_missing() -> None:
    moment = to_datetime(0)
    summary = CollectionSummary(
        symbol=SYMBOL, collected_count=0, db_records_count=0, time_range=(moment, moment), chunks_processed=0,
        duration_seconds=0.0, api_calls_made=0, overlap_analysis_results={},
    )  # fmt: skip
    assert summary.complete
    assert not dataclasses.replace(summary, missing=((moment, moment),)).complete
    assert dataclasses.replace(summary, pending=((moment, moment),)).complete, "only the next run can prove it"


class Example(Settings):
    url: str = "https://example.com"
    key: SecretStr = SecretStr("")


def test_settings_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError, match="rest_url"):
        Example.model_validate({"rest_url": "x"})
    settings = Example(key=SecretStr("hunter2"))
    assert "hunter2" not in repr(settings)
    with pytest.raises(ValidationError, match="frozen"):
        settings.url = "y"  # type: ignore[misc]


def test_an_account_neither_shows_its_keys_nor_leaves_the_process() -> None:
    account = Account(name="main", exchange="binance", api_key=SecretStr("planted-key"))
    assert "planted" not in f"{account} {account!r} {account.model_dump_json()}"
    with pytest.raises(TypeError, match="'main' holds keys"):
        pickle.dumps(account)
    assert copy.deepcopy(account) == account
