"""Small networks of the shapes that people write, for `benchmarks zoo`: one file a subject."""
