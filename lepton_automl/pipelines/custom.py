"""A person's own networks on the same way: their factory builds, their module teaches itself, the traced graph is cut."""

from __future__ import annotations

import contextlib
import copy
import functools
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch

from lepton_automl import families
from lepton_automl.compression.uniform import prune_uniformly
from lepton_automl.custom import custom_plan, custom_recipe, handed
from lepton_automl.data.datamodule import DataModule
from lepton_automl.data.open import Data
from lepton_automl.data.pairs import PairModule
from lepton_automl.deployment.export import export
from lepton_automl.deployment.preserve_state import preserve_state
from lepton_automl.deployment.verify import ROWS, spread_rows
from lepton_automl.errors import ConfigError, LeptonError, in_one_line
from lepton_automl.factory import Factory
from lepton_automl.jobs import CONTINUE, FactoryCheck, FactoryCheckJob, HostBenchmarkJob, TrialJob
from lepton_automl.models.custom import CustomNet
from lepton_automl.models.deployable import deployable
from lepton_automl.models.files import load_by
from lepton_automl.plans import LeanPlan, TrainPlan
from lepton_automl.recipe import CustomRecipe, Recipe
from lepton_automl.space import Config
from lepton_automl.specs import DataSpec
from lepton_automl.training.custom import check_module, fit_custom

from .adapter import FitRequest, LeptonAdapter, Network, NetworkAdapter
from .copies import copy_network, detach_computed, shared_weights, shared_weights_error
from .worker_cache import cached_data

CHECK_ROWS = 8  # rows that a person's forward is tried on


def adapter_for(config: Config, job: TrialJob | HostBenchmarkJob) -> NetworkAdapter:
    """How a candidate is made: as ours are, or by a person's own factory.

    Args:
        config: Settings of the knobs.
        job: Knows the data, the plans that the knobs change, and the factory.
    """
    if job.own is None:
        return LeptonAdapter(config, job.data, job.train, job.lean)
    return CustomAdapter(config, job.data, train=job.train, lean=job.lean, own=job.own, folder=job.folder)


@functools.lru_cache(maxsize=1)
def _loaded(factory: Factory) -> Any:
    """The person's own function, loaded once a process."""
    return factory.load()


