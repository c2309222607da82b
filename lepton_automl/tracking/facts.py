"""The facts about a model that MLflow shows: at its run, as a logged model, as a registered version."""

from __future__ import annotations

from typing import Any

from lepton_automl.state import StudyState
from lepton_automl.trial import Trial


def model_facts(state: StudyState, trial: Trial) -> dict[str, Any]:
    """The tags of a finished trial's model.

    Args:
        state: The study.
        trial: A trial with a model.

    Returns:
        The study's metric, `latency_ms`, `size_bytes`, the runtime, the hard limits, the data's digest; and `test_<metric>` once the
        test split was evaluated.
    """
    assert trial.profile is not None
    settings, tested = state.settings, state.tested
    scores = tested.scores.get(trial.number, {}) if tested else {}
    return {
        settings.metric: _format_number(state.score(trial)),
        "latency_ms": _format_number(trial.profile.latency_ms),
        "size_bytes": trial.profile.size_bytes,
        "variant": trial.variant.name,
        "limits": ", ".join(_limits(state)) or "none",
        "data_digest": settings.data.digest,
        **{f"test_{name}": _format_number(score) for name, score in scores.items()},
        **({"refitted_on": f"{trial.refitted.result.learned} rows"} if trial.refitted else {}),
    }


def _limits(state: StudyState) -> list[str]:
    settings = state.settings.deployment.to_json()
    return [
        f"{name} {value}" for name, value in settings.items() if name.startswith("max_") and name != "max_score_drop" and value
    ]


def _format_number(figure: float) -> str:
    return f"{figure:.6g}"
