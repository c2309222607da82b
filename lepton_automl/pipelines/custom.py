"""The adapter for custom networks: built by the user's factory, trained by their own steps, pruned by their traced graph."""

from __future__ import annotations

import contextlib
import copy
import functools
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lepton_automl import families
from lepton_automl.compression.uniform import prune_uniformly
from lepton_automl.custom import custom_plan, custom_recipe, factory_config
from lepton_automl.data.open import Data
from lepton_automl.deployment.export import export
from lepton_automl.deployment.preserve_state import preserve_state
from lepton_automl.deployment.verify import ROWS, spread_rows
from lepton_automl.errors import ConfigError, LeptonError, in_one_line
from lepton_automl.factory import Factory
from lepton_automl.jobs import CONTINUE, FactoryCheck, FactoryCheckJob, HostBenchmarkJob, TrialJob
from lepton_automl.models.custom import CustomNet
from lepton_automl.models.deployable import deployable
from lepton_automl.models.files import load_by
from lepton_automl.plans import PrunePlan, TrainPlan
from lepton_automl.recipe import CustomRecipe, Recipe
from lepton_automl.space import Config
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

from .adapter import FitRequest, LeptonAdapter, Network, NetworkAdapter
from .copies import copy_network, detach_computed, shared_weights, shared_weights_error
from .worker_cache import cached_data

if TYPE_CHECKING:
    from lepton_automl.data.datamodule import DataModule

CHECK_ROWS = 8  # rows for trying out forward()


def adapter_for(config: Config, job: TrialJob | HostBenchmarkJob) -> NetworkAdapter:
    """The adapter for a candidate: for a RecipeNet, or for a custom network if the job has a factory.

    Args:
        config: The hyperparameters.
        job: Provides the data, the plans that the hyperparameters change, and the factory.
    """
    if job.factory is None:
        return LeptonAdapter(config, job.data, job.train, job.prune)
    return CustomAdapter(config, job.data, train=job.train, prune=job.prune, factory=job.factory, folder=job.folder)


@functools.lru_cache(maxsize=1)
def _loaded(factory: Factory) -> Any:
    """The user's factory, loaded once per process."""
    return factory.load()


class CustomAdapter:
    """The adapter for custom networks.

    Args:
        config: The hyperparameters.
        spec: The data.
        train: The training plan, which the hyperparameters change.
        prune: The pruning plan, likewise.
        factory: The factory.
        folder: Where the user's module may write.
    """

    supports_checkpoints = False  # the full state of the user's module is unknown

    def __init__(
        self, config: Config, spec: DataSpec, *, train: TrainPlan, prune: PrunePlan, factory: Factory, folder: str
    ) -> None:
        self.config, self.spec, self.factory, self.folder = config, spec, factory, folder
        self.plan = custom_plan(config, train)
        self.whole: Recipe = custom_recipe(config, spec, factory)
        self.lean: Recipe = families.final_recipe(config, spec, prune, factory)

    def make(self) -> Any:
        """The factory's module; equal seeds give equal weights, and the global random state is not changed."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.plan.seed)
            return _loaded(self.factory)({"epochs": self.plan.epochs, **factory_config(self.config)}, self.spec)

    def build(self, recipe: Recipe) -> CustomNet:
        """A new network of a recipe, pruned if the recipe has a ratio."""
        assert isinstance(recipe, CustomRecipe)
        model = self.wrap(self.make())
        return self.cut(model, recipe) if recipe.ratio else model

    def start(self, data: Data, wait: Callable[[], None]) -> CustomNet:
        """A new network of the recipe before pruning."""
        del data, wait
        return self.build(self.whole)

    def wrap(self, module: torch.nn.Module) -> CustomNet:
        """Wrap the factory's module, before any pruning."""
        return CustomNet(module, custom_recipe(self.config, self.spec, self.factory), self.spec)

    def solve(self, data: Data, wait: Callable[[], None]) -> None:
        """None: the user's steps train it."""
        del data, wait

    def load(self, folder: Path) -> CustomNet:
        """The network of a finished trial's bundle, with its weights."""
        return load_by(folder, self.build)

    def batches(self, data: Data, model: Network, chunk: int = 16) -> DataModule:
        """A data module that yields one (inputs, targets) pair per step."""
        from lepton_automl.data.pairs import PairModule

        del chunk
        assert isinstance(model, CustomNet)
        return PairModule(data, self.plan, model.rows)

    def train(self, model: Network, batches: DataModule, request: FitRequest) -> None:
        """Train the network in place, with its own steps and optimisers."""
        from lepton_automl.training.custom import fit_custom

        assert isinstance(model, CustomNet)
        fit_custom(
            model.module,
            batches,
            self.plan,
            spec=self.spec,
            first_epoch=request.first,
            last_epoch=request.last,
            on_epoch=request.on_epoch,
            wait=request.wait,
            score=request.score,
            folder=self.folder,
        )
        detach_computed(model)

    def shrink(self, model: Network, data: Data) -> CustomNet:
        """The same module without its least important channels."""
        del data  # pruning uses the weights alone
        assert isinstance(model, CustomNet) and isinstance(self.lean, CustomRecipe)
        if not model.recipe.contains(self.lean):
            raise ConfigError("this network was already pruned or has another recipe", where="shrink", fix="Train a new one.")
        return self.cut(model, self.lean)

    def cut(self, model: CustomNet, recipe: CustomRecipe) -> CustomNet:
        """The same module, pruned to a recipe."""
        sample = torch.randn((2, *self.spec.input_shape), generator=torch.Generator().manual_seed(0))
        cut = prune_uniformly(model.module, recipe.ratio, sample, multiple=recipe.multiple)
        return CustomNet(cut, recipe, self.spec)


