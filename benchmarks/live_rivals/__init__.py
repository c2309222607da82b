"""The contestants of `python -m benchmarks live`, each in processes of its own."""
