"""The text that a store shows at the top of a study's run."""

from __future__ import annotations

from lepton_automl.state import StudyState, Trial

MOST = 30  # rows; a tag has room for 8,000 characters


def note(state: StudyState) -> str:
    """A study in Markdown: what was asked, how it stands, the front."""
    config = state.settings
    limit = config.target.max_latency_ms
    asked = f"{config.target.device}, {config.target.threads} thread(s), batch of {config.target.batch_size}"
    lines = [
        f"Models for **{config.data.name}**: {config.metric} on the validation split against latency on {asked}"
        + (f", at most {limit:g} ms." if limit else "."),
        "",
        f"{len(state.trials)} trials so far." if not state.ended else f"{len(state.trials)} trials. {state.ended.reason}",
    ]
    if state.paused:
        lines.append(f"Paused: {state.paused.reason}")
    front = state.front()
    if front:
        lines += ["", f"| trial | {config.metric} | latency, ms | size, KiB | parameters |", "|--:|--:|--:|--:|--:|"]
        lines += [_row(state, trial) for trial in front[:MOST]]
    warned = [event.text for event in state.notes if event.level != "info"][-5:]
    return "\n".join([*lines, *(f"\n> {text[:300]}" for text in warned)])


def _row(state: StudyState, trial: Trial) -> str:
    profile = trial.profile
    chosen = " (chosen)" if state.ended and state.ended.chosen == trial.number else ""
    costs = f"{profile.latency_ms:.3g} | {profile.size_bytes / 1024:.3g} | {profile.parameters:,}" if profile else " | | "
    return f"| {trial.number}{chosen} | {state.score(trial):.4g} | {costs} |"
