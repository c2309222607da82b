"""The recipe of an ensemble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from lepton_automl.recipe import Box, FixedRecipe, Recipe, describe, recipe_from_json
from lepton_automl.texts import many


@dataclass(frozen=True, kw_only=True)
class EnsembleRecipe(FixedRecipe):
    """Networks whose answers are averaged, each with a weight.

    Args:
        networks: The recipe of each network.
        heads: The size of the axis of members in each network's outputs; 1 if they have none.
        weights: How often each network's answers count.
    """

    family: str = "ensemble"
    networks: tuple[Recipe, ...]
    heads: tuple[int, ...]
    weights: tuple[int, ...]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The recipe from the result of `to_json`; the networks may be of different families."""
        recipe = super().from_json(data | {"networks": []})
        return recipe.replace(networks=tuple(map(recipe_from_json, data["networks"])))

    def describe(self) -> str:
        """Its networks."""
        return f"ensemble of {many(len(self.networks), 'network')}: {'; '.join(map(describe, self.networks))}"

    def diagram(self) -> tuple[Box, ...]:
        """One box for each network, named by its weight, then the average."""
        total = sum(self.weights)
        boxes = [
            (
                f"{weight} of {total}",
                max(recipe.widths.values(), default=recipe.outputs),
                describe(recipe),
                number,
            )
            for number, (recipe, weight) in enumerate(zip(self.networks, self.weights, strict=True))
        ]
        return (*boxes, ("mean", self.outputs, "the mean of their answers", -1))

    @property
    def macs(self) -> int:
        """The multiply-accumulates of all networks."""
        return sum(recipe.macs for recipe in self.networks)
