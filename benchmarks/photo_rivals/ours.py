"""`python -m benchmarks.photo_rivals.ours SYSTEM FOLDER`: our search, from scratch or with pretrained weights.

Accuracy and latency are those of one file, the one that `best()` gives for the wish.
"""

from __future__ import annotations

import shutil
import sys
from typing import Any

import numpy as np

from lepton_automl import AutoML, Budget

from .data import BUNDLE
from .run_folder import Run

WEIGHTS = {"scratch": "none", "pretrained": "auto"}


def main(system: str, run: Run) -> None:
    """Search, predict the test photos, and export the chosen model."""
    data = run.photos()
    training, home = run.path / "train", run.path / "home"
    data.link_training(run.seed, training)
    automl = AutoML(
        name="ours",
        budget=Budget(minutes=run.minutes),
        seed=run.seed,
        workers=run.threads,
        home=home,
        progress=False,
        pretrained=WEIGHTS[system],
    )
    study = automl.fit(training, test_share=1e-6)  # next to nothing: the outer split is the test split
    model = study.best(max_latency_ms=run.max_latency_ms or None)
    rows = data.test_rows(run.seed)
    answers = model.predict([str(data.files[place]) for place in rows])
    right = np.array([str(answer) == data.classes[data.labels[place]] for place, answer in zip(rows, answers, strict=True)])
    model.export(run.path / BUNDLE)
    trials = study.trials
    run.write_result(right, trials=len(trials), front=len(study.models), epochs=_epochs(trials), score=model.score)
    shutil.rmtree(home)


def _epochs(trials: Any) -> int | None:
    """The most epochs of any trial."""
    return int(trials["epochs"].max()) if "epochs" in trials else None


if __name__ == "__main__":
    main(sys.argv[1], Run.read(sys.argv[2]))
