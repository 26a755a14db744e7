"""Keys: looked up where they are kept, remembered in memory alone, and scrubbed from whatever leaves."""

from candle_core.secrets.errors import scrubbed, scrubbed_value
from candle_core.secrets.logs import guarded
from candle_core.secrets.lookup import FORMS, Confidential, SecretSource
from candle_core.secrets.redactor import MASK, REDACTOR, SHORTEST, Redactor
from candle_core.secrets.settings import leaves, remember_settings, reveal

__all__ = [
    "FORMS",
    "MASK",
    "REDACTOR",
    "SHORTEST",
    "Confidential",
    "Redactor",
    "SecretSource",
    "guarded",
    "leaves",
    "remember_settings",
    "reveal",
    "scrubbed",
    "scrubbed_value",
]
