"""A study in MLflow: kept up to date, with its plots and its report."""

from __future__ import annotations

import contextlib
import time
import warnings
from typing import TYPE_CHECKING

from lepton_automl.errors import StudyError
from lepton_automl.events import ModelRegistered, Noted, StudyStarted
from lepton_automl.trial import Trial

from .client import StudyClient

if TYPE_CHECKING:
    from lepton_automl.tracking.registry import ModelRecord
    from lepton_automl.tracking.tracker import Tracker

EVERY = 3.0  # seconds between two reads of a journal that is followed in MLflow


class StudyTracking:
    """Publishes a study in MLflow.

    Args:
        study: The study.
    """

    def __init__(self, study: StudyClient) -> None:
        self._study = study

    @property
    def uri(self) -> str:
        """The address of the MLflow store that shows the study."""
        from lepton_automl.tracking.tracking_uri import tracking_uri

        return tracking_uri(self._study.home.folder, self._study.state.settings.tracking.uri)

    def page(self, trial: int) -> str:
        """The address of a trial's run in MLflow's pages, which are served locally until this process ends.

        Raises:
            ConfigError: There is no such trial.
            StudyError: MLflow has no such run yet, or its pages do not start.
        """
        from lepton_automl.tracking.page import run_page

        uid = self._study.state.trial(trial).proposed.uid
        return run_page(self._study.home.folder, self._study.name, uid, self._study.state.settings.tracking.uri)

    def sync(self, tracking_uri: str | None = None, *, follow: bool = False) -> int:
        """Bring an MLflow store up to date with the study, running or ended: its run, its trials' runs, its pages.

        This can be called at any time and writes what is missing, such as after a server was down, or to a server that was
        added later. It registers nothing.

        Args:
            tracking_uri: The store, such as `"http://mlflow.example.com:5000"`; by default the one that the study was started
                with. A server's user and password are read from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
            follow: Whether to continue until the study ends.

        Returns:
            The number of ended trials, each of which is there once.

        Raises:
            ConfigError: The URI contains a password.
            StudyError: MLflow cannot be written, or there is no such study.
        """
        tracker = self._tracker(tracking_uri)
        while follow and self._study.home.running(self._study.name):
            with contextlib.suppress(StudyError):  # tried again at the next read
                tracker.catch_up()
            time.sleep(EVERY)
        trials = tracker.check()
        self.mirror(tracking_uri)
        self.attach_report(tracking_uri)
        if tracker.place == self._study.state.settings.tracking and self._study.state.mlflow_trouble:
            self._study.note(Noted(at=time.time(), text="MLflow is up to date again", subject="mlflow"))
        return trials

    def mirror(self, tracking_uri: str | None = None) -> None:
        """Bring MLflow up to the journal's end, with the plot and the table of the front, and the chosen model's card.

        Args:
            tracking_uri: A store other than the study's own.

        Raises:
            StudyError: MLflow cannot be written; the study itself is complete without it.
        """
        self.attach_front(self._tracker(tracking_uri))

    def attach_front(self, tracker: Tracker) -> None:
        """Do what `mirror` does, with a tracker that has read the journal already.

        Raises:
            StudyError: As `mirror`.
        """
        from lepton_automl.reporting.plots import front_html
        from lepton_automl.reporting.tables import front_table

        state = self._study.state
        files = {"front.html": front_html(state)}
        card = self._study.bundle(state.ended.chosen) / "README.md" if state.ended and state.ended.chosen is not None else None
        if card is not None and card.exists():
            files["card.md"] = card.read_text(encoding="utf-8")
        tracker.attach(files, {"front": front_table(state)})

    def attach_report(self, tracking_uri: str | None = None) -> None:
        """Attach the report, all plots on one page, and what matters to the chosen model, to the study's run in MLflow.

        Args:
            tracking_uri: A store other than the study's own.

        Raises:
            StudyError: MLflow cannot be written.
        """
        from .report import importance_files, pages

        files, tables = importance_files(self._study)
        self._tracker(tracking_uri).attach(pages(self._study) | files, tables)

    def _tracker(self, tracking_uri: str | None = None) -> Tracker:
        from lepton_automl.tracking.tracker import Tracker

        if tracking_uri is None:
            self.ensure_store()
        journal = self._study.home.journal(self._study.name)
        if self._study.damage and not any(isinstance(event, StudyStarted) for _, event in journal.read()):
            self._study.check_intact()  # raises: a tracker reads only the journal, which lacks the configuration
        return Tracker(journal, self._study.home.folder, uri=tracking_uri)

    def ensure_store(self) -> None:
        """Rebuild the home's own store if it is lost."""
        from lepton_automl.tracking.rebuild import rebuild_lost

        if not self._study.state.settings.tracking.uri:
            rebuild_lost(self._study.home.folder)

    def register(self, trial: int, model: str, alias: str) -> str:
        """Register a trial's model as a version in the MLflow registry; `StudyModel.register` is the usual way."""
        from lepton_automl.tracking.registry import register

        self._study.check_intact()
        self.ensure_store()
        record, store = self._record(self._study.state.trial(trial)), self._study.state.settings.tracking.uri
        version = register(record, model, home=self._study.home.folder, uri=store, alias=alias)
        self._study.note(ModelRegistered(at=time.time(), trial=trial, model=model, version=version, alias=alias))
        self.mirror_or_warn()
        return version

    def log_models(self) -> None:
        """Log every model of the front at the run of its trial in MLflow; models that are there already are not copied again.

        A model that has left the front stays, and its tag `lepton.on_front` says so. Once the test split is evaluated,
        models and their registered versions have its scores.

        Raises:
            StudyError: MLflow cannot be written.
        """
        from lepton_automl.tracking.registry import log_models

        self.ensure_store()
        records = [self._record(trial) for trial in self._study.state.front()]
        log_models(self._study.name, records, home=self._study.home.folder, uri=self._study.state.settings.tracking.uri)

    def mirror_or_warn(self, *, report: bool = False) -> None:
        """`mirror` and `log_models`, with a warning if MLflow cannot be written."""
        try:
            self.mirror()
            self.log_models()
            if report:
                self.attach_report()
        except StudyError as error:
            warnings.warn(str(error), stacklevel=3)

    def _record(self, trial: Trial) -> ModelRecord:
        """The record of a finished trial's model for MLflow."""
        from lepton_automl.tracking.facts import model_facts
        from lepton_automl.tracking.registry import ModelRecord

        return ModelRecord(
            bundle=self._study.bundle(trial.number),
            trial_uid=trial.proposed.uid,
            tags=model_facts(self._study.state, trial),
            threads=self._study.state.settings.deployment.threads,
        )
