"""Details of each model, shown after a click on the front."""

from __future__ import annotations

from html import escape

from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from . import narrative
from .cost_axes import other_costs
from .ends import shown_reason
from .labels import clean
from .latency import latency_range, latency_text
from .losses import losses_sentence, losses_svg
from .page import Html, collapsible, facts, paragraph, table, text
from .tables import chosen_trial, last_score, network, score_interval, with_interval

MOST = 200  # models with details: those of the front, then the latest others


def shown(state: StudyState) -> list[Trial]:
    """The trials with a card, the chosen one first."""
    front, chosen = state.front(), chosen_trial(state)
    numbers = {trial.number for trial in front}
    others = [trial for trial in state.trials.values() if trial.profile and trial.number not in numbers]
    return sorted(
        [*front, *others[-max(0, MOST - len(front)) :]], key=lambda trial: (trial.number != chosen, trial.number not in numbers)
    )


def picker(state: StudyState) -> Html:
    """A list to choose a model from, as an alternative to a click."""
    models = shown(state)
    if not models:
        return Html("")
    options = "".join(f'<option value="{trial.number}">{escape(_named(state, trial))}</option>' for trial in models)
    return Html(f'<p class="screen"><label for="pick">Details of </label><select id="pick">{options}</select></p>')


def cards(state: StudyState) -> Html:
    """A card for each model; all but the first are hidden until selected."""
    parts = "".join(
        f'<article class="model" id="trial-{trial.number}" aria-live="polite"{" hidden" * (at > 0)}>{_card(state, trial)}</article>'
        for at, trial in enumerate(shown(state))
    )
    return Html(parts)


def _named(state: StudyState, trial: Trial) -> str:
    score = last_score(state, trial)
    score_text = narrative.format_score(state, score) if score is not None else "not scored"
    latency = latency_text(trial.profile.latency_ms) if trial.profile else ""
    standing = "chosen" if trial.number == chosen_trial(state) else "front" if trial in state.front() else trial.status
    return f"trial {trial.number}: {score_text}, {latency} ({standing})"


def _card(state: StudyState, trial: Trial) -> str:
    children = [descendant.number for descendant in state.trials.values() if descendant.proposed.parent == trial.number]
    profile = trial.profile
    scores = (
        table(["score (95 % interval)", "validation", *(["test"] if _tested(state, trial) else [])], _scores(state, trial))
        if trial.scores
        else ""
    )
    hyperparameters = table(
        ["hyperparameter", "value"], ([name, _plain(setting)] for name, setting in trial.proposed.config.items())
    )
    known = facts(
        [
            ("network", network(trial)),
            (
                "score",
                f"{narrative.format_score(state, value)}{_ends(state, trial)}"
                if (value := last_score(state, trial)) is not None
                else "not scored",
            ),
            (
                "latency",
                f"{latency_text(profile.latency_ms, 4)} ({latency_range(profile.latency.low, profile.latency.high)})"
                if profile
                else "",
            ),
            ("size", f"{narrative.format_size(profile.size_bytes)}, {profile.parameters:,} parameters" if profile else ""),
            *((cost.label, cost.show(trial)) for cost in other_costs(state)),
            ("runs in", trial.variant.name if trial.status == "complete" else ""),
            ("how it ended", f"{narrative.STATUSES[trial.status]} after {trial.epochs} epochs"),
            ("why", shown_reason(trial)),
            ("merged into", f"trial {state.merged[trial.number]}" if trial.number in state.merged else ""),
            (
                "origin",
                ORIGINS.get(trial.proposed.origin, trial.proposed.origin)
                + (f" trial {trial.proposed.parent}" if trial.is_child else ""),
            ),
            ("members", ", ".join(f"trial {number}" for number in trial.proposed.members)),
            ("taught by", ", ".join(f"trial {number}" for number in trial.proposed.teachers)),
            ("pruned from it", ", ".join(f"trial {number}" for number in children[:20])),
        ]
    )
    return f"<h3>{text(f'Trial {trial.number}')}</h3>{known}{collapsible('Scores', scores) if scores else ''}{collapsible('Hyperparameters', hyperparameters)}{_losses(state, trial)}"


def _losses(state: StudyState, trial: Trial) -> str:
    """Training beside validation loss; empty if they were not reported."""
    drawn = losses_svg(state, trial)
    return (
        collapsible("Training and validation loss", Html(f"{drawn}{paragraph(losses_sentence(state, trial))}")) if drawn else ""
    )


ORIGINS = {
    "ensemble": "the mean of the answers of other trials' networks",
    "first_design": "one of the initial designs",
    "sampler": "proposed by the search",
    "random": "drawn at random",
    "enqueued": "added by the user",
    "child": "pruned from",
    "taught": "a model of the front, trained again with a teacher",
}


def _tested(state: StudyState, trial: Trial) -> dict[str, float]:
    return state.tested.scores.get(trial.number, {}) if state.tested else {}


def _ends(state: StudyState, trial: Trial) -> str:
    ends = score_interval(state, trial)
    return f" (95 % interval {narrative.format_interval(state, ends, 'to')})" if ends else ""


def _scores(state: StudyState, trial: Trial) -> list[list[object]]:
    tested, intervals = _tested(state, trial), trial.resampled.intervals if trial.resampled else {}
    test_ends = state.tested.intervals.get(trial.number, {}) if state.tested else {}

    def shown(values: dict[str, float], ends: dict[str, tuple[float, float]], name: str) -> object:
        return with_interval(f"{values[name]:.4g}", ends[name]) if name in values and name in ends else values.get(name)

    return [
        [name, shown(trial.scores, intervals, name), *([shown(tested, test_ends, name)] if tested else [])]
        for name in trial.scores
    ]


def _plain(setting: object) -> object:
    return setting if isinstance(setting, float) else clean(setting)
