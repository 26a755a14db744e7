"""Every check of the contract for tickers, books and trades catches the provider that is broken in just that way."""

from collections.abc import Mapping

import pytest

from candle_testkit.contracts.market_data import MarketDataContract

from . import sabotaged_market_data
from .sabotage import Sabotage, complaints, name_of, sabotages

SABOTAGES = sabotages(sabotaged_market_data)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return complaints(SABOTAGES, tmp_path_factory.mktemp("sabotage"))


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=name_of)
def test_check_bites(said: Mapping[str, str], sabotage: type[Sabotage]) -> None:
    assert sabotage.complaint in said[name_of(sabotage)]


def test_every_check_is_shown_to_bite() -> None:
    checks = {name for name in dir(MarketDataContract) if name.startswith("test_")}
    assert {sabotage.check.partition("[")[0] for sabotage in SABOTAGES} == checks
