"""The family of ensembles: finished networks of other families, whose answers are averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lepton_automl.errors import ConfigError
from lepton_automl.family import SingleNetworkFamily, family_named
from lepton_automl.specs import DataSpec

from .recipe import EnsembleRecipe

if TYPE_CHECKING:
    from .network import EnsembleNet


class EnsembleFamily(SingleNetworkFamily):
    """Ensembles are not searched: a study makes them of networks that it has finished."""

    name = "ensemble"
    Recipe = EnsembleRecipe

    def accepts(self, spec: DataSpec) -> bool:
        """Never: no ensemble can be made from data alone."""
        del spec
        return False

    def recipe(self, config: Any, spec: DataSpec) -> EnsembleRecipe:
        """There is none.

        Raises:
            ConfigError: Always.
        """
        del config, spec
        fix = "Choose another family; a study makes ensembles of its finished networks by itself."
        raise ConfigError("an ensemble has no settings to search", where="family", fix=fix)

    def build(self, recipe: EnsembleRecipe) -> EnsembleNet:
        """The network, with newly initialised members."""
        from .network import EnsembleNet

        return EnsembleNet(recipe)

    def for_inference(self, network: Any) -> None:
        """What each member's family does."""
        for member in network.networks:
            family_named(member.recipe.family).for_inference(member)
