"""Stocks for the candle data manager, as they were traded, with their splits, dividends and calendars."""
