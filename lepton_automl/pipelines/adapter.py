"""How networks are built, loaded, fed, trained and pruned: the protocol, and the adapter for RecipeNets.

Lightning is imported when a network is first trained: that takes longer than importing torch, and solved networks do without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from torch import nn

from lepton_automl import families
from lepton_automl.compression.shrink import shrink
from lepton_automl.data.open import Data
from lepton_automl.family import SolvedFamily, StartingFamily, family_named
from lepton_automl.models.build import RecipeNet, build
from lepton_automl.models.custom import CustomNet
from lepton_automl.models.files import load
from lepton_automl.plans import PrunePlan, TrainPlan
from lepton_automl.recipe import Recipe
from lepton_automl.space import Config
from lepton_automl.specs import DataSpec
from lepton_automl.training.distill import Distillation, DistillationLoss
from lepton_automl.training.loss import Loss
from lepton_automl.training.snapshot import Snapshot

if TYPE_CHECKING:
    from lepton_automl.data.datamodule import DataModule
    from lepton_automl.training.epochs import OnEpoch

Network = RecipeNet | CustomNet

TEMPERATURE = 1.0  # of the outputs that a network learns from
IMPORTANCE_ROWS = 256  # rows on which the importance of channels and blocks is measured


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """A request to train a network for a range of epochs of a training plan.

    Args:
        first: Epochs of the plan that are already done.
        last: The epoch of the plan to end at.
        on_epoch: Called with the scores after each epoch; its decision may end the fit.
        wait: Called before every step.
        score: Whether validation scores are computed.
        start: The snapshot to continue from; None to start without one.
        keep: Called after each epoch with a function that takes a snapshot.
    """

    first: int
    last: int
    on_epoch: OnEpoch
    wait: Callable[[], None]
    score: bool
    start: Snapshot | None = None
    keep: Callable[[Callable[[], Snapshot]], None] = lambda _: None


class NetworkAdapter(Protocol):
    """How one candidate is built, fed, trained and pruned.

    Attributes:
        plan: The training plan.
        whole: The recipe before pruning.
        lean: The recipe after pruning.
        supports_checkpoints: Whether an interrupted fit can continue from a snapshot; otherwise it starts over.
    """

    supports_checkpoints: bool
    plan: TrainPlan
    whole: Recipe
    lean: Recipe

    def build(self, recipe: Recipe) -> Network:
        """A new network of a recipe."""

    def solve(self, data: Data, wait: Callable[[], None]) -> Network | None:
        """The network with solved weights; None if it is trained in steps. `wait` is called some times a second."""

    def start(self, data: Data, wait: Callable[[], None]) -> Network:
        """A new network of the recipe before pruning, with the weights that its training starts from.

        Args:
            data: The training data.
            wait: Called some times a second.
        """

    def load(self, folder: Path) -> Network:
        """The network of a finished trial's bundle, with its weights."""

    def batches(self, data: Data, model: Network, chunk: int = 16) -> DataModule:
        """The data module that the network is trained with."""

    def train(self, model: Network, batches: DataModule, request: FitRequest) -> None:
        """Train the network in place."""

    def shrink(self, model: Network, data: Data) -> Network:
        """The network pruned to the final recipe."""


class LeptonAdapter:
    """The adapter for RecipeNets.

    Args:
        config: The hyperparameters.
        spec: The data.
        train: The training plan, which the hyperparameters change.
        prune: The pruning plan, likewise.
    """

    supports_checkpoints = True

    def __init__(self, config: Config, spec: DataSpec, train: TrainPlan, prune: PrunePlan) -> None:
        self.spec, self.plan = spec, families.plan_of(config, train, spec)
        self.whole = families.full_recipe(config, spec)
        self.lean = families.final_recipe(config, spec, prune)

    def build(self, recipe: Recipe) -> RecipeNet:
        """A new network of a recipe."""
        return build(recipe, seed=self.plan.seed)

    def solve(self, data: Data, wait: Callable[[], None]) -> RecipeNet | None:
        """The network with solved weights, if its family solves it."""
        family = family_named(self.lean.family)
        solved = family.solve(self.lean, data, wait) if isinstance(family, SolvedFamily) else None
        assert solved is None or isinstance(solved, RecipeNet)
        return solved

    def start(self, data: Data, wait: Callable[[], None]) -> RecipeNet:
        """A new network of the recipe before pruning, with published weights if its family has some."""
        network, family = self.build(self.whole), family_named(self.whole.family)
        if isinstance(family, StartingFamily):
            family.start(network, data, wait)
        return network

    def load(self, folder: Path) -> RecipeNet:
        """The network of a finished trial's bundle, with its weights."""
        return load(folder)

    def batches(self, data: Data, model: Network, chunk: int = 16) -> DataModule:
        """A data module that yields chunks of batches."""
        from lepton_automl.data.datamodule import DataModule

        del model
        return DataModule(data, self.plan, chunk)

    def train(self, model: Network, batches: DataModule, request: FitRequest) -> None:
        """Train the network in place with `training.fit`."""
        from lepton_automl.training.fit import fit

        fit(
            model,
            batches,
            self.plan,
            spec=self.spec,
            first_epoch=request.first,
            last_epoch=request.last,
            on_epoch=request.on_epoch,
            wait=request.wait,
            score=request.score,
            start=request.start,
            keep=request.keep,
            loss=self._loss(model, batches),
        )

    def _loss(self, model: Network, batches: DataModule) -> nn.Module | None:
        """The loss with a teacher's part; None for the task's own."""
        plan = self.plan
        if batches.data.train.teacher is None or not plan.teacher:
            return None
        own = Loss(self.spec, plan, ensemble=model.ensemble)
        distillation = Distillation(share=plan.teacher, temperature=TEMPERATURE)
        return DistillationLoss(own, spec=self.spec, distillation=distillation, ensemble=model.ensemble)

    def shrink(self, model: Network, data: Data) -> RecipeNet:
        """The network pruned to the final recipe; a RecipeNet again."""
        sample = {name: rows[:IMPORTANCE_ROWS] for name, rows in data.train.inputs.items()}
        smaller = self.build(self.lean)
        smaller.load_state_dict(shrink(model, self.lean, sample).state_dict())
        return smaller
