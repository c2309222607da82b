"""The card at the end of a search: what the chosen model is, and what to do with it next."""

from __future__ import annotations

import ipywidgets as w

from lepton_automl.events import AliasMoved, ModelRegistered
from lepton_automl.reporting import narrative
from lepton_automl.reporting.labels import clean, html_text
from lepton_automl.reporting.latency import latency_range, latency_text
from lepton_automl.reporting.references import is_network_worth_it
from lepton_automl.reporting.tables import network, score_interval, tested_interval
from lepton_automl.state import StudyState
from lepton_automl.task import task_of
from lepton_automl.texts import many
from lepton_automl.trial import Trial

from .code import CodeView
from .drawing import DIM, LINE, Drawing
from .model_actions import ModelActions
from .protocols import StudySnapshot
from .view import View, button

SURE = "open it now, once"
TEST = "open the test split"
SHOW, HIDE = "show code", "hide code"
CHAMPION = "champion"
Fact = tuple[str, str]  # a figure, and what it is


class DoneView(View):
    """The card; hidden until the study has ended.

    Args:
        do: The actions of its buttons.
        export_to: The folder for exports, which can be edited.
    """

    def __init__(self, do: ModelActions, export_to: str) -> None:
        self._do, self._trial = do, -1
        self.text, self.code_view = w.HTML(), CodeView(do)
        self.folder = w.Text(export_to, layout={"width": "150px"}, tooltip="The folder to export to")
        self.test = button(TEST, self._test, tip="Score the whole front on the sealed test split. This can be done once.")
        self.export = button(
            "export to", lambda: do.export(self._trial, self.folder.value), tip="Copy its bundle to the folder"
        )
        self.register = button("register", lambda: do.register(self._trial, CHAMPION), tip="Register it in MLflow as champion")
        self.report = button("write the report", do.report, tip="Write report.html to the study's folder")
        self.code = button(SHOW, self._code, tip="The code that trains this network")
        self.cancel = button("cancel", self._leave_sealed, tip="Leave the test split sealed")
        self.cancel.layout.display = "none"
        row = w.Box(
            [w.HBox([self.export, self.folder]), self.test, self.cancel, self.register, self.report, self.code],
            layout={"flex_flow": "row wrap"},
        )
        self._row = row
        super().__init__(self.text, row, self.code_view, classes=("l-done",))
        self.layout.display = "none"

    def draw(self, snapshot: StudySnapshot) -> None:
        """Show the card if the study has ended."""
        state = snapshot.state
        self.layout.display = "" if snapshot.status == "ended" else "none"
        if snapshot.status != "ended":
            return
        model = narrative.chosen_model(state)
        self.text.value = done_html(state)
        self._row.layout.display = "none" if model is None else ""
        if model is None:
            return
        if model.number != self._trial:
            self._trial = model.number
            self._hide_code()
            self.code.layout.display = "" if self._do.has_code(model.number) else "none"
        sealed = bool(state.settings.data.test) and state.tested is None
        self.test.layout.display = "" if sealed else "none"
        if not sealed:
            self._leave_sealed()
        champion = CHAMPION in aliases(state, model)
        self.register.description = "registered" if champion else "register"
        self.register.disabled = champion

    def _test(self) -> None:
        """Ask once more before the test split is opened."""
        if self.test.description == TEST:
            self.test.description, self.test.button_style, self.cancel.layout.display = SURE, "warning", ""
            return
        self._leave_sealed()
        self._do.test()

    def _leave_sealed(self) -> None:
        self.test.description, self.test.button_style, self.cancel.layout.display = TEST, "", "none"

    def _code(self) -> None:
        """Show the code, or hide it."""
        if self.code.description == HIDE:
            self._hide_code()
        else:
            self._do.code(self._trial, self._show_code)

    def _show_code(self, code: str) -> None:
        self.code_view.show(self._trial, code)
        self.code.description = HIDE

    def _hide_code(self) -> None:
        self.code_view.hide()
        self.code.description = SHOW


