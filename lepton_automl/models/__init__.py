"""Networks: built from recipes, saved, loaded and made deployable."""

from .build import RecipeNet, build
from .deployable import deployable
from .files import load, save

__all__ = ["RecipeNet", "build", "deployable", "load", "save"]