def check_factory(job: FactoryCheckJob) -> FactoryCheck:
    """Try the user's factory before the search: build, run forward, train a step, export, and prune if requested."""
    from lepton_automl.training.custom import check_module

    adapter = CustomAdapter(job.usual, job.data, train=job.train, prune=PrunePlan(), factory=job.factory, folder=job.folder)
    try:
        module = adapter.make()
    except ConfigError as error:
        return FactoryCheck(wrong=((error.what, error.fix),))
    except Exception as error:
        what = f"{job.factory.name}(config, spec) fails with config {factory_config(job.usual)}: {in_one_line(error)}"
        return FactoryCheck(
            wrong=(
                (
                    what,
                    "It is called with a dict of the hyperparameters, without the prefixes model. and train., and a DataSpec.",
                ),
            )
        )
    data = cached_data(job.data)
    model = adapter.wrap(module) if isinstance(module, torch.nn.Module) else None
    rows = data.train.rows(slice(0, CHECK_ROWS))
    forward_rows = model.rows(rows.inputs) if model else rows.targets
    with preserve_state(module) if isinstance(module, torch.nn.Module) else contextlib.nullcontext():
        complaints = check_module(module, (forward_rows, rows.targets), job.data)
    if complaints.found or model is None:
        return FactoryCheck(wrong=tuple(complaints.found))
    try:
        if names := shared_weights(copy_network(model.module), model.module, forward_rows[:2]):
            return FactoryCheck(wrong=(shared_weights_error(names, type(module).__name__),))
    except ConfigError as error:
        return FactoryCheck(wrong=((error.what, error.fix),))
    try:
        _train_two_steps(adapter, model, data)
    except Exception as error:
        what = f"the first steps of training fail: {in_one_line(error)}"
        inputs = f"float32 inputs [N, {', '.join(map(str, job.data.input_shape))}]"
        _, targets = task_of(job.data).wanted(job.data)
        return FactoryCheck(wrong=((what, f"training_step(batch, batch_idx) gets a tuple of {inputs} and {targets}."),))
    try:
        notes = _export_notes(model, data)
    except LeptonError as error:
        return FactoryCheck(wrong=((error.what, error.fix),))
    return FactoryCheck(unprunable_reason=_why_not_prunable(adapter, model, data, job.ratio) if job.ratio else "", notes=notes)


def _export_notes(model: CustomNet, data: Data) -> tuple[str, ...]:
    """Notes from a trial export of the network.

    Raises:
        BundleError: The network cannot be exported, or the file returns different outputs.
    """
    network = deployable(model, data.spec)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        export(network, spread_rows(data.train.inputs, ROWS), Path(folder) / "model.onnx")
    return tuple(str(warning.message) for warning in caught if "quick exporter" in str(warning.message))


def _train_two_steps(adapter: CustomAdapter, model: CustomNet, data: Data) -> None:
    """Train a copy of a network for two steps."""
    trained = copy.deepcopy(model)
    few = Data(data.spec, data.preprocess, data.train.rows(slice(0, 2 * adapter.plan.batch_size)), data.train.rows(slice(0, 0)))
    request = FitRequest(first=0, last=1, on_epoch=lambda *_: CONTINUE, wait=lambda: None, score=False)
    adapter.train(trained, adapter.batches(few, trained), request)


def _why_not_prunable(adapter: CustomAdapter, model: CustomNet, data: Data, ratio: float) -> str:
    """Why the network cannot be pruned, or not trained afterwards; empty if it can."""
    try:
        cut = adapter.cut(model, model.recipe.replace(ratio=ratio))
        _train_two_steps(adapter, cut, data)
    except ConfigError as error:
        return error.what
    except Exception as error:
        return f"it does not train after pruning: {in_one_line(error)}"
    return ""