class CustomAdapter:
    """How a person's own networks are made.

    Args:
        config: Settings of the knobs.
        spec: The data.
        train: The plan that the knobs change.
        lean: Likewise.
        own: The factory.
        folder: Where a person's module may write.
    """

    supports_checkpoints = False  # nobody knows all that a person's module remembers

    def __init__(self, config: Config, spec: DataSpec, *, train: TrainPlan, lean: LeanPlan, own: Factory, folder: str) -> None:
        self.config, self.spec, self.factory, self.folder = config, spec, own, folder
        self.plan = custom_plan(config, train)
        self.whole: Recipe = custom_recipe(config, spec, own)
        self.lean: Recipe = families.final_recipe(config, spec, lean, own)

    def make(self) -> Any:
        """Whatever the factory makes; equal seeds make equal weights, and the global random state stays as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.plan.seed)
            return _loaded(self.factory)({"epochs": self.plan.epochs, **handed(self.config)}, self.spec)

    def build(self, recipe: Recipe) -> CustomNet:
        """By the factory, then cut as the recipe says."""
        assert isinstance(recipe, CustomRecipe)
        model = self.wrap(self.make())
        return self.cut(model, recipe) if recipe.ratio else model

    def wrap(self, module: torch.nn.Module) -> CustomNet:
        """What the factory made, before any cut."""
        return CustomNet(module, custom_recipe(self.config, self.spec, self.factory), self.spec)

    def load(self, folder: Path) -> CustomNet:
        """By the factory again, with the weights of the bundle."""
        return load_by(folder, self.build)

    def batches(self, data: Data, model: Network, chunk: int = 16) -> DataModule:
        """Pairs of inputs and targets, one a step."""
        del chunk
        assert isinstance(model, CustomNet)
        return PairModule(data, self.plan, model.rows)

    def train(self, model: Network, batches: DataModule, request: FitRequest) -> None:
        """By the module's own steps and optimisers."""
        assert isinstance(model, CustomNet)
        fit_custom(
            model.module,
            model.answer,
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
        """The same module with its least important channels gone."""
        del data  # the cut goes by the weights alone
        assert isinstance(model, CustomNet) and isinstance(self.lean, CustomRecipe)
        if not model.recipe.contains(self.lean):
            raise ConfigError("this network was cut before, or is another one", where="shrink", fix="Train a new one.")
        return self.cut(model, self.lean)

    def cut(self, model: CustomNet, recipe: CustomRecipe) -> CustomNet:
        """The same module, cut as a recipe says."""
        sample = torch.randn((2, *self.spec.input_shape), generator=torch.Generator().manual_seed(0))
        cut = prune_uniformly(model.module, recipe.ratio, sample, multiple=recipe.multiple)
        return CustomNet(cut, recipe, self.spec)


def check_factory(job: FactoryCheckJob) -> FactoryCheck:
    """Try a person's factory before anything is lost: build, ask, step, and cut if that is wanted."""
    adapter = CustomAdapter(job.usual, job.data, train=job.train, lean=LeanPlan(), own=job.own, folder=job.folder)
    try:
        module = adapter.make()
    except ConfigError as error:
        return FactoryCheck(wrong=((error.what, error.fix),))
    except Exception as error:
        what = f"{job.own.name}(config, spec) fails with config {handed(job.usual)}: {in_one_line(error)}"
        return FactoryCheck(
            wrong=((what, "It is called with a dict of the knobs, without their rooms' names, and a DataSpec."),)
        )
    data = cached_data(job.data)
    model = adapter.wrap(module) if isinstance(module, torch.nn.Module) else None
    rows = data.train.rows(slice(0, CHECK_ROWS))
    entered = model.rows(rows.inputs) if model else rows.targets
    with preserve_state(module) if isinstance(module, torch.nn.Module) else contextlib.nullcontext():
        complaints = check_module(module, (entered, rows.targets), job.data)
    if complaints.found or model is None:
        return FactoryCheck(wrong=tuple(complaints.found))
    try:
        if names := shared_weights(copy_network(model.module), model.module, entered[:2]):
            return FactoryCheck(wrong=(shared_weights_error(names, type(module).__name__),))
    except ConfigError as error:
        return FactoryCheck(wrong=((error.what, error.fix),))
    try:
        _step(adapter, model, data)
    except Exception as error:
        what = f"the first steps of training fail: {in_one_line(error)}"
        inputs = f"float32 inputs [N, {', '.join(map(str, job.data.input_shape))}]"
        targets = "int64 targets [N]" if job.data.classes else "float32 standardised targets [N]"
        return FactoryCheck(wrong=((what, f"training_step(batch, batch_idx) gets a tuple of {inputs} and {targets}."),))
    try:
        notes = _exported(model, data)
    except LeptonError as error:
        return FactoryCheck(wrong=((error.what, error.fix),))
    return FactoryCheck(uncuttable=_uncuttable(adapter, model, data, job.ratio) if job.ratio else "", notes=notes)


def _exported(model: CustomNet, data: Data) -> tuple[str, ...]:
    """What exporting the network, on trial, gives to say.

    Raises:
        BundleError: It cannot be exported, or the file answers otherwise.
    """
    answering = deployable(model, data.spec)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        export(answering, spread_rows(data.train.inputs, ROWS), Path(folder) / "model.onnx")
    return tuple(str(one.message) for one in caught if "quick exporter" in str(one.message))


def _step(adapter: CustomAdapter, model: CustomNet, data: Data) -> None:
    """Two steps of training on a copy."""
    tried = copy.deepcopy(model)
    few = Data(data.spec, data.preprocess, data.train.rows(slice(0, 2 * adapter.plan.batch_size)), data.train.rows(slice(0, 0)))
    request = FitRequest(first=0, last=1, on_epoch=lambda *_: CONTINUE, wait=lambda: None, score=False)
    adapter.train(tried, adapter.batches(few, tried), request)


def _uncuttable(adapter: CustomAdapter, model: CustomNet, data: Data, ratio: float) -> str:
    """Why the network cannot be cut, or cannot be trained after it; empty where both can be."""
    try:
        cut = adapter.cut(model, model.recipe.replace(ratio=ratio))
        _step(adapter, cut, data)
    except ConfigError as error:
        return error.what
    except Exception as error:
        return f"it does not train after the cut: {in_one_line(error)}"
    return ""
