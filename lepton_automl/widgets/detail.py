"""The chosen trial: its network, scores and costs, and the actions on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets as w

from lepton_automl.error_analysis import ErrorAnalysis
from lepton_automl.permutation_importance import PermutationImportance
from lepton_automl.profile import Measurement
from lepton_automl.reporting.cost_axes import other_costs
from lepton_automl.reporting.labels import html_text
from lepton_automl.reporting.latency import in_unit, latency_range, latency_text, latency_unit
from lepton_automl.reporting.losses import losses_sentence, losses_svg
from lepton_automl.reporting.permutation_importance import importance_html
from lepton_automl.reporting.tables import last_score, with_interval
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .errors import error_analysis_html
from .network import network_svg, shape_of
from .protocols import StudySnapshot
from .run import trial_status
from .style import GREY
from .view import View, button

NO_TRIAL = '<p class="l-dim">Click a point on the front or a row of the table, or enter a trial number.</p>'


class DetailView(View):
    """The details of one trial, and its buttons.

    Args:
        choose: Called with the number of a trial that is entered.
        actions: The actions of the buttons, each called with the trial's number: `use`, `champion`, `challenger`, `export`, `retune`,
            `mlflow`, `examine`, `importance`.
        export_to: The folder for exports, which can be edited.
    """

    def __init__(self, choose: Callable[[int], None], actions: dict[str, Callable[[int], object]], export_to: str) -> None:
        self._trial: int | None = None
        self._choose = choose
        self.number = w.BoundedIntText(
            description="trial", min=0, max=0, layout={"width": "150px"}, style={"description_width": "40px"}
        )
        self.number.observe(self._typed, "value")
        self.text = w.HTML(NO_TRIAL)
        self.folder = w.Text(export_to, description="export to", layout={"width": "98%"}, style={"description_width": "64px"})
        self.examined = w.HTML()
        self.buttons = {name: button(text, partial(self._do, actions[name]), tip=tip) for name, (text, tip) in BUTTONS.items()}
        self._models_only = [
            self.buttons[name] for name in ("use", "champion", "challenger", "export", "examine", "importance")
        ]
        row = w.Box([*self.buttons.values()], layout={"flex_flow": "row wrap"})
        super().__init__(self.number, self.text, row, self.folder, self.examined, classes=("l-detail",))

    def draw(self, snapshot: StudySnapshot) -> None:
        """Show the chosen trial as it is now."""
        state = snapshot.state
        trial = state.trials.get(-1 if snapshot.chosen is None else snapshot.chosen)
        with self.quietly():
            self.number.max = max(state.trials, default=0)
            if trial:
                self.number.value = trial.number
        if trial and trial.number != self._trial:
            self.examined.value = ""
        self._trial = trial.number if trial else None
        self.text.value = detail_html(state, trial) if trial else NO_TRIAL
        ready = trial is not None and trial.status == "complete"
        for control in self.buttons.values():
            control.disabled = trial is None or (control in self._models_only and not ready)

    def show_error_analysis(self, analysis: ErrorAnalysis) -> None:
        """Show what the chosen model gets wrong."""
        if analysis.trial == self._trial:
            self.examined.value = error_analysis_html(analysis)

    def show_importance(self, importance: PermutationImportance) -> None:
        """Show what matters to the chosen model."""
        if importance.trial == self._trial:
            self.examined.value = f"<h4>what matters to it</h4>{importance_html(importance)}"

    def _typed(self, change: dict[str, Any]) -> None:
        if not self._hold:
            self._choose(change["new"])

    def _do(self, act: Callable[[int], object]) -> None:
        if self._trial is not None:
            act(self._trial)


BUTTONS = {
    "use": ("load in notebook", "Load this model into the notebook, as dashboard.model"),
    "champion": ("register as champion", "Register this model in MLflow with the alias champion"),
    "challenger": ("register as challenger", "Register this model in MLflow with the alias challenger"),
    "export": ("export", "Copy its bundle to the folder below"),
    "retune": ("try variations", "Let the search try similar networks next"),
    "examine": ("show errors", "Confusion matrix or residuals, and the worst predictions"),
    "importance": ("show importance", "The columns, or the regions of the image, that matter to it"),
    "mlflow": ("MLflow", "Open its run in MLflow on this machine"),
}


def detail_html(state: StudyState, trial: Trial) -> str:
    """The details of a trial from the journal, as HTML without scripts."""
    result = trial.result
    shape = network_svg(shape_of(trial))
    facts = _facts(state, trial)
    rows = "".join(f"<tr><th>{html_text(name)}</th><td>{html_text(value)}</td></tr>" for name, value in facts.items() if value)
    why = f'<p class="l-dim">{html_text(result.reason)}</p>' if result and result.reason else ""
    return (
        f"<h4>trial {trial.number}: {html_text(trial_status(state, trial))}</h4>{shape}"
        f'<table class="l-plain">{rows}</table>{why}{_losses(state, trial)}{_latency(trial)}{_hyperparameters(trial)}{_tried(state, trial)}'
    )


def _facts(state: StudyState, trial: Trial) -> dict[str, str]:
    profile, score = trial.profile, last_score(state, trial)
    origin = trial.proposed.origin + (f" of trial {trial.proposed.parent}" * trial.is_child)
    ends = trial.resampled.intervals if trial.resampled else {}
    scores = {} if score is None else {state.settings.metric: score}
    known = {name: with_interval(f"{value:.4f}", ends.get(name)) for name, value in (scores | trial.scores).items()}
    if state.tested and trial.number in state.tested.scores:
        tested = state.tested.intervals.get(trial.number, {})
        known |= {
            f"test {name}": with_interval(f"{value:.4f}", tested.get(name))
            for name, value in state.tested.scores[trial.number].items()
        }
    if trial.is_ensemble:
        known["mean of"] = "trials " + ", ".join(map(str, trial.proposed.members))
    if trial.proposed.teachers:
        known["taught by"] = "trials " + ", ".join(map(str, trial.proposed.teachers))
    if trial.number in state.merged:
        known["merged into"] = f"trial {state.merged[trial.number]}, from which it differs too little"
    if profile:
        low, high = profile.latency.low, profile.latency.high
        known |= {
            "latency": f"{latency_text(profile.latency_ms, 4)} per call ({latency_range(low, high)}, 95 %)",
            "size": f"{profile.size_bytes / 1e3:,.1f} kB, {profile.parameters:,} parameters",
            **{cost.label: cost.show(trial) for cost in other_costs(state)},
            "arithmetic": f"{profile.macs:,} multiply-accumulates" if profile.macs else "",
            "runs in": trial.variant.name if trial.status == "complete" else "",
        }
    return known | {"origin": origin, "epochs": "" if trial.is_ensemble else str(trial.epochs)}


def _losses(state: StudyState, trial: Trial) -> str:
    """Training beside validation loss."""
    drawn = losses_svg(state, trial)
    said = losses_sentence(state, trial)
    return f'<h4>loss</h4>{drawn}<p class="l-dim">{html_text(said, 400)}</p>' if drawn else ""


def _latency(trial: Trial) -> str:
    """The distribution of its latency: 5 % to 95 % as a line, the interval of the median as a box."""
    if not trial.profile:
        return ""
    rows = {"CPU time": trial.profile.latency, "wall clock": trial.profile.wall}
    most = max(row.p95 for row in rows.values()) or 1.0
    unit = latency_unit([most])
    drawn = "".join(_whisker(name, row, 20 * number, most, unit) for number, (name, row) in enumerate(rows.items()))
    return (
        '<h4>latency</h4><svg role="img" aria-label="distribution of the latency" viewBox="0 0 360 52" font-size="10" '
        f'style="width:min(100%,420px)">{drawn}<text x="90" y="50">0</text>'
        f'<text x="300" y="50" text-anchor="end">{in_unit(most, unit):.3g} {unit}</text></svg>'
    )


def _whisker(name: str, measurement: Measurement, top: float, most: float, unit: str) -> str:
    low, left, at, right, high = (
        90 + 210 * value / most
        for value in (measurement.p5, measurement.low, measurement.median, measurement.high, measurement.p95)
    )
    return (
        f"<g><title>{name}: median {measurement.median:.4g} ms, 5 % {measurement.p5:.4g}, 95 % {measurement.p95:.4g}, n {measurement.n}</title>"
        f'<text x="0" y="{top + 14}">{name}</text><line x1="{low:.1f}" x2="{high:.1f}" y1="{top + 10}" y2="{top + 10}" '
        f'stroke="{GREY}" stroke-width="2"/><rect x="{left:.1f}" width="{max(right - left, 1):.1f}" y="{top + 4}" height="12" '
        f'fill="#56B4E9"/><line x1="{at:.1f}" x2="{at:.1f}" y1="{top + 2}" y2="{top + 18}" stroke="#D55E00" stroke-width="2"/>'
        f'<text x="306" y="{top + 14}">{in_unit(measurement.median, unit):.3g}</text></g>'
    )


def _hyperparameters(trial: Trial) -> str:
    rows = "".join(
        f"<tr><th>{html_text(name)}</th><td>{html_text(f'{value:.4g}' if isinstance(value, float) else value)}</td></tr>"
        for name, value in trial.proposed.config.items()
    )
    if not rows:
        return ""
    return f'<details><summary>hyperparameters</summary><table class="l-plain">{rows}</table></details>'


def _tried(state: StudyState, trial: Trial) -> str:
    """The runtimes and precisions that were tried for it."""
    if not trial.accelerated:
        return ""

    def row(variant: Any) -> str:
        score = variant.scores.get(state.settings.metric)
        cells = (
            variant.variant.name,
            latency_text(variant.latency.median) if variant.latency else "",
            "" if score is None else f"{score:.4f}",
            variant.outcome,
        )
        return "".join(f"<td>{html_text(text)}</td>" for text in cells)

    rows = "".join(f"<tr>{row(variant)}</tr>" for variant in trial.accelerated.tried)
    return f'<details><summary>runtimes tried</summary><table class="l-plain">{rows}</table></details>'
