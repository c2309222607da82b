"""The dashboard of a study: all views on one page, updated from its journal, with controls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import ipywidgets as w

from lepton_automl.error_analysis import ErrorAnalysis
from lepton_automl.errors import LeptonError
from lepton_automl.permutation_importance import PermutationImportance
from lepton_automl.reporting.tables import chosen_trial
from lepton_automl.study_store import StudyStore

from .actions import Actions
from .controls import Controls
from .curves import curves_view, growth_view, timeline_view
from .dataset import DatasetView
from .detail import DetailView
from .done import DoneView
from .drawing import Drawing
from .front import FrontView
from .importance import ImportanceView
from .log import LogView
from .model_actions import ModelActions
from .notes import NotesView
from .picture import Script
from .poller import EVERY, Poller
from .protocols import OVER, StudyDriver, StudyReader, StudySnapshot
from .run import RunView
from .slices import SlicesView
from .static_view import PersistentBox
from .table import TableView
from .text_view import draw_snapshot, study_text
from .view import View, free_clicks

PICTURE_EVERY = 15.0  # seconds between static pictures, which are saved with the notebook
TICK = 1.0  # seconds between updates of the clock, and between polls of a study that has ended: it may be resumed elsewhere


class Dashboard(PersistentBox):
    """Shows a study during and after its search, and controls it. Made by `Study.dashboard()`.

    A thread follows the journal until `close()`. Only the selected tab is drawn. Without a page the dashboard prints itself
    as text.

    Args:
        watch: Reads the study; used by this dashboard alone.
        drive: Sends commands to the study.

    Attributes:
        model: The model that was last loaded by the button "load in notebook"; None before.
    """

    def __init__(self, watch: StudyReader, drive: StudyDriver) -> None:
        self.model: Any = None
        self._watch, self._drive = watch, drive
        self._poller = Poller(self._poll)
        self._drawing = threading.RLock()
        self._chosen: int | None = None  # by the user
        self._default: int | None = None  # by the study; shown until the user chooses
        self._shown = -TICK
        self._snapshot = self._look()
        self.actions = Actions(self.refresh)
        self._do = ModelActions(drive, self.actions, self._load)
        self.run, self.controls = RunView(), Controls(drive, self.actions)
        self.done = DoneView(self._do, f"{drive.name}-model")
        self.decisions = LogView()
        self.front = FrontView(self.choose, self.controls.limit)
        self.table = TableView(self.choose)
        self.detail = DetailView(self.choose, self._buttons(), f"{drive.name}-model")
        self.views: dict[str, View] = {
            "front": self.front,
            "curves": curves_view(self.choose),
            "importance": ImportanceView(),
            "slices": SlicesView(self.choose),
            "growth": growth_view(self.choose),
            "timeline": timeline_view(self.choose),
            "trials": self.table,
            "data": DatasetView(),
            "notes": NotesView(self._do.note),
            "log": self.decisions,
        }
        self.tabs = w.Tab(children=list(self.views.values()), titles=list(self.views))
        self.tabs.observe(lambda _: self.draw(), "selected_index")
        main = w.Box([self.tabs, self.detail])
        main.add_class("l-main")
        super().__init__(Script(), self.run, self.controls, self.done, main)
        self.decisions.take(self._snapshot.state, self._snapshot.news)
        self.draw()
        free_clicks(self)
        self._poller.start()

    # Views

    def refresh(self) -> None:
        """Update at once, and continue following the study if it can be read again."""
        if self._poll() is not None:
            self._poller.start()

    def choose(self, trial: int) -> None:
        """Show a trial's details."""
        with self._drawing:
            if trial in self._snapshot.state.trials:
                self._chosen = trial
                self._snapshot = StudySnapshot(**{**vars(self._snapshot), "chosen": trial, "news": ()})
                self.draw()

    def draw(self) -> None:
        """Draw the visible views."""
        with self._drawing:
            snapshot = self._snapshot
            self._shown = time.monotonic()
            self.run.draw(snapshot)
            self.controls.draw(snapshot)
            self.done.draw(snapshot)
            view = list(self.views.values())[self.tabs.selected_index or 0]
            view.draw(snapshot)
            free_clicks(view)  # some create their widgets when first drawn
            self.detail.draw(snapshot)

    def show(self) -> None:
        """Display the dashboard below the running cell."""
        from IPython.display import display

        display(self)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Stop following the study and remove the dashboard from the page."""
        self._poller.end()
        super().close()

    def _look(self) -> StudySnapshot:
        status, state, news = self._watch.poll()
        over = status in OVER
        if news or self._default is None:
            self._default = chosen_trial(state) if state.config else None
        chosen = self._default if self._chosen is None else self._chosen
        return StudySnapshot(
            state=state, status=status, now=state.last_at if over else time.time(), news=tuple(news), chosen=chosen
        )

    def _poll(self) -> float | None:
        """Read the study and draw the changes; return the seconds until the next poll, None if it cannot be read any more."""
        with self._drawing:
            try:
                before, self._snapshot = self._snapshot, self._look()
                self.decisions.take(self._snapshot.state, self._snapshot.news)
                changed = bool(self._snapshot.news) or self._snapshot.status != before.status
                if changed:
                    self.draw()
                elif time.monotonic() > self._shown + TICK and self._snapshot.status == "running":
                    self._shown = time.monotonic()
                    self.run.draw(self._snapshot)
            except LeptonError as error:
                self.actions.show(str(error), bad=True)
                return None
            over = self._snapshot.status in OVER
            if changed or not over:
                self.keep(0.0 if over else PICTURE_EVERY)
            return TICK if over else EVERY

    # Actions

    def _buttons(self) -> dict[str, Callable[[int], object]]:
        """The actions of the buttons beside a trial's details."""
        do = self._do
        return {
            "use": do.use,
            "champion": lambda n: do.register(n, "champion"),
            "challenger": lambda n: do.register(n, "challenger"),
            "export": lambda n: do.export(n, self.detail.folder.value),
            "retune": do.retune,
            "examine": lambda n: do.examine(n, self._show_errors),
            "importance": lambda n: do.importance(n, self._show_importance),
            "mlflow": do.mlflow,
        }

    def _load(self, model: Any) -> None:
        self.model = model

    def _show_errors(self, analysis: ErrorAnalysis) -> None:
        with self._drawing:
            self.detail.show_error_analysis(analysis)

    def _show_importance(self, importance: PermutationImportance) -> None:
        with self._drawing:
            self.detail.show_importance(importance)

    # Text and picture

    def __repr__(self) -> str:
        return study_text(self._snapshot)

    @property
    def restore_code(self) -> str:
        """The Python code that shows it in another kernel."""
        usual = StudyStore().path(self._drive.name).resolve() == self._drive.folder.resolve()
        home = "" if usual else f", home={str(self._drive.folder.parents[1])!r}"
        return f"open_study({self._drive.name!r}{home}).dashboard()"

    def picture(self, drawing: Drawing) -> None:
        """Draw the study as it is now."""
        draw_snapshot(drawing, self._snapshot, self.restore_code)
