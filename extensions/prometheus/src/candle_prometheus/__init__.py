"""Metrics of the candle data manager for Prometheus."""
