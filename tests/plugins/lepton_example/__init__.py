"""Plug-ins for lepton_automl."""
