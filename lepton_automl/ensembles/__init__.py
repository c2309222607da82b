"""Ensembles: finished networks whose answers are averaged."""
