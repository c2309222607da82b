"""Readers turn the sources that people have into the few forms that modalities take; see `lepton_automl.source`."""
