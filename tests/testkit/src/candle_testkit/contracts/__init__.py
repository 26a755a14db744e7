"""What a plugin must do, as pytest classes to subclass: a storage, a provider of candles or market data, a cache."""

import pytest

MODULES = ("cache", "market_data", "provider", "stage", "storage")

# A check that fails shows the values it compared, as in the adopter's own tests.
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in MODULES))
