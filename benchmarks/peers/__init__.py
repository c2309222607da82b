"""Searches that are compared on recorded trainings, each told the same and held to the same rows."""
