"""What every provider of candles must do, checked against a sandbox exchange that knows the truth.

    from candle_testkit.contracts.provider import ProviderContract

    class TestExample(ProviderContract):
        name = "example"

        def build(self, url, context):
            return ExampleProvider(ExampleProvider.Settings(rest_url=url), context)

The sandbox speaks the wires of the scenes in `candle_testkit.contracts.scenes`; say which one is the provider's. A
provider of another exchange overrides `open_sandbox` with an exchange of its own that has the same `url`, `clock`,
`faults` and `ledger`, and describes it by a scene of its own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from candle_hookspecs import COLUMNS, PluginContext
from candle_testkit.context import OpenGate, make_context
from candle_testkit.contracts.provider.errors import FAULTS, ErrorChecks
from candle_testkit.contracts.provider.itself import SelfChecks
from candle_testkit.contracts.provider.markets import MarketChecks
from candle_testkit.contracts.provider.pages import PageChecks
from candle_testkit.contracts.scenes import BINANCE, Scene
from candle_testkit.contracts.stage import Stage
from candle_testkit.sandbox import Sandbox

__all__ = ["FAULTS", "ProviderContract"]


class ProviderContract(SelfChecks, MarketChecks, PageChecks, ErrorChecks):
    """Every check. Subclass it under a name that pytest collects, and say how to `build` the provider.

    Attributes:
        name: what the provider stands under in the TOML.
        columns: the candle columns that the exchange gives.
        scene: the exchange that it is checked on.
    """

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]] = COLUMNS
    scene: ClassVar[Scene] = BINANCE

    def build(self, url: str, context: PluginContext) -> Any:
        """The provider, asking the exchange at `url`."""
        raise NotImplementedError

    @classmethod
    def open_sandbox(cls) -> Sandbox:
        """The exchange, with the markets of the scene and a clock that stands still."""
        return cls.scene.open()

    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls) -> Iterator[Sandbox]:
        """One exchange for all checks."""
        with cls.open_sandbox() as sandbox:
            yield sandbox

    @pytest.fixture
    def stage(self, sandbox: Sandbox, tmp_path: Path) -> Iterator[Stage]:
        """A provider of its own for each check, before an exchange that has forgotten the last."""
        sandbox.faults.clear()
        sandbox.forgive()
        sandbox.ledger.clear()
        gate = OpenGate()
        provider = self.build(sandbox.url, make_context(tmp_path, self.name, budget=gate))
        stage = Stage(provider, sandbox, gate, self.columns, self.scene)
        yield stage
        stage.close()
