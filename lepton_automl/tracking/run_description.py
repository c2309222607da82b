"""The description of a run in Markdown, which MLflow shows at its top."""

from __future__ import annotations

from lepton_automl.corrected import corrected_score
from lepton_automl.errors import LeptonError
from lepton_automl.objective import Objective
from lepton_automl.profile import PROFILED, Profile
from lepton_automl.recipe import describe, recipe_from_json
from lepton_automl.state import StudyState
from lepton_automl.texts import code_span, join_words, markdown
from lepton_automl.trial import Trial
from lepton_automl.variant import Variant

MANY = 2  # models from which one is chosen
MOST = 30  # rows; a tag holds 8,000 characters
WHERE = "The Views menu above the run list offers two views: the Pareto front, and all trials in order."
LONGEST = 300  # characters of an arbitrary text
ORIGINS = {
    "first_design": "one of the initial designs",
    "sampler": "proposed by the sampler",
    "random": "drawn at random",
    "enqueued": "added by the user",
}


def note(state: StudyState) -> str:
    """A study in Markdown: its status, the request, the front. The MLflow UI collapses all but the first lines."""
    warned = [event.text for event in state.notes if event.level != "info"][-5:]
    parts = [_chosen(state), _progress(state), _goal_of(state), WHERE, _table(state), *(f"> {_short(text)}" for text in warned)]
    return "\n\n".join(part for part in parts if part)


def trial_note(state: StudyState, trial: Trial) -> str:
    """A trial in a few words; fewer for a trial without a model."""
    whole, result = state.settings.epochs_of(child=trial.is_child), trial.result
    if result is None:
        return f"Resumed from epoch {trial.epochs} of {whole}."
    if result.status == "infeasible" and not result.epochs:
        return f"Not trained: {_short(result.reason)}."
    if result.status == "infeasible":
        return f"Trained, but not usable: {_short(result.reason)}."
    if result.status == "failed":
        return f"Failed after {_epochs(trial, whole)}: {_short(result.reason)}. {_log_files(trial)}".strip()
    if result.status == "stopped":
        return f"Stopped after {_epochs(trial, whole)}, {_outcome(state, trial)}: {_short(result.reason)}."
    if trial.is_ensemble:
        outcome = f"The mean of the answers of {_members(trial)} ({markdown(_shape(trial))}): {_outcome(state, trial)}."
    else:
        outcome = f"{markdown(_shape(trial))}, {_origin(trial)}: {_outcome(state, trial)} after {_epochs(trial, whole)}."
    return " ".join(part for part in (outcome, _runs_in(trial), _standing(state, trial)) if part)


def network(trial: Trial) -> str:
    """A trial's final network in a line; empty if it cannot be described."""
    try:
        return describe(recipe_from_json((trial.result and trial.result.recipe) or trial.proposed.recipe))
    except (LeptonError, TypeError):  # the family is missing or not installed
        return ""


def _shape(trial: Trial) -> str:
    """The network without bars: MLflow's run list shows raw Markdown, and many fonts lack the replacement of a bar."""
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


def _progress(state: StudyState) -> str:
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
    return f"Chosen: **trial {number}**, {code_span(_shape(trial))}: {_outcome(state, trial)}{known}. {' '.join(filter(None, (_tested(state, trial), _corrected(state))))}".strip()


def _corrected(state: StudyState) -> str:
    """The score that the default choice is expected to have on new rows; empty if it is not known."""
    corrected = corrected_score(state)
    if corrected is None or corrected.models < MANY:
        return ""
    return (
        f"Corrected for having been chosen among {corrected.models} models: {state.settings.metric} {corrected.score:.4g} "
        f"({corrected.low:.4g} to {corrected.high:.4g})."
    )


def _table(state: StudyState) -> str:
    front = state.front()
    if not front:
        return ""
    others = _other_objectives(state)
    titles = "".join(f" {markdown(f'{goal.title}, {goal.unit}'.rstrip(', '))} |" for goal in others)
    head = [
        f"| trial | {state.settings.metric} | latency, ms | size, kB | parameters |{titles}",
        "|--:|--:|--:|--:|--:|" + "--:|" * len(others),
    ]
    return "\n".join([*head, *(_row(state, trial) for trial in front[:MOST])])


