"""What users call, by what it is for; `candle_core.manager.Candles` has all of it."""
