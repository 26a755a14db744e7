"""Names that tie the contract together: pluggy markers, entry-point groups, contract version."""

from typing import Final

import pluggy

PROJECT: Final = "candle"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

CONTRACT_VERSION: Final = 1
"""Raised when a hook or a value changes in a way that breaks a plugin written before.

A plugin states the one it was written for.
"""

PROVIDERS_GROUP: Final = "candle.providers"
STORAGE_GROUP: Final = "candle.storage"
EXTENSIONS_GROUP: Final = "candle.extensions"
COMMANDS_GROUP: Final = "candle.commands"
FAMILIES_GROUP: Final = "candle.families"
"""Providers whose own name is no exchange's: each stands under the names of exchanges by tables with ``plugin = …``.

They are named here again, beside `PROVIDERS_GROUP`.
"""
