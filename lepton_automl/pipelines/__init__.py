"""Pipelines over data, training, compression, deployment and measuring: trials, requests, `lean` and `accelerate`."""

from .torchvision_check import check_torchvision

check_torchvision()  # before Lightning is imported: its own error would be unclear
