"""The dashboard of a study: all views on one page, that follow its journal and drive it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import ipywidgets as w

from lepton_automl.errors import LeptonError
from lepton_automl.study_store import StudyStore

from .actions import Acts
from .controls import Controls
from .curves import curves_view, growth_view, timeline_view
from .detail import DetailView
from .drawing import Drawing
from .front import FrontView
from .importance import ImportanceView
from .log import LogView
from .picture import Script
from .poller import EVERY, Pulse
from .protocols import OVER, Driven, Moment, Watched
from .run import RunView
from .static_view import Lasting
from .table import TableView
from .text_view import draw_snapshot, text_face
from .view import View, free_clicks

STILL = 15.0  # seconds between still pictures, which are saved with the notebook
TICK = 1.0  # seconds between looks at the clock while something runs, and at a study that is over: it may be taken up elsewhere


class Dashboard(Lasting):
    """Shows a study while it runs and thereafter, and drives it. Made by `Study.dashboard()`.

    A thread follows the journal until `close()`. What is on a page that nobody looks at is not drawn. Where there is no page at
    all, the dashboard prints itself as text.

    Args:
        watch: The study, to be looked at; by nobody else.
        drive: The study, to be asked.

    Attributes:
        model: The model that was taken by the button "use"; None before.
    """

    def __init__(self, watch: Watched, drive: Driven) -> None:
        self.model: Any = None
        self._watch, self._drive = watch, drive
        self._pulse = Pulse(self._beat)
        self._drawing = threading.RLock()
        self._chosen: int | None = None
        self._shown = -TICK
        self._moment = self._look()
        self.acts = Acts(self.refresh)
        self.run, self.controls = RunView(), Controls(drive, self.acts)
        self.decisions = LogView()
        self.front = FrontView(self.choose, self.controls.limit)
        self.table = TableView(self.choose)
        self.detail = DetailView(self.choose, self._buttons(), f"{drive.name}-model")
        self.views: dict[str, View] = {
            "front": self.front,
            "curves": curves_view(self.choose),
            "importance": ImportanceView(),
            "growth": growth_view(self.choose),
            "time line": timeline_view(self.choose),
            "trials": self.table,
            "log": self.decisions,
        }
        self.tabs = w.Tab(children=list(self.views.values()), titles=list(self.views))
        self.tabs.observe(lambda _: self.draw(), "selected_index")
        main = w.Box([self.tabs, self.detail])
        main.add_class("l-main")
        super().__init__(Script(), self.run, self.controls, main)
        self.decisions.take(self._moment.state, self._moment.news)
        self.draw()
        free_clicks(self)
        self._pulse.start()

    # What is seen

    def refresh(self) -> None:
        """Look at once, and go on following where the study can be seen again."""
        if self._beat() is not None:
            self._pulse.start()

    def choose(self, trial: int) -> None:
        """Show a trial's details."""
        with self._drawing:
            if trial in self._moment.state.trials:
                self._chosen = trial
                self._moment = Moment(**{**vars(self._moment), "chosen": trial, "news": ()})
                self.draw()

    def draw(self) -> None:
        """Draw what is in sight."""
        with self._drawing:
            moment = self._moment
            self._shown = time.monotonic()
            self.run.draw(moment)
            self.controls.draw(moment)
            view = list(self.views.values())[self.tabs.selected_index or 0]
            view.draw(moment)
            free_clicks(view)  # some make their widgets when they are first seen
            self.detail.draw(moment)

    def show(self) -> None:
        """Put the dashboard below the cell that runs."""
        from IPython.display import display

        display(self)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Look no more, and take the dashboard off the page."""
        self._pulse.end()
        super().close()

    def _look(self) -> Moment:
        status, state, news = self._watch.poll()
        over = status in OVER
        return Moment(
            state=state, status=status, now=state.last_at if over else time.time(), news=tuple(news), chosen=self._chosen
        )

    def _beat(self) -> float | None:
        """Look, and draw what is new; the seconds until there may be more, None where nothing can be seen any more."""
        with self._drawing:
            try:
                before, self._moment = self._moment, self._look()
                self.decisions.take(self._moment.state, self._moment.news)
                changed = bool(self._moment.news) or self._moment.status != before.status
                if changed:
                    self.draw()
                elif time.monotonic() > self._shown + TICK and self._moment.status == "running":
                    self._shown = time.monotonic()
                    self.run.draw(self._moment)
            except LeptonError as error:
                self.acts.say(str(error), bad=True)
                return None
            over = self._moment.status in OVER
            if changed or not over:
                self.keep(0.0 if over else STILL)
            return TICK if over else EVERY

    # What is done

    def _buttons(self) -> dict[str, Callable[[int], object]]:
        drive, do = self._drive, self.acts.do

        def use(trial: int) -> str:
            self.model = drive.model(trial)
            return f"dashboard.model is trial {trial}"

        def register(trial: int, alias: str) -> str:
            version = drive.model(trial).register(alias=alias)
            return f"trial {trial} is {drive.name} version {version}, {alias}"

        def export(trial: int) -> str:
            return f"its bundle is in {drive.model(trial).export(self.detail.folder.value)}"

        def retune(trial: int) -> str:
            drive.control.retune(trial)
            return f"neighbours of trial {trial} are tried next"

        def code(trial: int, rest: str = "") -> str:
            return f"open_study({drive.name!r}).model({trial}){rest}"

        return {
            "use": lambda n: do("taking", lambda: use(n), code=f"model = {code(n)}"),
            "champion": lambda n: (
                do("registering", lambda: register(n, "champion"), code=code(n, '.register(alias="champion")')) and None
            ),
            "challenger": lambda n: (
                do("registering", lambda: register(n, "challenger"), code=code(n, '.register(alias="challenger")')) and None
            ),
            "export": lambda n: (
                do("exporting", lambda: export(n), code=code(n, f".export({self.detail.folder.value!r})")) and None
            ),
            "retune": lambda n: do("asking", lambda: retune(n), code=f"study.control.retune({n})"),
            "examine": lambda n: do("examining", lambda: self._examine(n), code=code(n, ".analyze_errors()")),
            "mlflow": lambda n: do("opening MLflow", lambda: drive.tracking.page(n)),
        }

    def _examine(self, trial: int) -> str:
        found = self._drive.model(trial).analyze_errors(progress=False)
        with self._drawing:
            self.detail.show_examined(found)
        return f"trial {trial} examined"

    # Where there is no page

    def __repr__(self) -> str:
        return text_face(self._moment)

    @property
    def revival(self) -> str:
        """The Python that shows it in another kernel."""
        usual = StudyStore().path(self._drive.name).resolve() == self._drive.folder.resolve()
        home = "" if usual else f", home={str(self._drive.folder.parents[1])!r}"
        return f"open_study({self._drive.name!r}{home}).dashboard()"

    def picture(self, drawing: Drawing) -> None:
        """Draw the study as it is now."""
        draw_snapshot(drawing, self._moment, self.revival)
