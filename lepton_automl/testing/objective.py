"""The contract of costs. A plug-in's own test inherits `CostContract` and provides its cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lepton_automl import plugins
from lepton_automl._json import conforms
from lepton_automl.deployment.export import export
from lepton_automl.errors import LeptonError
from lepton_automl.objective import Cost, Objective, cost_named, known_costs


@dataclass(frozen=True)
class SampleArtifact:
    """A small exported network, without the measurements that need a device."""

    path: Path
    macs: int = 32

    @property
    def graph(self) -> Path:
        """The file itself, which is ONNX."""
        return self.path

    @property
    def cold_start(self) -> Any:
        """Not measured here."""
        raise LeptonError("a sample has no cold start", where="testing")

    @property
    def energy(self) -> Any:
        """Not measured here."""
        raise LeptonError("a sample has no meter", where="testing")


class CostContract:
    """The contract as pytest tests: a subclass provides `cost` and `name`.

    Attributes:
        cost: The cost under test.
        name: Its entry point's name, which `AutoML(objectives=...)` takes.
    """

    cost: Cost
    name: str

    def test_it_is_chosen_by_its_name(self) -> None:
        """No other cost has an objective of the same name."""
        assert plugins.is_known("objectives", self.name) and type(cost_named(self.name)) is type(self.cost)
        assert known_costs()[self.cost.objective.name] == self.cost.objective
        declared = [cost_named(name).objective.name for name in plugins.names("objectives")]
        assert declared.count(self.cost.objective.name) == 1

    def test_its_declaration_survives_json(self) -> None:
        """As it is stored in the journal; it is neither a score nor a user's function."""
        objective = self.cost.objective
        assert Objective.from_json(objective.to_json()) == objective and conforms(Objective, objective.to_json())
        assert not objective.is_score and objective.function is None and objective.title

    def test_an_exported_network_has_a_value(self, tmp_path: Path) -> None:
        """A number, NaN if every profile already has the value, or an error that explains why there is none."""
        export(nn.Linear(8, 4).eval(), {"input": torch.randn(16, 8)}, tmp_path / "model.onnx")
        artifact = SampleArtifact(tmp_path / "model.onnx")
        try:
            value = self.cost.measure(artifact)
        except LeptonError as error:
            pytest.skip(str(error))
        assert isinstance(value, float) and not math.isinf(value)
        assert math.isnan(value) or self.cost.objective.scale == "linear" or value > 0
