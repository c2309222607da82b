"""What differs between our networks and a person's own on their one way through the house; here, our own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lepton_automl import families
from lepton_automl.compression.shrink import shrink
from lepton_automl.data.datamodule import DataModule
from lepton_automl.data.open import Data
from lepton_automl.models.build import LeptonNet, build
from lepton_automl.models.custom import CustomNet
from lepton_automl.models.files import load
from lepton_automl.plans import LeanPlan, TrainPlan
from lepton_automl.recipe import Recipe
from lepton_automl.space import Config
from lepton_automl.specs import DataSpec
from lepton_automl.training.epochs import OnEpoch
from lepton_automl.training.fit import fit
from lepton_automl.training.snapshot import Snapshot

Network = LeptonNet | CustomNet

CUT_ROWS = 256  # rows that tell what a channel or block is worth


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """A part of a training.

    Args:
        first: Epochs of the plan done before.
        last: Where in the plan to end.
        on_epoch: Told after each epoch how it went; its answer may end the lesson.
        wait: Called before every step.
        score: Whether validation scores are taken.
        start: Where a fit that was broken off stands; None to begin.
        keep: Told after each epoch that went on how to take a snapshot.
    """

    first: int
    last: int
    on_epoch: OnEpoch
    wait: Callable[[], None]
    score: bool
    start: Snapshot | None = None
    keep: Callable[[Callable[[], Snapshot]], None] = lambda _: None


class NetworkAdapter(Protocol):
    """How one candidate is drawn, built, fed, taught and cut.

    Attributes:
        plan: How it is trained.
        whole: Its shape before the cut.
        lean: Its final shape.
        supports_checkpoints: Whether a fit that was broken off can go on from a snapshot; else it begins again.
    """

    supports_checkpoints: bool
    plan: TrainPlan
    whole: Recipe
    lean: Recipe

    def build(self, recipe: Recipe) -> Network:
        """A new network of a shape."""

    def load(self, folder: Path) -> Network:
        """The network of a finished trial's bundle."""

    def batches(self, data: Data, model: Network, chunk: int = 16) -> DataModule:
        """What the network is taught with."""

    def train(self, model: Network, batches: DataModule, request: FitRequest) -> None:
        """Train the network in place."""

    def shrink(self, model: Network, data: Data) -> Network:
        """The network cut to the final shape."""


class LeptonAdapter:
    """How our own networks are made.

    Args:
        config: Settings of the knobs.
        spec: The data.
        train: The plan that the knobs change.
        lean: Likewise.
    """

    supports_checkpoints = True

    def __init__(self, config: Config, spec: DataSpec, train: TrainPlan, lean: LeanPlan) -> None:
        self.spec, self.plan = spec, families.plan_of(config, train)
        self.whole = families.full_recipe(config, spec)
        self.lean = families.final_recipe(config, spec, lean)

    def build(self, recipe: Recipe) -> LeptonNet:
        """From the recipe, which says it all."""
        return build(recipe, seed=self.plan.seed)

    def load(self, folder: Path) -> LeptonNet:
        """From recipe and weights."""
        return load(folder)

    def batches(self, data: Data, model: Network, chunk: int = 16) -> DataModule:
        """Chunks of batches, whatever the network."""
        del model
        return DataModule(data, self.plan, chunk)

    def train(self, model: Network, batches: DataModule, request: FitRequest) -> None:
        """By the house's own training."""
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
        )

    def shrink(self, model: Network, data: Data) -> LeptonNet:
        """The same network with fewer channels; again a LeptonNet, built from its recipe."""
        sample = {name: rows[:CUT_ROWS] for name, rows in data.train.inputs.items()}
        smaller = self.build(self.lean)
        smaller.load_state_dict(shrink(model, self.lean, sample).state_dict())
        return smaller
