"""Which markets exchanges list: looked up by name, asked for once, kept where others see them."""

from candle_core.directory.directory import Directory
from candle_core.directory.listing import Listing

__all__ = ["Directory", "Listing"]
