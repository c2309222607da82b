"""Scripted streams of real rows, and the methods that watch them; see `benchmarks/drift.py`."""
