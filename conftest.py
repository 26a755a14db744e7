"""Shared by every test run.

The folder `candle_core/` bears the name of the package inside it. Under `--import-mode=importlib` pytest would import
the folder, as a namespace, when it meets the tests in it; once the package itself is imported it does not.
"""

import itertools
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import candle_core as _candle_core  # noqa: F401
from candle_core.secrets import REDACTOR

PACKAGING = "tests/packaging/"

settings.register_profile("candle", settings(), deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("candle")


def pytest_configure() -> None:
    """Let the processes that tests start hear of Ctrl-C, also where a shell started this run in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Workers take a file at a time, and what is dear to set up as one: wheels, and an environment to put them in."""
    from xdist.scheduler import LoadFileScheduling

    class Rooms(LoadFileScheduling):  # type: ignore[misc]  # it has no types
        def _split_scope(self, nodeid: str) -> str:
            return PACKAGING if nodeid.startswith(PACKAGING) else super()._split_scope(nodeid)

    return Rooms(config, log)


@pytest.fixture(scope="session")
def _cache_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names of folders that are not there yet. (Each `mktemp` reads the names of all that were made before.)"""
    caches = tmp_path_factory.mktemp("caches")
    return (caches / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _own_caches(_cache_folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches, and the counts of limits that all processes of a machine share, are each test's own."""
    folder = next(_cache_folders)
    folder.mkdir()
    monkeypatch.setenv("CANDLE_CACHE_DIR", str(folder))


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that one test looks up is no secret in the texts of another."""
    monkeypatch.setattr(REDACTOR, "_known", REDACTOR._known)
