"""Every check of the provider contract catches the provider that is broken in just that way."""

from collections.abc import Mapping

import pytest

from candle_testkit.contracts.provider import ProviderContract

from . import sabotaged_errors, sabotaged_markets, sabotaged_pages, sabotaged_stocks, sabotaged_upbit
from .sabotage import Sabotage, complaints, name_of, sabotages

SABOTAGES = sabotages(sabotaged_markets, sabotaged_pages, sabotaged_errors, sabotaged_upbit, sabotaged_stocks)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return complaints(SABOTAGES, tmp_path_factory.mktemp("sabotage"))


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=name_of)
def test_check_bites(said: Mapping[str, str], sabotage: type[Sabotage]) -> None:
    assert sabotage.complaint in said[name_of(sabotage)]


def test_every_check_is_shown_to_bite() -> None:
    checks = {name for name in dir(ProviderContract) if name.startswith("test_")}
    assert {sabotage.check.partition("[")[0] for sabotage in SABOTAGES} == checks
