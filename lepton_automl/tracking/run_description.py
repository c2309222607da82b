"""The text that a store shows at the top of a run: what it is, for a reader who was not there."""

from __future__ import annotations

from lepton_automl.errors import LeptonError
from lepton_automl.objective import Objective
from lepton_automl.profile import PROFILED, Profile
from lepton_automl.recipe import describe, recipe_from_json
from lepton_automl.state import StudyState, Trial
from lepton_automl.texts import code_span, markdown
from lepton_automl.variant import Variant

MOST = 30  # rows; a tag has room for 8,000 characters
WHERE = "The Views menu above the run list offers two views: the Pareto front, and all trials in order."
LONGEST = 300  # characters of what somebody else has said
ORIGINS = {
    "first_design": "one of the initial designs",
    "sampler": "proposed by the sampler",
    "random": "drawn at random",
    "enqueued": "added by the user",
}


def note(state: StudyState) -> str:
    """A study in Markdown: how it stands, what was asked, the front. MLflow's page folds all but the first lines."""
    warned = [event.text for event in state.notes if event.level != "info"][-5:]
    parts = [_chosen(state), _stands(state), _goal_of(state), WHERE, _table(state), *(f"> {_short(text)}" for text in warned)]
    return "\n\n".join(part for part in parts if part)


def trial_note(state: StudyState, trial: Trial) -> str:
    """A trial in a few words; the less there is to look into, the fewer."""
    whole, result = state.settings.epochs_of(child=trial.is_child), trial.result
    if result is None:
        return f"Resumed from epoch {trial.epochs} of {whole}."
    if result.status == "infeasible" and not result.epochs:
        return f"Not trained: {_short(result.reason)}."
    if result.status == "infeasible":
        return f"Trained, but not usable: {_short(result.reason)}."
    if result.status == "failed":
        return f"Failed after {_epochs(trial, whole)}: {_short(result.reason)}. {_papers(trial)}".strip()
    if result.status == "stopped":
        return f"Stopped after {_epochs(trial, whole)}, {_came_to(state, trial)}: {_short(result.reason)}."
    outcome = f"{markdown(_shape(trial))}, {_origin(trial)}: {_came_to(state, trial)} after {_epochs(trial, whole)}."
    return " ".join(part for part in (outcome, _runs_in(trial), _standing(state, trial)) if part)


def network(trial: Trial) -> str:
    """A trial's final shape in a line; empty where only a plug-in knows it."""
    try:
        return describe(recipe_from_json((trial.result and trial.result.recipe) or trial.proposed.recipe))
    except (LeptonError, TypeError):  # a plug-in's own family
        return ""


def _shape(trial: Trial) -> str:
    """The same without bars: MLflow's run list shows Markdown as it is written, and many fonts lack what stands for a bar."""
    return network(trial).replace(" | ", " / ")


# A study


def _goal_of(state: StudyState) -> str:
    config, deployment = state.settings, state.settings.deployment
    limits = [f"at most {deployment.max_latency_ms:g} ms"] if deployment.max_latency_ms else []
    limits += [f"at most {deployment.max_size_bytes:,} bytes"] if deployment.max_size_bytes else []
    device = (
        f"{deployment.device}, {deployment.threads} thread{'s' * (deployment.threads > 1)}, batch of {deployment.batch_size}"
    )
    return (
        f"Models for **{markdown(config.data.name)}**: {config.metric} on the validation split against latency on {device}"
        f"{''.join(f', {limit}' for limit in limits)}. Scores and latencies were measured on the exported files."
    )


def _stands(state: StudyState) -> str:
    ended = [trial.status for trial in state.trials.values() if trial.result]
    kinds = [(kind, ended.count(kind)) for kind in ("complete", "stopped", "infeasible", "failed")]
    counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds if count)
    seconds = state.spent(state.last_at)
    summary = f"{len(state.trials):,} trials{' so far' * (state.ended is None)}{f' ({counts})' * bool(counts)}"
    workers = state.settings.workers
    summary += f" in {seconds / 60:.1f} minutes on {workers} worker{'s' * (workers > 1)}"
    if state.ended:
        return f"{summary}; {_short(state.ended.reason)}."
    return f"{summary}." + (f" Paused: {_short(state.paused.reason)}." if state.paused else "")


