"""The script of an ensemble: the finished networks of other trials, put together."""

from __future__ import annotations

from collections.abc import Sequence

from lepton_automl.jobs import TrialJob

from .code_script import data_lines, docstring
from .code_values import Imports, written

SCORED = """\
print(final_scores([(network, data.validation)], data.spec))"""
CROSS_VALIDATED = """\
# The score is that of the mean of what the members' networks answered for the folds that they had not seen.
held = [held_out(Path(bundle).parent, data) for bundle in bundles]
mean = np.average([answers for _, answers in held], axis=0, weights=weights)
rows = held[0][0]
print(scores(mean, in_target_unit(rows.targets, data.spec), data.spec, weights=rows.weights))"""


def ensemble_cells(
    job: TrialJob,
    head: tuple[str, ...],
    *,
    bundles: Sequence[str],
    weights: Sequence[int],
    study: tuple[str, str] | tuple[()],
) -> list[str]:
    """The parts of a script that puts an ensemble together.

    Args:
        job: The trial's job.
        head: Lines about the trial, the first one a title.
        bundles: The folders of the members' bundles.
        weights: How often each counts.
        study: The study's name and home, from which its user-defined metric is read; empty if there is none.
    """
    imports = Imports()
    imports.add("pathlib.Path", "lepton_automl.models.load", "lepton_automl.pipelines.ensemble.network_of")
    values = [
        *data_lines(job.data.folder, imports, study=study),
        written(list(bundles), imports, name="bundles"),
        written(list(weights), imports, name="weights") + "  # how often each network counts",
    ]
    steps = "network = network_of([load(Path(bundle)) for bundle in bundles], weights, data.spec)"
    if job.data.folds:
        imports.add(
            "lepton_automl.pipelines.held_out.held_out",
            "lepton_automl.training.scores.in_target_unit",
            "lepton_automl.training.scores.scores",
        )
        return [docstring(head), imports.lines("import numpy as np"), "\n".join(values), f"{steps}\n{CROSS_VALIDATED}"]
    imports.add("lepton_automl.pipelines.validation.final_scores")
    return [docstring(head), imports.lines(), "\n".join(values), f"{steps}\n{SCORED}"]
