"""What temperature scaling changed: a score of our answers alone, so that the peers' code, and with it their record, stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .data import Table, calibration_error


def raw_error(table: Table, split: int, folder: Path) -> float | None:
    """The calibration error of the answers in a folder before temperature scaling, in percent; None for regression."""
    if table.regression:
        return None
    truth = table.target.iloc[table.test_rows(split)].map(str)
    with np.load(folder / "answers.npz") as answers:
        return calibration_error(answers["raw_probabilities"], pd.Index(table.classes).get_indexer(pd.Index(truth)))