def _chosen(state: StudyState) -> str:
    number = state.ended.chosen if state.ended else None
    if number is None:
        return ""
    named = [
        f"{code_span(registration.model)} {registration.version}"
        for registration in state.registered
        if registration.trial == number
    ]
    known = f"; registered as {named[-1]}" if named else ""
    trial = state.trials[number]
    return f"Chosen: **trial {number}**, {code_span(_shape(trial))}: {_came_to(state, trial)}{known}. {_tested(state, trial)}".strip()


def _table(state: StudyState) -> str:
    front = state.front()
    if not front:
        return ""
    further = _further(state)
    titles = "".join(f" {markdown(f'{goal.title}, {goal.unit}'.rstrip(', '))} |" for goal in further)
    head = [
        f"| trial | {state.settings.metric} | latency, ms | size, kB | parameters |{titles}",
        "|--:|--:|--:|--:|--:|" + "--:|" * len(further),
    ]
    return "\n".join([*head, *(_row(state, trial) for trial in front[:MOST])])


def _row(state: StudyState, trial: Trial) -> str:
    profile = trial.profile
    chosen = " (chosen)" if state.ended and state.ended.chosen == trial.number else ""
    costs = f"{profile.latency_ms:.3g} | {profile.size_bytes / 1e3:.3g} | {profile.parameters:,}" if profile else " | | "
    further = "".join(f" {state.value(trial, goal):,.10g} |" for goal in _further(state))
    return f"| {trial.number}{chosen} | {state.score(trial):.4g} | {costs} |{further}"


def _further(state: StudyState) -> list[Objective]:
    """The objectives that have no column of their own."""
    return [goal for goal in state.settings.objectives if not goal.is_score and goal.name not in PROFILED]


# A trial


def _came_to(state: StudyState, trial: Trial) -> str:
    """Its last score and what it costs."""
    metric, score = state.settings.metric, state.score(trial) if trial.status == "complete" else state.last_score(trial)
    scored = f"{metric} {score:.4g}" if score == score else f"no {metric} yet"  # noqa: PLR0124  # NaN is not itself
    return f"{scored}{_at(trial.profile)}"


def _at(profile: Profile | None) -> str:
    if profile is None:
        return ""
    low, high = profile.latency.low, profile.latency.high
    return f" at {profile.latency_ms:.3g} ms per call ({low:.3g} to {high:.3g}), {profile.size_bytes / 1e3:.3g} kB"


def _origin(trial: Trial) -> str:
    if trial.proposed.parent is not None:
        return f"pruned from trial {trial.proposed.parent}"
    return ORIGINS.get(trial.proposed.origin, trial.proposed.origin)


def _epochs(trial: Trial, whole: int) -> str:
    return f"{trial.epochs} of {whole} epochs"


def _runs_in(trial: Trial) -> str:
    """What it was made faster by, if anything."""
    if trial.accelerated is None or trial.search_profile is None or trial.variant == Variant():
        return ""
    return f"It runs in {trial.variant.name}; before acceleration it took {trial.search_profile.latency_ms:.3g} ms."


def _standing(state: StudyState, trial: Trial) -> str:
    chosen = state.ended is not None and state.ended.chosen == trial.number
    stands = "It is the chosen model." if chosen else "It is on the front." if trial in state.front() else ""
    return f"{stands} {_tested(state, trial)}".strip()


def _tested(state: StudyState, trial: Trial) -> str:
    scores = state.tested.scores.get(trial.number, {}) if state.tested else {}
    metric = state.settings.metric
    return f"On the held-out test split: {metric} {scores[metric]:.4g}." if metric in scores else ""


def _papers(trial: Trial) -> str:
    assert trial.result is not None
    there = [name for name, text in (("traceback.txt", trial.result.traceback), ("stdout.txt", trial.result.printed)) if text]
    return f"Its {' and '.join(there)} {'have' if len(there) > 1 else 'has'} the details." if there else ""


def _short(text: str) -> str:
    """The first line of a text, which may be anybody's, without its full stop and without markup."""
    return markdown(text.strip().partition("\n")[0].rstrip("."), LONGEST)
