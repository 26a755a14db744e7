"""A keyring of a real backend, in a folder of the test's own."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The `keyring` module; what is set in it lies in `tmp_path`."""
    import keyring

    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("keyring.core._keyring_backend", None)  # else the one of an earlier test goes on
    return keyring
