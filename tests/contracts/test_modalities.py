"""Our own modalities keep the contract that plug-ins are held to."""

import numpy as np
import pandas as pd

from lepton_automl.modalities.image import ImageModality
from lepton_automl.modalities.table import TableModality
from lepton_automl.testing.modality import ModalityContract

ROWS = 60


class TestImages(ModalityContract):
    modality = ImageModality()

    def source(self, folder, seed):
        rng = np.random.default_rng(seed)
        return rng.integers(0, 256, (ROWS, 8, 8, 3), np.uint8), rng.permutation(np.arange(ROWS) % 3)

    def strangers(self, folder):
        (folder / "rows.csv").write_text("a,b\n1,2\n")
        return [folder / "rows.csv", {"a": [1], "b": [2]}, pd.DataFrame({"a": [1]}), (np.zeros((3, 2)), [0, 1, 2])]


class TestTables(ModalityContract):
    modality = TableModality()

    def source(self, folder, seed):
        rng = np.random.default_rng(seed)
        number = rng.normal(size=ROWS)
        number[:3] = np.nan
        return pd.DataFrame(
            {
                "number": number,
                "whole": rng.integers(0, 50, ROWS),
                "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 99, ROWS), "D"),
                "colour": rng.choice(["red", "green", "blue"], ROWS),
                "target": rng.permutation(np.arange(ROWS) % 2),
            }
        )

    def strangers(self, folder):
        return [folder, (np.zeros((3, 8, 8)), [0, 1, 2]), 5]
