"""The watchers: one file for each kind of change."""
