"""A study seen from outside: what its journal says, and what one can do with its models."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_automl.errors import ExtraError, StudyError
from lepton_automl.events import ModelRegistered, Noted, StudyStarted, TestOpened
from lepton_automl.home import trial_folder
from lepton_automl.state import StudyState, Trial
from lepton_automl.values import Scored, ScoreJob

from .steer import Steering

if TYPE_CHECKING:  # and imported where they are used: `lepton status` does without them
    import optuna
    import pandas as pd

    from lepton_automl.execution.executor import Answer, Errand
    from lepton_automl.reporting.about_data import DataReport
    from lepton_automl.tracking.registry import ModelRecord
    from lepton_automl.tracking.tracker import Tracker
    from lepton_automl.widgets.dashboard import Dashboard

    from .model import Model

EVERY = 3.0  # seconds between two looks at a journal that is followed into MLflow


class Study(Steering):
    """A handle on a study, running or finished, from anywhere.

    Args:
        name: The study's name.
        home: Where it lives; by default `$LEPTON_HOME`, else `mlruns`.
    """

    @property
    def front(self) -> pd.DataFrame:
        """Every model worth having, from the best score to the fastest: one row a model."""
        import pandas as pd

        from lepton_automl.reporting.tables import front_columns, front_table

        return pd.DataFrame(front_table(self.state), columns=front_columns(self.state))

    @property
    def trials(self) -> pd.DataFrame:
        """Every candidate: knobs, scores, costs, and how it ended."""
        import pandas as pd

        from lepton_automl.reporting.tables import trial_table

        return pd.DataFrame(trial_table(self.state))

    @property
    def data(self) -> DataReport:
        """What was inferred about the data and why, what looks wrong with them, and how the rows were split.

        Printed, it is a few lines; its fields are those of a `DataSpec`: `notes`, `warnings`, `classes`, `train`.

        Example:
            >>> print(AutoML.attach("digits").data)  # doctest: +SKIP
            multiclass classification of label
            data: images of 8 x 8, grey
            rows: 1,150 rows to learn from, 288 to choose by, 359 sealed
            classes: 10 classes
            inferred: pixels from 0 (black) to 16 (white) are stored as bytes
        """
        from lepton_automl.reporting.about_data import DataReport

        return DataReport(**vars(self.state.settings.data))

    def to_optuna(self) -> optuna.Study:
        """The study as Optuna knows it, with every ended trial; see `search.to_optuna`."""
        from lepton_automl.search.to_optuna import to_optuna

        return to_optuna(self.state)

    def best(self, *, max_latency_ms: float | None = None, min_accuracy: float | None = None) -> Model:
        """A model from the front, chosen by validation scores only.

        Args:
            max_latency_ms: The best-scored model that is at least this fast.
            min_accuracy: The fastest model with at least this score, in the study's metric; with at most this error,
                where less is better.

        Returns:
            The knee of the front when nothing is asked.

        Raises:
            LimitError: Nothing on the front will do.
        """
        from .model import Model

        return Model(self, self.state.choose(max_latency_ms=max_latency_ms, min_score=min_accuracy).number)

    def model(self, trial: int) -> Model:
        """The model of one trial, on the front or not.

        Args:
            trial: Its number.

        Raises:
            ConfigError: There is no such trial.
            StudyError: It has no model.
        """
        from .model import Model

        known = self.state.trial(trial)
        if known.status != "complete":
            raise StudyError(f"trial {trial} has no model: it is {known.status}", where=self.name, fix="Take a complete one.")
        return Model(self, trial)

    def dashboard(self) -> Dashboard:
        """The study live in a notebook: what it does, its front, and buttons that drive it; as text where there is no page.

        It shows the whole study whenever it is made: after the kernel was restarted, in a second tab, when all has ended.

        Returns:
            A widget; its `model` is the one that a person took by the button "use".

        Raises:
            ExtraError: The packages for notebooks are not installed.
            LeptonError: As `state` does.

        Example:
            >>> AutoML.attach("digits").dashboard()  # doctest: +SKIP
        """
        try:
            from lepton_automl.widgets.dashboard import Dashboard
        except ImportError as error:
            fix = 'pip install "lepton-automl[notebook]"; follow() shows it as text.'
            raise ExtraError(f"the dashboard needs {error.name}", where=self.name, fix=fix) from error
        return Dashboard(Study(self.name, self.home), Study(self.name, self.home))

    def predict(self, raw: Any) -> Any:
        """What the chosen model answers; see `Model.predict`."""
        return self.best().predict(raw)

    def predict_proba(self, raw: Any) -> Any:
        """The chosen model's probabilities."""
        return self.best().predict_proba(raw)

    def export(self, out: str | Path, *, key: str | Path | None = None) -> Path:
        """The chosen model's bundle, copied to a folder, and signed where a key is given; see `Model.export`."""
        return self.best().export(out, key=key)

    def register(self, name: str | None = None, *, alias: str = "champion") -> str:
        """The chosen model as a version in the MLflow registry."""
        return self.best().register(name, alias=alias)

    def report(self, path: str | Path | None = None, *, progress: bool = True) -> Path:
        """Write the report: one HTML file that needs no network, for a reader who was not there.

        It says what was asked and what was found, shows the front to explore, why this model was chosen, what it gets wrong,
        how its speed is known, what mattered, what was stopped and why, what it cost and how to run it. Where the chosen
        model's errors have not been looked at yet, a worker does that first, which takes some ten seconds.

        Args:
            path: The file, or a folder to put `report.html` in; by default the study's own folder.
            progress: Whether a terminal shows what is being done.

        Returns:
            The file.

        Raises:
            ConfigError: The file cannot be written.
        """
        from .report import write_report

        return write_report(self, path, progress=progress)

    def evaluate_test(self) -> pd.DataFrame:
        """Open the sealed test split, once, and score the whole front.

        A second call returns what the first one found: choosing again after having looked would make the test worthless.

        Returns:
            The front with its test scores.

        Raises:
            StudyError: The study is still running, has no test split, or no model.
        """
        state = self.state
        if state.tested is None:
            self._check_whole()
            self._may_test(state)
            settings = state.settings
            bundles = {model.number: str(self.bundle(model.number)) for model in state.front()}
            data = settings.data.replace(folder=str(self.folder / "data"))
            scored = self.ask(ScoreJob(data=data, bundles=bundles, threads=settings.target.threads))
            assert isinstance(scored, Scored)
            self.note(TestOpened(at=time.time(), scores=scored.scores))
            self._mirror_or_warn(report=True)
        return self.front

    def ask(self, errand: Errand, told: Callable[[str], None] = lambda _: None) -> Answer:
        """The answer of a worker process that is started for an errand.

        Args:
            errand: What to do.
            told: Called with what is being done, where the errand says so.
        """
        from lepton_automl.execution.local import LocalExecutor

        from .begin import LONGEST

        executor = LocalExecutor(1, self.folder / "workers", threads=self.state.settings.target.threads, name=self.name)
        try:
            return executor.run(errand, told=told, limit=LONGEST)
        finally:
            executor.close()

    def _may_test(self, state: StudyState) -> None:
        if state.ended is None and self.home.running(self.name):
            fix = "Wait for its end: what is trained later would have no test score."
            raise StudyError("the study is still running", where=self.name, fix=fix)
        if not state.settings.data.test:
            raise StudyError("there is no test split", where=self.name, fix="Search again with a test share above 0.")
        if not state.front():
            raise state.no_model()

    def register_trial(self, trial: int, model: str, alias: str) -> str:
        """Make a trial's model a version in the MLflow registry; `Model.register` is the usual way."""
        from lepton_automl.tracking.registry import register

        self._check_whole()
        self._mend()
        record, store = self._record(self.state.trial(trial)), self.state.settings.tracking.uri
        version = register(record, model, home=self.home.folder, uri=store, alias=alias)
        self.note(ModelRegistered(at=time.time(), trial=trial, model=model, version=version, alias=alias))
        self._mirror_or_warn()
        return version

    def log_models(self) -> None:
        """Make MLflow show every model of the front at the run of its trial; what is there already is not copied again.

        A model that has left the front stays, and its tag `lepton.on_front` says so. Once the test is open, models and
        their registered versions tell its scores.

        Raises:
            StudyError: MLflow cannot be written.
        """
        from lepton_automl.tracking.registry import log_models

        self._mend()
        records = [self._record(trial) for trial in self.state.front()]
        log_models(self.name, records, home=self.home.folder, uri=self.state.settings.tracking.uri)

    def _record(self, trial: Trial) -> ModelRecord:
        """What MLflow is told of a finished trial's model."""
        from lepton_automl.tracking.facts import model_facts
        from lepton_automl.tracking.registry import ModelRecord

        return ModelRecord(
            bundle=self.bundle(trial.number),
            trial_uid=trial.proposed.uid,
            tags=model_facts(self.state, trial),
            threads=self.state.settings.target.threads,
        )

    def mlflow_page(self, trial: int) -> str:
        """The address of a trial's run in MLflow's pages, which are served to this machine until this process ends.

        Raises:
            ConfigError: There is no such trial.
            StudyError: MLflow has no such run yet, or its pages do not start.
        """
        from lepton_automl.tracking.page import run_page

        uid = self.state.trial(trial).proposed.uid
        return run_page(self.home.folder, self.name, uid, self.state.settings.tracking.uri)

    def bundle(self, trial: int) -> Path:
        """Where a finished trial's model lies; found from the study's own folder, which may have been moved."""
        return trial_folder(self.folder, trial) / "bundle"

    @property
    def tracking_uri(self) -> str:
        """The address of the MLflow store that shows the study."""
        from lepton_automl.tracking.place import tracking_uri

        return tracking_uri(self.home.folder, self.state.settings.tracking.uri)

    def sync(self, tracking_uri: str | None = None, *, follow: bool = False) -> int:
        """Bring an MLflow store level with the study, running or ended: its run, its trials' runs, its pages.

        It may be called again at any time, and writes what is missing there: after a server was down, or for one that was
        added later. Nothing is registered by it.

        Args:
            tracking_uri: The store, such as `"http://mlflow.example.com:5000"`; by default the one that the study was begun
                with. A server's password is taken from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
            follow: Whether to go on until the study ends.

        Returns:
            Ended trials, each of which is there once.

        Raises:
            ConfigError: The address bears a password.
            StudyError: MLflow cannot be written, or there is no such study.
        """
        tracker = self._tracker(tracking_uri)
        while follow and self.home.running(self.name):
            with contextlib.suppress(StudyError):  # tried again at the next look
                tracker.catch_up()
            time.sleep(EVERY)
        trials = tracker.check()
        self.mirror(tracking_uri)
        self.attach_report(tracking_uri)
        if tracker.place == self.state.settings.tracking and self.state.untracked:
            self.note(Noted(at=time.time(), text="MLflow is up to date again", subject="mlflow"))
        return trials

    def _tracker(self, tracking_uri: str | None = None) -> Tracker:
        from lepton_automl.tracking.tracker import Tracker

        if tracking_uri is None:
            self._mend()
        journal = self.home.journal(self.name)
        if self.damage and not any(isinstance(event, StudyStarted) for _, event in journal.read()):
            self._check_whole()  # raises: a tracker reads the journal alone, which does not tell what was asked
        return Tracker(journal, self.home.folder, uri=tracking_uri)

    def _mend(self) -> None:
        """Make a lost store of the home's own anew."""
        from lepton_automl.tracking.rebuild import rebuild_lost

        if not self.state.settings.tracking.uri:
            rebuild_lost(self.home.folder)

    def mirror(self, tracking_uri: str | None = None) -> None:
        """Bring MLflow up to the journal's end, with the picture and the table of the front, and the chosen model's card.

        Args:
            tracking_uri: Another store than the study's own.

        Raises:
            StudyError: MLflow cannot be written; the study itself is complete without it.
        """
        self.attach_front(self._tracker(tracking_uri))

    def attach_front(self, tracker: Tracker) -> None:
        """What `mirror` does, by a tracker that has read the journal already.

        Raises:
            StudyError: As `mirror`.
        """
        from lepton_automl.reporting.plots import front_html
        from lepton_automl.reporting.tables import front_table

        state = self.state
        files = {"front.html": front_html(state)}
        card = self.bundle(state.ended.chosen) / "README.md" if state.ended and state.ended.chosen is not None else None
        if card is not None and card.exists():
            files["card.md"] = card.read_text(encoding="utf-8")
        tracker.attach(files, {"front": front_table(state)})

    def attach_report(self, tracking_uri: str | None = None) -> None:
        """Leave the report, and all pictures on one page, at the study's run in MLflow.

        Args:
            tracking_uri: Another store than the study's own.

        Raises:
            StudyError: MLflow cannot be written.
        """
        from .report import pages

        self._tracker(tracking_uri).attach(pages(self))

    def _mirror_or_warn(self, *, report: bool = False) -> None:
        try:
            self.mirror()
            self.log_models()
            if report:
                self.attach_report()
        except StudyError as error:
            warnings.warn(str(error), stacklevel=3)
