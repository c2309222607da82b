"""Write records to MLflow by its client, without global state; existing runs are found by their tags."""

from __future__ import annotations

import contextlib
import csv
import functools
import getpass
import io
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from lepton_automl.errors import StudyError
from lepton_automl.log_levels import log_level
from lepton_automl.specs import Tracking

from .making import ensure_complete
from .moved import clear_artifact_cache, relocate_artifacts
from .pages import app_options
from .secrets import SERVERS, masked
from .store_lock import check_reachable, single_writer
from .tracking_uri import EXPERIMENT, SQLITE, tracking_uri
from .views import views

if TYPE_CHECKING:
    from mlflow.entities import Experiment, Run
    from mlflow.tracking import MlflowClient

    from .dataset import DatasetRecord
    from .records import RunRecord

MOST_METRICS, MOST_PARAMS = 800, 100  # in one batch; MLflow accepts 1,000 entities together
LONGEST = 5000  # characters of a tag or a parameter; MLflow accepts 8,000 and 6,000
TRAINING_VIEW = {"mlflow.experimentKind": "custom_model_development"}  # else the UI opens in its mode for language models
PARENT = "mlflow.parentRunId"
OWN_EXPERIMENT = Tracking()  # the default: an experiment of the study's own
# Error codes of MLflow for which a retry does not help.
REFUSALS = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "PERMISSION_DENIED", "UNAUTHENTICATED", "INVALID_STATE", "FEATURE_DISABLED", "ENDPOINT_NOT_FOUND"}  # fmt: skip
_LOGGERS = ("mlflow", "alembic", "urllib3")


class RefusedError(StudyError):
    """MLflow rejects the request; a retry does not help."""


def ui_command(home: str | Path, port: int = 5000, uri: str = "") -> list[str]:
    """The command that serves the MLflow UI of a store, reachable from this machine only.

    Args:
        home: The folder of all studies.
        port: The port to listen on.
        uri: A store other than the home's own.
    """
    artifacts = (Path(home).absolute() / "artifacts").as_uri()
    store_options = ["--backend-store-uri", tracking_uri(home, uri), "--default-artifact-root", artifacts]
    return [sys.executable, "-m", "mlflow", "ui", *store_options, *app_options(), "--host", "127.0.0.1", "--port", str(port)]


def pages_at(server: str, page: str = "") -> str:
    """The URL of a page of the MLflow UI, in its mode for model training.

    By default the UI opens in its mode for language models, which shows traces, but not a study's runs. MLflow 3.17 reads the
    mode only after the `#`. Links between a study's runs and models keep it; the link to one run drops it, so the UI that
    `ui_command` serves stores it too. On other servers the mode has to be chosen once.

    Args:
        server: The URL of the UI.
        page: The page, such as `"experiments/1/runs"`; by default the list of experiments.
    """
    return f"{server.rstrip('/')}/#/{page or 'experiments'}?workflowType=machine_learning"


@contextlib.contextmanager
def opened_store(home: Path, uri: str | None = None) -> Iterator[Store]:
    """Open a store, one process of this home at a time.

    Args:
        home: The folder of all studies.
        uri: A store other than the home's own.

    Raises:
        StudyError: MLflow cannot be reached or written; the journal has everything.
        RefusedError: MLflow rejects a request.
    """
    address = tracking_uri(home, uri or "")
    try:
        home.mkdir(parents=True, exist_ok=True)
        # MLflow creates its tables without a lock, and another process could create a run between its search and its creation.
        with single_writer(home, address), _quiet():
            check_reachable(address)
            ensure_complete(home, address)
            if address == tracking_uri(home):
                relocate_artifacts(home)
            clear_artifact_cache(address)
            yield Store(home, address)
    except StudyError:
        raise
    except Exception as error:
        fix = "Nothing is lost: the study's journal has everything. Repair the store, then `lepton sync STUDY` brings it up to date."
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        if "401" in reason:
            fix = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, then `lepton sync STUDY` brings it up to date."
        kind = RefusedError if getattr(error, "error_code", "") in REFUSALS else StudyError
        raise kind(f"MLflow cannot be written: {masked(reason)}", where=masked(address), fix=fix) from error


