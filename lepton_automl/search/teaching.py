"""Who teaches, and which models are trained again with a teacher.

The mean answers of a few models are more accurate than each of them. A small network learns more from them than from the targets
alone (Hinton et al., Distilling the Knowledge in a Neural Network, 2015), so the fast end of the front inherits their accuracy.
"""

from __future__ import annotations

from lepton_automl.families import TEACHER
from lepton_automl.space import Config
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

MEMBERS = 3  # models whose mean answers teach
AGAIN = 3  # models of the front that are trained again as soon as there is a teacher


def teachers(state: StudyState) -> tuple[int, ...]:
    """The trials whose models teach new networks: the most accurate ones; empty while there are too few."""
    if state.settings.teacher != "auto":
        return ()
    goal = state.settings.objectives[0]
    complete = [trial for trial in state.trials.values() if trial.status == "complete"]
    ranked = sorted(complete, key=lambda trial: (goal.cost(state.search_value(trial, goal)), trial.number))
    return tuple(trial.number for trial in ranked[:MEMBERS]) if len(ranked) >= MEMBERS else ()


def can_teach(state: StudyState) -> bool:
    """Whether a network that is proposed now can have a teacher."""
    return state.settings.teacher == "given" or bool(teachers(state))


def untaught(state: StudyState, config: Config) -> Config:
    """A configuration without a share of a teacher, as long as there is none."""
    hyperparameter = state.settings.space.get(TEACHER)
    if hyperparameter is None or not hyperparameter.allows(0.0) or can_teach(state):
        return config
    return config | {TEACHER: 0.0}


def taught_again(state: StudyState) -> list[tuple[Config, int | None]]:
    """Configurations of the front's fastest models with a teacher, and their parents: the first proposals once there is one.

    Models that teach, and linear ones, which are solved, are left out.
    """
    hyperparameter = state.settings.space.get(TEACHER)
    if hyperparameter is None or not can_teach(state):
        return []
    if sum(trial.proposed.origin == "taught" for trial in state.trials.values()) >= AGAIN:
        return []
    share = max(hyperparameter.choices, default=hyperparameter.high)
    assert share is not None
    members = teachers(state)
    pupils = [trial for trial in reversed(state.front(merged=True)) if _is_pupil(trial) and trial.number not in members]
    return [(trial.proposed.config | {TEACHER: share}, trial.proposed.parent) for trial in pupils]


def _is_pupil(trial: Trial) -> bool:
    return trial.epochs > 0 and not trial.proposed.config.get(TEACHER, 0.0)
