"""Whether a network is worth it: its score beside a constant answer, the linear model and gradient-boosted trees."""

from __future__ import annotations

from lepton_automl.errors import LeptonError
from lepton_automl.plugins import instance
from lepton_automl.recipe import CUSTOM, LinearRecipe
from lepton_automl.reference_scores import TREES, Reference
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .narrative import format_score, metric

Row = tuple[str, float]  # what it is, and its score


def is_linear(trial: Trial) -> bool:
    """Whether a trial's network is a linear model."""
    family = str(trial.proposed.recipe.get("family", ""))
    try:
        return family not in {"", CUSTOM} and issubclass(instance("families", family).Recipe, LinearRecipe)
    except (LeptonError, TypeError):  # the family is not installed
        return False


def reference_rows(state: StudyState) -> list[Row]:
    """The score of each reference, of the best linear model and of the best network, on the rows that networks are scored on."""
    name = state.settings.metric
    rows = [(_title(known), known.scores[name]) for known in _references(state) if name in known.scores]
    finished = [trial for trial in state.trials.values() if trial.status == "complete" and name in trial.scores]
    linear = [trial for trial in finished if is_linear(trial)]
    networks = [trial for trial in finished if not is_linear(trial)]
    for title, trials in (("linear model", linear), ("the best network", networks)):
        if trials:
            best = min(trials, key=lambda trial: state.settings.objectives[0].cost(state.score(trial)))
            rows.append((f"{title}, trial {best.number}", state.score(best)))
    return rows


def is_network_worth_it(state: StudyState) -> list[str]:
    """The answer in sentences; empty before the references are scored."""
    if state.references is None:
        return []
    rows = reference_rows(state)
    listed = "; ".join(f"{title}: {format_score(state, score)}" for title, score in rows)
    sentences = [f"Is a network worth it here? By {metric(state)}, {listed}."]
    if len(rows) > 1 and rows[-1][0].startswith("the best network"):
        cost = state.settings.objectives[0].cost
        better = [title for title, score in rows[:-1] if cost(score) <= cost(rows[-1][1])]
        sentences.append(
            f"No network that was tried is better than {' or '.join(better)}."
            if better
            else "The best network is better than all."
        )
    if state.references.missing:
        sentences.append(f"There are no trees to compare with: {state.references.missing}.")
    return sentences


def _references(state: StudyState) -> tuple[Reference, ...]:
    return state.references.references if state.references else ()


def _title(reference: Reference) -> str:
    cut = "" if reference.complete else f", {reference.rounds} rounds in the time that they had"
    return f"{reference.title}{cut}" if reference.name == TREES else reference.title
