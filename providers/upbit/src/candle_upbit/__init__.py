"""Upbit markets and candles for the candle data manager."""
