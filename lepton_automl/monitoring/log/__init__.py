"""The log of what a live model was asked: written off the caller's path, bounded, safe against crashes, read as Parquet."""
