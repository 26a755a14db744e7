"""candle.toml → settings. Errors name the line and the nearest valid key; secrets are never shown."""

from candle_core.config.accounts import AccountState, AccountTable, KeyState
from candle_core.config.loading import DEFAULT_FILE, ENVIRONMENT, Config, load_config
from candle_core.config.sections import LOCAL_BUDGET, LOCAL_CACHES
from candle_core.config.tables import PluginTable

__all__ = [
    "DEFAULT_FILE",
    "ENVIRONMENT",
    "LOCAL_BUDGET",
    "LOCAL_CACHES",
    "AccountState",
    "AccountTable",
    "Config",
    "KeyState",
    "PluginTable",
    "load_config",
]
