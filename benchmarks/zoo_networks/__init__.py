"""Small networks of common designs, for `benchmarks zoo`: one file per subject."""
