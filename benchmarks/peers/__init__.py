"""Searches that are compared on recorded trainings, with the same information and the same rows."""
