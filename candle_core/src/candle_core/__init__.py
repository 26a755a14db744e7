"""A candle (OHLCV) data manager: plans, fetches, checks and stores market history, with proof of what was asked."""
