"""A study as its user sees it: state, models, report and control."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lepton_automl.errors import ExtraError, LeptonError
from lepton_automl.events import Event, UserNote
from lepton_automl.state import StudyState
from lepton_automl.study_store import StudyStore
from lepton_automl.texts import many

from .client import Status, StudyClient
from .control import StudyControl
from .models import StudyModels
from .tracking import StudyTracking

if TYPE_CHECKING:  # and imported where they are used: `lepton status` does without them
    import optuna
    import pandas as pd

    from lepton_automl.reporting.about_data import DataReport
    from lepton_automl.widgets.dashboard import Dashboard
    from lepton_automl.widgets.side_by_side import SideBySide

    from .model import StudyModel
    from .report import StudyReport


class Study:
    """A study, running or finished, from any process. Keeps no file open.

    The most common methods are here; the rest is in its attributes.

    Args:
        name: The study's name.
        home: The folder of all studies; by default `$LEPTON_HOME`, else `mlruns`.

    Attributes:
        client: Reads its journal.
        control: Sends commands to its search: limits, pinned hyperparameters, configurations to try.
        models: Its finished models, by trial number.
        report: Writes its report.
        tracking: Publishes it in MLflow.
        stop_signal: The signal by which the search was stopped while this process waited for it; 0 if there was none.
    """

    def __init__(self, name: str, home: str | Path | StudyStore | None = None) -> None:
        self.client = StudyClient(name, home)
        self.control = StudyControl(self.client)
        self.tracking = StudyTracking(self.client)
        self.models = StudyModels(self.client)
        self.stop_signal = 0

    def __repr__(self) -> str:
        try:
            status, state = self.status, self.state
        except LeptonError as error:
            return f"<Study {self.name}: {error.what}>"
        return f"<Study {self.name}: {status}, {many(len(state.trials), 'trial')}, {many(len(state.front()), 'model')} on the front>"

    @property
    def report(self) -> StudyReport:
        """Writes the report of the study: `study.report.write()`."""
        from .report import StudyReport

        return StudyReport(self.client)

    # State

    @property
    def name(self) -> str:
        """The study's name."""
        return self.client.name

    @property
    def home(self) -> StudyStore:
        """The store that holds the study."""
        return self.client.home

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self.client.folder

    @property
    def state(self) -> StudyState:
        """The state of the study, up to the journal's last event.

        Raises:
            StudyError: There is no such study.
            LeptonError: It could not start; the error gives the reason, as `LimitError` does.
        """
        return self.client.state

    @property
    def status(self) -> Status:
        """The status of the study; see `StudyClient.status`."""
        return self.client.status

    @property
    def front(self) -> pd.DataFrame:
        """The models of the Pareto front, from the best score to the fastest: one row per model."""
        return self.models.front

    @property
    def trials(self) -> pd.DataFrame:
        """Every candidate: hyperparameters, scores, costs, and how it ended."""
        import pandas as pd

        from lepton_automl.reporting.tables import trial_table

        return pd.DataFrame(trial_table(self.state))

    @property
    def data(self) -> DataReport:
        """What was inferred about the data and why, possible problems in them, and how the rows were split.

        It prints as a few lines; its fields are those of a `DataSpec`: `notes`, `warnings`, `classes`, `train`.

        Example:
            >>> print(open_study("digits").data)  # doctest: +SKIP
            multiclass classification of label
            data: images of 8 x 8, grey
            rows: 1,150 training, 288 validation, 359 held-out test
            classes: 10 classes
            inferred: pixels from 0 (black) to 16 (white) are stored as bytes
        """
        from lepton_automl.reporting.about_data import DataReport

        return DataReport(**vars(self.state.settings.data))

    def add_note(self, text: str, *, trial: int | None = None) -> None:
        """Write a note into the study's journal: why it was started, what was seen in it, what was decided.

        Args:
            text: The note.
            trial: The trial that it is about; None for the study.

        Raises:
            ConfigError: The note is empty or too long, or there is no such trial.
            StudyError: The study has not begun, or its journal cannot be written.
        """
        from .notes import add_note

        add_note(self.client, text, trial)

    @property
    def notes(self) -> tuple[UserNote, ...]:
        """The notes on the study, in the order written; each has `at` (seconds since the epoch), `text` and `trial`."""
        return tuple(self.state.user_notes)

    def to_optuna(self) -> optuna.Study:
        """The study as an Optuna study, with every ended trial; see `search.to_optuna`."""
        from lepton_automl.search.to_optuna import to_optuna

        return to_optuna(self.state)

    # Its models

    def best(
        self,
        *,
        max_latency_ms: float | None = None,
        min_score: float | None = None,
        limits: Mapping[str, float] | None = None,
        knee: bool = False,
    ) -> StudyModel:
        """A model from the front, chosen by validation scores only; see `StudyModels.best`."""
        return self.models.best(max_latency_ms=max_latency_ms, min_score=min_score, limits=limits, knee=knee)

    def model(self, trial: int) -> StudyModel:
        """The model of one trial, on the front or not: `study.models[trial]`."""
        return self.models[trial]

    def predict(self, raw: Any, *, coverage: float | None = None) -> Any:
        """The predictions of the chosen model, or its sets or intervals at a coverage; see `StudyModel.predict`."""
        return self.best().predict(raw, coverage=coverage)

    def predict_proba(self, raw: Any) -> Any:
        """The chosen model's probabilities."""
        return self.best().predict_proba(raw)

    def export(self, out: str | Path, *, key: str | Path | None = None) -> Path:
        """Copy the chosen model's bundle to a folder, and sign it if a key is given; see `StudyModel.export`."""
        return self.best().export(out, key=key)

    def code(self, trial: int | None = None, out: str | Path | None = None) -> str:
        """A short script that trains the network of one trial again, with plain Lightning and parts of this package.

        The data, the network, the augmentation, the loss, the optimiser and the number of epochs are written out, so that they
        can be edited. It reaches the trial's score, give or take the noise of training.

        Args:
            trial: The trial's number, whether it was finished or not; None for the chosen model.
            out: A file to write it to, which ends in `.py` or `.ipynb` (a notebook); None to write none.

        Returns:
            The script.

        Raises:
            ConfigError: There is no such trial, or the file has another ending or cannot be written.
            LimitError: No trial is given, and there is no model.
        """
        from .code import trial_code

        return trial_code(self.client, self.best().number if trial is None else trial, out)

    def register(self, name: str | None = None, *, alias: str = "champion") -> str:
        """Register the chosen model as a version in the MLflow registry; see `StudyModel.register`."""
        return self.best().register(name, alias=alias)

    def evaluate_test(self) -> pd.DataFrame:
        """Open the sealed test split, once, and score the whole front; see `StudyModels.evaluate_test`."""
        return self.models.evaluate_test()

    # Watching and controlling it

    def dashboard(self) -> Dashboard:
        """A live view of the study in a notebook: its progress, its front, and buttons to control it; text if there is no page.

        It shows the whole study whenever it is created: after a kernel restart, in a second tab, or when all has ended.

        Returns:
            A widget; its `model` is the one that was last loaded by the button "load in notebook".

        Raises:
            ExtraError: The packages for notebooks are not installed.
            LeptonError: As `state` does.

        Example:
            >>> open_study("digits").dashboard()  # doctest: +SKIP
        """
        try:
            from lepton_automl.widgets.dashboard import Dashboard
        except ImportError as error:
            fix = 'pip install "lepton-automl[notebook]"; follow() shows it as text.'
            raise ExtraError(f"the dashboard needs {error.name}", where=self.name, fix=fix) from error
        return Dashboard(StudyClient(self.name, self.home), Study(self.name, self.home))

    def beside(self, other: str | Study) -> SideBySide:
        """This study and another one side by side in a notebook: their requests, their results, and both fronts on the same axes.

        Scores and latencies that may not be compared, such as those of two machines, are named, and their axes are not shared.

        Args:
            other: The other study, or its name in the same home.

        Raises:
            ExtraError: The packages for notebooks are not installed.
            LeptonError: As `state` does, for either.

        Example:
            >>> open_study("digits").beside("digits-larger")  # doctest: +SKIP
        """
        try:
            from lepton_automl.widgets.side_by_side import SideBySide
        except ImportError as error:
            fix = 'pip install "lepton-automl[notebook]"; print(study.front) shows one study as text.'
            raise ExtraError(f"studies side by side need {error.name}", where=self.name, fix=fix) from error
        second = other if isinstance(other, Study) else Study(other, self.home)
        clients = StudyClient(self.name, self.home).check(), StudyClient(second.name, second.home).check()
        return SideBySide((self.name, second.name), clients)

    def follow(self, *callbacks: Callable[[Event, Any], None], progress: bool = True) -> Self:
        """Show the study until its end; interrupting this (Ctrl-C) ends only the view.

        Args:
            *callbacks: Called as `f(event, study)` for every event, from the first one on.
            progress: Whether to show anything.

        Raises:
            LeptonError: It could not start, or its process is lost.
        """
        from lepton_automl.reporting.terminal import Progress

        from .follow import Follower

        with Progress(shown=progress) as window:
            Follower(self, window, callbacks).run()
        return self

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the study has ended and its model is registered; see `StudyClient.wait`."""
        self.client.wait(timeout)
        return self

    def pause(self) -> None:
        """Pause all trials; see `StudyControl.pause`."""
        self.control.pause()

    def resume(self, *, trust: bool = False) -> None:
        """Continue after a pause, an early stop or a lost process; see `StudyControl.resume`."""
        self.control.resume(trust=trust)

    def stop(self, *, wait: bool = True, grace: float | None = None) -> None:
        """End the search and keep its results; see `StudyControl.stop`."""
        self.control.stop(wait=wait, grace=grace)

    def extend(
        self,
        *,
        minutes: float | None = None,
        trials: int | None = None,
        epochs: int | None = None,
        cost: float | None = None,
    ) -> None:
        """Add to the budget; a study that has ended continues; see `StudyControl.extend`."""
        self.control.extend(minutes=minutes, trials=trials, epochs=epochs, cost=cost)


def open_study(name: str, home: str | Path | None = None, *, trust: bool = False) -> Study:
    """Open an existing study, running or finished.

    Args:
        name: The study's name.
        home: The folder of all studies; by default `$LEPTON_HOME`, else `mlruns`.
        trust: Whether code that it carries, such as the factory of custom networks, may run here; remembered for this
            user by its digest. Opening a study runs none of it; continuing its search does.

    Raises:
        StudyError: There is no such study; the message lists the existing ones.
    """
    study = Study(name, home)
    study.client.check()
    if trust:
        study.control.trust()
    return study
