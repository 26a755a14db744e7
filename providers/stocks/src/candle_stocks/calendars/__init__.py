"""When exchanges trade: what `exchange_calendars` knows, kept on disk as that is large, corrected where it errs."""

from candle_stocks.calendars.calendar import Calendar
from candle_stocks.calendars.corrections import Correction

__all__ = ["Calendar", "Correction"]
