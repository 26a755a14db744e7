"""Benchmarks: ``make bench``, or each by itself, ``python -m bench.storage``."""
