"""The contract of network families. A plug-in's own test inherits `FamilyContract` and provides its family and sample data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from lepton_automl import plugins
from lepton_automl.compression.shrink import shrink
from lepton_automl.data.datamodule import Batch
from lepton_automl.data.open import Data, open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.deployment.programs import export_network
from lepton_automl.families import draw, room, smallest, space_for, usual_plan
from lepton_automl.family import Family, SolvedFamily, family_named
from lepton_automl.models.build import RecipeNet, build
from lepton_automl.models.deployable import deployable
from lepton_automl.models.files import load, save
from lepton_automl.recipe import Recipe, recipe_from_json
from lepton_automl.space import Config
from lepton_automl.task import task_of
from lepton_automl.training.loss import Loss

ROWS = 32
STEPS = 5
CLOSE = 1e-4  # tolerance, relative to the largest answer
SHARES = (0.75, 0.5, 0.25)  # of the channels that are kept


class FamilyContract:
    """The contract as pytest tests: a subclass provides `family` and `source`.

    Attributes:
        family: The family under test.
        options: Options of `fit` that the sample data need.
    """

    family: Family
    options: ClassVar[Mapping[str, Any]] = {}

    def source(self, folder: Path) -> Any:
        """About 100 examples of a kind that the family accepts, with targets.

        Args:
            folder: An existing folder that files may be written to.
        """
        raise NotImplementedError

    @pytest.fixture
    def data(self, tmp_path: Path) -> Data:
        """The sample data, prepared."""
        (tmp_path / "source").mkdir()
        return open_data(self.source(tmp_path / "source"), tmp_path / "prepared", DataOptions(**self.options))

    def test_it_is_chosen_by_its_name(self, data: Data) -> None:
        """It is registered, and it accepts the sample data."""
        assert plugins.is_known("families", self.family.name)
        assert type(family_named(self.family.name)) is type(self.family)
        assert self.family.accepts(data.spec)

    def test_settings_are_those_of_its_networks_and_of_training(self, data: Data) -> None:
        """Every training setting is a field of its plan. A family that has none has a single network."""
        space = self.family.space(data.spec)
        assert space or len(self.family.initial_designs(data.spec)) == 1
        assert all(name.startswith(("model.", "train.")) for name in space)
        defaults = {name: setting.default for name, setting in space.items()}
        plan = usual_plan(data.spec, self.family.name).with_settings(room(defaults, "train"))
        assert plan.epochs > 0 and plan.batch_size > 0

    def test_first_designs_lie_in_the_space(self, data: Data) -> None:
        """Every value that they set is allowed."""
        space = space_for(data.spec, self.family.name)
        designs = self.family.initial_designs(data.spec)
        assert designs
        for design in [*designs, self.family.fastest]:
            for name, value in design.items():
                assert name not in space or space[name].allows(value), f"{name}: {value!r}"

    def test_recipes_survive_json_and_are_described(self, data: Data) -> None:
        """As they are stored in journals and bundles."""
        for recipe in self._recipes(data):
            assert isinstance(recipe, self.family.Recipe)
            assert recipe.family == self.family.name and recipe.outputs == data.spec.outputs
            assert recipe_from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
            assert recipe.describe() and recipe.macs >= 0
            assert all(name and words for name, _, words, _ in recipe.diagram())

    def test_a_network_is_a_function_of_its_recipe_and_seed(self, data: Data) -> None:
        """Equal seeds give equal weights, and the global random state is unchanged."""
        recipe = next(self._recipes(data))
        before = torch.get_rng_state()
        first, second = build(recipe, seed=1), build(recipe, seed=1)
        assert torch.equal(before, torch.get_rng_state()) and first.recipe == recipe
        state = second.state_dict()
        assert state and all(torch.equal(weight, state[name]) for name, weight in first.state_dict().items())

    def test_every_first_design_learns(self, data: Data) -> None:
        """Its outputs have the shape of the task, and some steps lower the loss of a batch."""
        inputs, targets = self._rows(data)
        plan = usual_plan(data.spec, self.family.name)
        for recipe in self._recipes(data):
            network = build(recipe)
            outputs = network(**inputs)
            expected = (ROWS, outputs.shape[1], data.spec.outputs) if network.ensemble else (ROWS, data.spec.outputs)
            assert outputs.shape == expected
            loss, batch = Loss(data.spec, plan, ensemble=network.ensemble), Batch(inputs, targets)
            before = self._loss(network, loss, batch)
            optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
            network.train()
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(0)  # for dropout
                for _ in range(STEPS):
                    optimizer.zero_grad()
                    loss(network(**inputs), batch).backward()
                    optimizer.step()
            assert self._loss(network, loss, batch) < before, recipe.describe()

    def test_a_solved_network_fits_the_training_rows(self, data: Data) -> None:
        """Its loss is below that of a new network, and no higher than on the targets of other rows; it can be paused."""
        if not isinstance(self.family, SolvedFamily):
            pytest.skip("its networks are trained in steps")
        plan, rows = usual_plan(data.spec, self.family.name), data.train
        other_rows = Batch(rows.inputs, rows.targets.roll(1, 0))
        calls: list[int] = []
        for recipe in self._recipes(data):
            network = self.family.solve(recipe, data, lambda: calls.append(1))
            if network is None:
                continue
            assert isinstance(network, RecipeNet) and network.recipe == recipe and calls
            loss = Loss(data.spec, plan, ensemble=network.ensemble)
            fitted = self._loss(network, loss, Batch(rows.inputs, rows.targets))
            assert fitted < self._loss(build(recipe), loss, Batch(rows.inputs, rows.targets))
            assert fitted <= self._loss(network, loss, other_rows)

    def test_a_finished_network_answers_as_in_training(self, data: Data, tmp_path: Path) -> None:
        """What makes it faster does not change its answers, and its exported file gives the same."""
        inputs, _ = self._rows(data)
        task = task_of(data.spec)
        for number, recipe in enumerate(self._recipes(data)):
            network = build(recipe).eval()
            answers = task.answers(data.spec.output, members=network.ensemble, unit=True)
            with torch.inference_mode():
                expected: Tensor = answers(network(**inputs))
                finished = deployable(network, data.spec)
                outputs: Tensor = finished(**inputs)
            exported = export_network(finished, inputs, tmp_path / f"{number}.onnx")
            _assert_close(outputs, expected, recipe)
            _assert_close(torch.from_numpy(exported({name: part.numpy() for name, part in inputs.items()})), expected, recipe)
            assert exported.any_rows

    def test_smaller_networks_are_cut_out_of_larger_ones(self, data: Data) -> None:
        """The larger recipe contains theirs, their weights fit newly built networks, and no width grows."""
        inputs, _ = self._rows(data)
        for recipe in self._recipes(data):
            network = build(recipe).eval()
            modules = dict(network.named_modules())
            for name, channels in network.width_map.items():
                assert name in modules and {*channels} - {""} <= recipe.widths.keys(), name
            for share in SHARES:
                smaller = recipe.scale(share)
                assert recipe.contains(smaller) and smaller.widths.keys() == recipe.widths.keys()
                assert all(width <= recipe.widths[path] for path, width in smaller.widths.items())
                cut = shrink(network, smaller, inputs)
                rebuilt = build(smaller)
                rebuilt.load_state_dict(cut.state_dict())
                with torch.inference_mode():
                    _assert_close(rebuilt.eval()(**inputs), cut(**inputs), smaller)

    def test_a_network_is_read_back_from_its_files(self, data: Data, tmp_path: Path) -> None:
        """Without pickle, with equal weights."""
        network = build(next(self._recipes(data)), seed=3)
        save(network, tmp_path)
        state = load(tmp_path).state_dict()
        assert all(torch.equal(weight, state[name]) for name, weight in network.state_dict().items())

    def test_the_fastest_network_is_no_larger_than_the_others(self, data: Data) -> None:
        """It decides whether a limit on latency can be met at all."""
        config = smallest(space_for(data.spec, self.family.name), data.spec)
        fastest = draw(room(config, "model"), data.spec)
        build(fastest)
        assert fastest.macs <= min(recipe.macs for recipe in self._recipes(data))

    def _recipes(self, data: Data) -> Iterator[Recipe]:
        """The recipe of every first design."""
        space = space_for(data.spec, self.family.name)
        for design in self.family.initial_designs(data.spec):
            config: Config = space.nearest(design)
            yield draw(room(config, "model"), data.spec)

    def _rows(self, data: Data) -> tuple[dict[str, Tensor], Tensor]:
        rows = data.train.rows(slice(0, ROWS))
        return rows.inputs, rows.targets

    def _loss(self, network: RecipeNet, loss: Loss, batch: Batch) -> float:
        network.eval()
        with torch.inference_mode():
            return float(loss(network(**batch.inputs), batch))


def _assert_close(outputs: Tensor, expected: Tensor, recipe: Recipe) -> None:
    scale = max(1.0, float(expected.double().abs().max()))
    assert outputs.shape == expected.shape and torch.allclose(outputs, expected, atol=CLOSE * scale, rtol=CLOSE), (
        recipe.describe()
    )