def done_html(state: StudyState) -> str:
    """The card as HTML without scripts."""
    model = narrative.chosen_model(state)
    if model is None:
        return f'<div class="l-head"><span class="l-name">No model</span></div><p>{html_text(state.no_model().fix, 1000)}</p>'
    listed = "".join(
        f"<div><b>{html_text(figure)}</b><span>{html_text(what)}</span></div>" for figure, what in facts(state, model)
    )
    lines = "".join(f"<div>{html_text(line, 600)}</div>" for line in remarks(state, model))
    return (
        f'<div class="l-head"><span class="l-name">Done: {html_text(title(state, model))}</span></div>'
        f'<div class="l-dim">{html_text(network(model), 200)}</div><div class="l-cards">{listed}</div>{lines}'
    )


def title(state: StudyState, model: Trial) -> str:
    """What was found, in a few words."""
    data = state.settings.data
    return f"trial {model.number} predicts {task_of(data).what(data, repr(clean(data.target, 60)))}"


def facts(state: StudyState, model: Trial) -> list[Fact]:
    """The figures of the chosen model."""
    assert model.profile is not None
    tested = state.tested.scores.get(model.number, {}).get(state.settings.metric) if state.tested else None
    name, latency = narrative.metric(state), model.profile.latency
    rows = state.settings.deployment.batch_size
    shown = [
        (narrative.format_score(state, state.score(model)), f"{name}, validation{_ends(state, score_interval(state, model))}")
    ]
    if tested is not None:
        shown.append((narrative.format_score(state, tested), f"{name}, test{_ends(state, tested_interval(state, model))}"))
    elif state.settings.data.test:
        shown.append(("sealed", f"{name} on {many(state.settings.data.test, 'test row')}"))
    ends = latency_range(latency.low, latency.high)
    return [
        *shown,
        (latency_text(latency.median), f"per call of {many(rows, 'row')} ({ends})"),
        (narrative.format_size(model.profile.size_bytes), many(model.profile.parameters, "parameter")),
    ]


def remarks(state: StudyState, model: Trial) -> list[str]:
    """What else is worth knowing about it, in sentences."""
    known = registration(state, model)
    return [line for line in (*is_network_worth_it(state), narrative.refit_sentence(state), known) if line]


def registration(state: StudyState, model: Trial) -> str:
    """Under which version the model is registered, in a sentence; empty if it is not."""
    for event in reversed(state.registered):
        if event.trial == model.number:
            named = sorted(aliases(state, model))
            alias = f", alias {' and '.join(named)}" if named else ""
            return f"Registered in MLflow as {event.model}, version {event.version}{alias}."
    return ""


def aliases(state: StudyState, model: Trial) -> set[str]:
    """The aliases of a registered model, as far as the journal knows: they are moved from version to version."""
    versions = {(event.model, event.version) for event in state.registered if event.trial == model.number}
    moves: list[ModelRegistered | AliasMoved] = [*state.registered, *state.alias_moves]
    holders = {(event.model, event.alias): event.version for event in sorted(moves, key=lambda event: event.at)}
    return {alias for (name, alias), version in holders.items() if alias and (name, version) in versions}


def draw_done(drawing: Drawing, state: StudyState) -> None:
    """Draw the card in a static picture."""
    model = narrative.chosen_model(state)
    drawing.y += 4
    drawing.line((drawing.left, drawing.y), (drawing.right, drawing.y), colour=LINE)
    if model is None:
        drawing.flow([[("No model", {"size": 16, "bold": True})]], down=26)
        drawing.paragraph(state.no_model().fix)
        return
    drawing.flow([[(f"Done: {title(state, model)}", {"size": 16, "bold": True})]], down=26)
    drawing.paragraph(network(model), colour=DIM)
    drawing.flow(
        [[(figure, {"bold": True, "size": 14}), (what, {"colour": DIM, "size": 11})] for figure, what in facts(state, model)]
    )
    for line in remarks(state, model):
        drawing.paragraph(line)


def _ends(state: StudyState, ends: tuple[float, float] | None) -> str:
    return f" ({narrative.format_interval(state, ends, 'to')})" if ends else ""
