"""Shared by every test run.

The folder `candle_core/` bears the name of the package inside it. Under `--import-mode=importlib` pytest would import
the folder, as a namespace, when it meets the tests in it; once the package itself is imported it does not.
"""

import pytest

import candle_core as _candle_core  # noqa: F401
from candle_core.secrets import REDACTOR


@pytest.fixture(autouse=True)
def _own_caches(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches, and the counts of limits that all processes of a machine share, are each test's own."""
    monkeypatch.setenv("CANDLE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that one test looks up is no secret in the texts of another."""
    monkeypatch.setattr(REDACTOR, "_known", REDACTOR._known)
