"""The contestants of `python -m benchmarks live`, each in its own processes."""
