"""`python -m benchmarks.through_torch BUNDLE INPUT.npy` predicts like a bundle's predict.py, but with torch."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch

from lepton_automl.models.files import load
from lepton_automl.shipped import load_preprocess
from lepton_automl.training.answers import Probabilities


def main(folder: str, source: str) -> None:
    torch.set_num_threads(1)
    described = json.loads((Path(folder) / "preprocess.json").read_text(encoding="utf-8"))
    model = load(Path(folder))
    arrays = load_preprocess(described).arrays(np.load(source))
    with torch.inference_mode():
        outputs = model(**{name: torch.from_numpy(part) for name, part in arrays.items()})
        picked = Probabilities(members=model.ensemble)(outputs).argmax(-1)
    for at in picked.tolist():
        print(described["output"]["classes"][at])


if __name__ == "__main__":
    main(*sys.argv[1:])
