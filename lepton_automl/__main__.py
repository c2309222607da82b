"""`python -m lepton_automl` is `lepton`."""

from .cli import main

main()
