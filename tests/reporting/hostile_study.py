"""A study whose classes, hyperparameters and reasons have names that could break a page, and analyses of errors in it."""

from __future__ import annotations

import numpy as np
import pytest

from lepton_automl import families
from lepton_automl.error_analysis import ErrorAnalysis, Example
from lepton_automl.events import HyperparametersRanked, StudyStarted, TrialEnded, TrialProposed
from lepton_automl.explanation import ExplainedRows, Explanation, PartContribution
from lepton_automl.jobs import TrialResult
from lepton_automl.modalities.image.thumbnail import picture
from lepton_automl.permutation_importance import PartImportance, PermutationImportance
from lepton_automl.space import Categorical, Space
from lepton_automl.state import StudyState
from lepton_automl.tasks.classification.analysis import calibration, class_scores, confusion
from tests.samples import (
    config,
    image_spec,
    trial_events,
)

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=http://example.com/x onerror=alert(2)>',
    "</script><b>bold</b>",
    "עברית \u202egnp.exe",
    "👩‍👩‍👧 family",
    "nul\x00 bell\x07 esc\x1b[31m line\nbreak",
    "half \ud83d character",
    "x" * 5_000,
    "$\\alpha$ &amp; %{x} {{y}}",
    "",
)


def failing(number: int, status: str, reason: str, epochs: int = 2) -> list[object]:
    proposed, weigh, learnt, _ = trial_events(number, 0.5, 3.0 + number, at=3.0 * number)
    result = TrialResult(trial=number, status=status, reason=reason, epochs=epochs)
    return [proposed, weigh, learnt, TrialEnded(at=3.0 * number + 2.5, result=result)]


@pytest.fixture
def state() -> StudyState:
    """A study with every kind of trial, whose classes, hyperparameters and reasons have hostile names."""
    spec = image_spec(labels=HOSTILE, name=HOSTILE[0], target=HOSTILE[1], notes=HOSTILE[:3], warnings=HOSTILE[3:6])
    space = Space(
        hyperparameters={
            **families.space_for(spec).hyperparameters,
            "model.kind": Categorical(*HOSTILE[:3], default=HOSTILE[0]),
        }
    )
    state = StudyState().feed(
        [StudyStarted(at=0.0, config=config(spec, space=space, name="hostile"), versions={"torch": HOSTILE[2]})]
    )
    for number, (score, latency) in enumerate([(0.9, 1.0), (0.97, 2.0), (0.98, 8.0), (0.95, 4.0)]):
        proposed, *others = trial_events(number, score, latency, at=3.0 * number)
        state.feed([proposed.replace(config={**proposed.config, "model.kind": HOSTILE[number % 3]}), *others])
    for number, (status, reason) in enumerate([("stopped", HOSTILE[2]), ("infeasible", HOSTILE[1]), ("failed", HOSTILE[5])], 4):
        state.feed(failing(number, status, reason))
    running = TrialProposed(at=30.0, trial=7, uid="7", config={}, recipe={}, origin="child", parent=1)
    ranked = HyperparametersRanked(
        at=31.0, shares={"score": {HOSTILE[0]: 0.7, "model.width": 0.3}}, trials={"score": 9}, ends=7
    )
    return state.feed([running, ranked])


@pytest.fixture
def examined() -> ErrorAnalysis:
    answers = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 1])
    truth = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 7, 0])
    pairs = confusion(answers, truth, 10)
    bins, error = calibration(np.linspace(0.5, 1.0, 12), answers == truth)
    pixels = picture(np.arange(64, dtype=np.uint8).reshape(1, 8, 8))
    worst = tuple(Example(row=n, truth=HOSTILE[n], answer=HOSTILE[1], loss=2.0, sure=0.9, picture=pixels) for n in (0, 7))
    return ErrorAnalysis(
        trial=1, split="validation", rows=12, task="multiclass", target=HOSTILE[1], scores={"accuracy": 10 / 12}, worst=worst,
        classes=class_scores(pairs, HOSTILE), confusion=pairs, calibration=bins, calibration_error=error,
    )  # fmt: skip


def hostile_importance() -> PermutationImportance:
    """The importance of columns with hostile names."""
    parts = tuple(PartImportance(name=name, drop=0.1 * at, deviation=0.01) for at, name in enumerate(HOSTILE))
    return PermutationImportance(
        trial=1, split="validation", metric=HOSTILE[0], score=0.9, rows=12, split_rows=12, repeats=5, parts=parts,
        left_out=HOSTILE[:2], left_out_drop=0.1,
    )  # fmt: skip


def hostile_explained() -> ExplainedRows:
    """The explanation of a row with hostile names and cells."""
    parts = tuple(
        PartContribution(name=name, value=name, contributions={HOSTILE[0]: 0.1 * at - 0.2}, errors={HOSTILE[0]: 0.01})
        for at, name in enumerate(HOSTILE)
    )
    explanation = Explanation(
        prediction=HOSTILE[1], main=HOSTILE[0], is_probability=True, base={HOSTILE[0]: 0.2}, answer={HOSTILE[0]: 0.9}, parts=parts,
        background=64, evaluations=4096,
    )  # fmt: skip
    regions = explanation.replace(grid=(1, len(parts)), picture=HOSTILE[0], background=0)
    return ExplainedRows(rows=(0, 1), explanations=(explanation, regions))


def numbers_examined() -> ErrorAnalysis:
    cells = {HOSTILE[0]: HOSTILE[1], "age": 31.0, "left": None}
    return ErrorAnalysis(
        trial=1, split="validation", rows=2, task="regression", target="price", scores={"rmse": 1.0}, pairs=((1.0, 2.0), (3.0, 2.5)),
        bias=0.25, spread=(0.75, 0.95, 1.0), worst=(Example(row=0, truth=1.0, answer=2.0, loss=1.0, cells=cells),),
    )  # fmt: skip