def _row(state: StudyState, trial: Trial) -> str:
    profile = trial.profile
    chosen = " (chosen)" if state.ended and state.ended.chosen == trial.number else ""
    costs = f"{profile.latency_ms:.3g} | {profile.size_bytes / 1e3:.3g} | {profile.parameters:,}" if profile else " | | "
    extra_cells = "".join(f" {state.value(trial, goal):,.10g} |" for goal in _other_objectives(state))
    return f"| {trial.number}{chosen} | {state.score(trial):.4g}{_interval(state, trial)} | {costs} |{extra_cells}"


def _other_objectives(state: StudyState) -> list[Objective]:
    """The objectives without a column of their own."""
    return [goal for goal in state.settings.objectives if not goal.is_score and goal.name not in PROFILED]


# A trial


def _outcome(state: StudyState, trial: Trial) -> str:
    """The last score and the costs of a trial."""
    metric, score = state.settings.metric, state.score(trial) if trial.status == "complete" else state.last_score(trial)
    interval = _interval(state, trial)
    scored = f"{metric} {score:.4g}{interval}" if score == score else f"no {metric} yet"  # noqa: PLR0124  # NaN is not itself
    return f"{scored}{_at(trial.profile)}"


def _interval(state: StudyState, trial: Trial) -> str:
    """The 95 % interval of a model's score in brackets; empty if it is not known."""
    ends = trial.resampled.intervals.get(state.settings.metric) if trial.resampled else None
    return f" ({ends[0]:.4g} to {ends[1]:.4g})" if ends else ""


def _at(profile: Profile | None) -> str:
    if profile is None:
        return ""
    low, high = profile.latency.low, profile.latency.high
    return f" at {profile.latency_ms:.3g} ms per call ({low:.3g} to {high:.3g}), {profile.size_bytes / 1e3:.3g} kB"


def _origin(trial: Trial) -> str:
    if trial.proposed.parent is not None:
        return f"pruned from trial {trial.proposed.parent}"
    return ORIGINS.get(trial.proposed.origin, trial.proposed.origin)


def _members(trial: Trial) -> str:
    """The trials of an ensemble, with how often each counts."""
    recipe = trial.result.recipe if trial.result else {}
    weights = recipe.get("weights") or [1] * len(trial.proposed.members)
    counted = {1: "", 2: " (counted twice)"}
    named = [
        f"{member}{counted.get(weight, f' (counted {weight} times)')}"
        for member, weight in zip(trial.proposed.members, weights, strict=False)
    ]
    return f"trials {join_words(named)}"


def _epochs(trial: Trial, whole: int) -> str:
    return f"{trial.epochs} of {whole} epochs"


def _runs_in(trial: Trial) -> str:
    """The runtime and precision of an accelerated trial; else empty."""
    if trial.accelerated is None or trial.search_profile is None or trial.variant == Variant():
        return ""
    return f"It runs in {trial.variant.name}; before acceleration it took {trial.search_profile.latency_ms:.3g} ms."


def _standing(state: StudyState, trial: Trial) -> str:
    chosen = state.ended is not None and state.ended.chosen == trial.number
    standing = "It is the chosen model." if chosen else "It is on the front." if trial in state.front() else ""
    return f"{standing} {_tested(state, trial)}".strip()


def _tested(state: StudyState, trial: Trial) -> str:
    scores = state.tested.scores.get(trial.number, {}) if state.tested else {}
    metric = state.settings.metric
    return f"On the held-out test split: {metric} {scores[metric]:.4g}." if metric in scores else ""


def _log_files(trial: Trial) -> str:
    assert trial.result is not None
    there = [name for name, text in (("traceback.txt", trial.result.traceback), ("stdout.txt", trial.result.printed)) if text]
    return f"See {' and '.join(there)}." if there else ""


def _short(text: str) -> str:
    """The first line of an arbitrary text, without its full stop and with Markdown escaped."""
    return markdown(text.strip().partition("\n")[0].rstrip("."), LONGEST)
