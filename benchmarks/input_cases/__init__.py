"""Small inputs modelled on real data: one file per group of cases, one function per case."""
