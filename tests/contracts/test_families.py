"""Our own network families keep the contract that plug-ins are held to."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch

from lepton_automl.modalities.image.family import ConvFamily
from lepton_automl.modalities.image.linear import LinearImageFamily
from lepton_automl.modalities.image.pretrained.family import PretrainedFamily
from lepton_automl.modalities.image.sequential import SequentialFamily
from lepton_automl.modalities.table.family import TableFamily
from lepton_automl.modalities.table.linear import LinearTableFamily
from lepton_automl.testing.family import FamilyContract
from tests.published_weights import mobilenet_v3_small

ROWS = 100


class TestConvNetworks(FamilyContract):
    family = ConvFamily()

    def source(self, folder):
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (ROWS, 8, 8), np.uint8), np.arange(ROWS) % 3


class TestSequentialNetworks(FamilyContract):
    family = SequentialFamily()

    def source(self, folder):
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (ROWS, 8, 8), np.uint8), np.arange(ROWS) % 3


class TestPretrainedNetworks(FamilyContract):
    family = PretrainedFamily()
    options: ClassVar = {"pretrained": "mobilenet_v3_small"}

    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch):
        """torch.hub's cache with weights of random numbers under the published names."""
        folder = tmp_path / "cache" / "hub" / "checkpoints"
        folder.mkdir(parents=True)
        torch.save(mobilenet_v3_small(), folder / "mobilenet_v3_small-0.pth")
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))

    def source(self, folder):
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (ROWS, 32, 32, 3), np.uint8), np.arange(ROWS) % 3


class TestTableNetworks(FamilyContract):
    family = TableFamily()
    options: ClassVar = {"target": "price"}

    def source(self, folder):
        rng = np.random.default_rng(0)
        return pd.DataFrame(
            {
                "area": rng.normal(size=ROWS),
                "rooms": rng.normal(size=ROWS),
                "colour": rng.choice(["red", "green", "blue"], ROWS),
                "price": rng.normal(100, 5, ROWS),
            }
        )


class TestLinearModelsOfImages(FamilyContract):
    family = LinearImageFamily()

    def source(self, folder):
        rng = np.random.default_rng(0)
        labels = np.arange(ROWS) % 3
        images = rng.integers(0, 200, (ROWS, 21, 8, 3), np.uint8)
        images[:, :4, :4, 0] += (20 * labels[:, None, None]).astype(np.uint8)
        return images, labels


class TestLinearModelsOfTables(TestTableNetworks):
    family = LinearTableFamily()
