"""One candidate, or a person's own network, through all workshops."""

from .torchvision_check import check_torchvision

check_torchvision()  # before anything here imports Lightning, which fails in its own words
