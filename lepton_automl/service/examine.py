"""A model's errors, worked out once in a worker process and kept beside its bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lepton_automl.errors import StudyError
from lepton_automl.examined import Examined, ExamineJob, Held
from lepton_automl.home import trial_folder
from lepton_automl.reporting.terminal import doing

from .bottleneck import asked
from .kept import keep, kept

if TYPE_CHECKING:
    from .study import Study


def examine(study: Study, trial: int, *, split: Held | None = None, progress: bool = True) -> Examined:
    """Look at what a finished model gets wrong; `Model.examine` is the usual way.

    Raises:
        StudyError: The trial left no model, there are no rows to ask it, or the test split is still sealed.
    """
    held = split or usual_split(study, trial)
    _may_ask(study, trial, held)
    folder = trial_folder(study.folder, trial)
    found = kept(folder, f"examined-{held}", Examined)
    if found is None:
        with doing(f"{study.name}/{trial}", shown=progress) as told:
            told(f"asking it the {held} rows")
            answer = asked(study, trial, lambda job, bundle: ExamineJob(trial=job, bundle=bundle, split=held), told)
        assert isinstance(answer, Examined)
        found = keep(folder, f"examined-{held}", answer)
    return found


def usual_split(study: Study, trial: int) -> Held:
    """The rows to examine a model on: those of the validation split; where there is none, those of a test that is open."""
    state = study.state
    opened = state.tested is not None and trial in state.tested.scores
    return "test" if opened and not state.settings.data.validation else "validation"


def _may_ask(study: Study, trial: int, split: Held) -> None:
    state = study.state
    if split == "test" and (state.tested is None or trial not in state.tested.scores):
        fix = "Open it with evaluate_test(), once, when nothing is left to choose. Models that came later stay without."
        raise StudyError(f"the test split is sealed for trial {trial}", where=study.name, fix=fix)
    if split == "validation" and not state.settings.data.validation:
        fix = "The network was trained on all rows. Open the sealed test with evaluate_test() and examine that."
        raise StudyError("scores were cross-validated: no row is left to examine", where=study.name, fix=fix)
