"""Networks: built from recipes, saved, loaded and made deployable."""

from .build import LeptonNet, build
from .deployable import deployable
from .files import load, save

__all__ = ["LeptonNet", "build", "deployable", "load", "save"]
