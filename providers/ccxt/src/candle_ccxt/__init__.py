"""Any exchange that ccxt knows, for the candle data manager."""
