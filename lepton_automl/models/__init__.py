"""The LeptonNet families: a recipe becomes a network."""

from .build import LeptonNet, build
from .deployable import deployable
from .files import load, save

__all__ = ["LeptonNet", "build", "deployable", "load", "save"]