def deleted_experiment(name: str, number: str, uri: str) -> tuple[str, str]:
    """The error message for a deleted experiment, and its fix.

    Args:
        name: The experiment's name.
        number: Its id.
        uri: The store's URL.
    """
    what = f"the MLflow experiment {name!r} was deleted and has to be restored by hand"
    fix = (
        f"Restore it: MLFLOW_TRACKING_URI={masked(uri)} mlflow experiments restore --experiment-id {number}; or pass another one"
        " as `experiment=`, or choose another name for the study."
    )
    return what, fix


class Store:
    """An MLflow tracking store.

    Args:
        home: The folder of all studies; artifacts are in its `artifacts`, unless the store is a server with its own location.
        uri: The URL of the store.
    """

    def __init__(self, home: Path, uri: str) -> None:
        from mlflow.tracking import MlflowClient

        self.home, self.uri = Path(home).absolute(), uri
        self.client: MlflowClient = MlflowClient(tracking_uri=uri, registry_uri=uri)

    @property
    def shared(self) -> bool:
        """Whether processes outside this home may write to it at the same time."""
        return not self.uri.startswith(SQLITE)

    def experiment(self, study: str | None, place: Tracking = OWN_EXPERIMENT) -> str:
        """The id of an experiment, which is created if it does not exist.

        Args:
            study: The study; None for models that come from no study of this store.
            place: A requested experiment, by id or name.

        Raises:
            RefusedError: It was deleted.
            MlflowException: The requested id does not exist.
        """
        if place.experiment_id:
            self._raise_if_deleted(self.client.get_experiment(place.experiment_id))
            return place.experiment_id
        name = place.experiment or (f"{EXPERIMENT}{study}" if study else EXPERIMENT.rstrip("/"))
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            # No study's name starts with an underscore.
            folder = f"_{quote(name, safe='')}" if place.experiment else study or "_models"
            own = None if urlsplit(self.uri).scheme in SERVERS else (self.home / "artifacts" / folder).as_uri()
            number: str = self.client.create_experiment(name, artifact_location=own, tags=TRAINING_VIEW | views())
            return number
        self._raise_if_deleted(experiment)
        return str(experiment.experiment_id)

    def _raise_if_deleted(self, experiment: Experiment) -> None:
        if experiment.lifecycle_stage == "deleted":
            what, fix = deleted_experiment(experiment.name, str(experiment.experiment_id), self.uri)
            raise RefusedError(what, where=masked(self.uri), fix=f"{fix} Then `lepton sync STUDY` brings it up to date.")

    def experiments(self) -> list[str]:
        """Ids of all experiments that are not deleted."""
        return [str(experiment.experiment_id) for experiment in _pages(self.client.search_experiments)]

    def find(self, experiments: Sequence[str], key: tuple[str, str]) -> Run | None:
        """The run with a tag, in any of some experiments.

        Args:
            experiments: Ids of the experiments to look in.
            key: The tag and its value.
        """
        if not experiments:
            return None
        runs = self.client.search_runs(list(experiments), _has_tag(key), max_results=1)
        return runs[0] if runs else None

    def runs(self, experiment: str, key: tuple[str, str] | None, since_ms: int = 0) -> list[Run]:
        """All runs of an experiment, or those with a tag, in order of their ids, which is the same for every process.

        Args:
            experiment: The experiment's id.
            key: The tag and its value; None for any run.
            since_ms: Only runs that started then or later, in milliseconds since the epoch.
        """
        wanted = " and ".join([*([_has_tag(key)] if key else []), f"attributes.start_time >= {since_ms}"])
        runs = _pages(functools.partial(self.client.search_runs, [experiment], wanted))
        return sorted(runs, key=lambda run: str(run.info.run_id))

    def create(self, experiment: str, record: RunRecord, parent: str = "") -> str:
        """Create a run for a record, with only the tags that identify it; return its id."""
        tags = dict([record.key]) | {"mlflow.source.name": "lepton_automl", "mlflow.source.type": "LOCAL"}
        if parent:
            tags[PARENT] = parent
        with contextlib.suppress(OSError, KeyError):  # the user of a container may have no name
            tags["mlflow.user"] = getpass.getuser()
        run = self.client.create_run(experiment, start_time=record.start_ms, tags=tags, run_name=record.name)
        return str(run.info.run_id)

    def drop(self, experiment: str, run_id: str) -> None:
        """Delete a run and its children; MLflow keeps their rows until `mlflow gc`."""
        for child in self.runs(experiment, (PARENT, run_id)):
            self.client.delete_run(child.info.run_id)
        self.client.delete_run(run_id)

    def fill(self, run_id: str, record: RunRecord) -> None:
        """Write a record to its run; writing it again changes nothing.

        The tags come last, as one of them may mark the record as complete.
        """
        for path, text in record.texts.items():
            self.client.log_text(run_id, text, path)
        if record.status:
            self._set_status(run_id, record)
        if record.dataset:
            self.log_dataset(run_id, record.dataset)
        self._log(run_id, record)

    def _set_status(self, run_id: str, record: RunRecord) -> None:
        """Set the run's status and end, in one call; `set_terminated` would also request the run and print its URL."""
        from mlflow.entities import RunStatus

        status = RunStatus.from_string(record.status)
        self.client._tracking_client.store.update_run_info(run_id, status, record.end_ms, None)  # noqa: SLF001  # see above

    def _log(self, run_id: str, record: RunRecord) -> None:
        from mlflow.entities import Metric, Param, RunTag

        params = [Param(name, value[:LONGEST]) for name, value in record.params.items()]
        tags = [RunTag(name, value[:LONGEST]) for name, value in record.tags.items()]
        metrics = [Metric(point.name, point.value, point.ms, point.step) for point in record.metrics]
        batches: list[Any] = list(zip_longest(_chunks(metrics, MOST_METRICS), _chunks(params, MOST_PARAMS), fillvalue=[]))
        *earlier, last = batches or [([], [])]
        for some_metrics, some_params in earlier:
            self.client.log_batch(run_id, metrics=some_metrics, params=some_params)
        self.client.log_batch(run_id, metrics=last[0], params=last[1], tags=tags)

    def log_dataset(self, run_id: str, record: DatasetRecord) -> None:
        """Log the dataset of a run."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"uri": record.source})
        dataset = Dataset(record.name, record.digest[:36], "local", source, record.schema, record.profile)
        self.client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "search")])])

    def attach(self, run_id: str, path: str, content: str | bytes) -> None:
        """Write a file as an artifact, replacing one of the same path."""
        if isinstance(content, str):
            self.client.log_text(run_id, content, path)
            return
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / Path(path).name
            file.write_bytes(content)
            parent = str(Path(path).parent)
            self.client.log_artifact(run_id, str(file), None if parent == "." else parent)

    def attach_table(self, run_id: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows as a table that MLflow can show and compare, and as CSV.

        `log_table` would append to an existing table, so its format is written here.

        Args:
            run_id: The run.
            name: The file name, without an extension.
            rows: The rows, all with the same keys.
        """
        columns = list(rows[0]) if rows else []
        data = [list(row.values()) for row in rows]
        self.client.log_text(run_id, json.dumps({"columns": columns, "data": data}), f"{name}.json")
        text = io.StringIO()
        csv.writer(text).writerows([columns, *data])
        self.client.log_text(run_id, text.getvalue(), f"{name}.csv")
        tables = json.loads(self.client.get_run(run_id).data.tags.get("mlflow.loggedArtifacts", "[]"))
        entry = {"path": f"{name}.json", "type": "table"}
        if entry not in tables:
            self.client.set_tag(run_id, "mlflow.loggedArtifacts", json.dumps([*tables, entry]))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the log messages of migrations; errors are raised anyway."""
    _import_mlflow()  # first, as it sets up its loggers
    with log_level(logging.CRITICAL, _LOGGERS):
        yield


def _import_mlflow() -> None:
    import mlflow.tracking  # noqa: F401  # takes 1 to 2 s, so only when needed


def _has_tag(key: tuple[str, str]) -> str:
    return f"tags.`{key[0]}` = '{key[1]}'"


def _pages(search: Callable[..., Any]) -> list[Any]:
    """All results of a paged search of MLflow."""
    items, token = [], None
    while True:
        page = search(max_results=1000, page_token=token)
        items.extend(page)
        token = page.token
        if not token:
            return items


def _chunks(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
