"""Records into MLflow, by its client alone: nothing global is set, and what is there already is found again."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import getpass
import io
import json
import logging
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_automl.errors import StudyError

from .views import views

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

    from .dataset import DatasetRecord
    from .records import RunRecord

MOST_METRICS, MOST_PARAMS = 800, 100  # in one batch; MLflow takes 1,000 things together
LONGEST = 5000  # characters of a tag or a parameter; MLflow takes 8,000 and 6,000
EXPERIMENT = "lepton/"
TRAINING_VIEW = {"mlflow.experimentKind": "custom_model_development"}  # else the UI opens on its pages for language models
_LOUD = ("mlflow", "alembic", "urllib3")


def tracking_uri(home: str | Path) -> str:
    """The address of a home's own store: a SQLite file."""
    return f"sqlite:///{Path(home).absolute() / 'mlflow.db'}"


def ui_command(home: str | Path, port: int = 5000) -> list[str]:
    """The command that serves MLflow's pages over a home's store, to this machine alone.

    Args:
        home: The folder of all studies.
        port: Where to listen.
    """
    artifacts = (Path(home).absolute() / "artifacts").as_uri()
    where = ["--backend-store-uri", tracking_uri(home), "--default-artifact-root", artifacts]
    return [sys.executable, "-m", "mlflow", "ui", *where, "--host", "127.0.0.1", "--port", str(port)]


@contextlib.contextmanager
def opened_store(home: Path, uri: str | None = None) -> Iterator[Store]:
    """A store for a moment, for one process at a time.

    Args:
        home: The folder of all studies.
        uri: Another store than the home's own.

    Raises:
        StudyError: MLflow cannot be reached or written; the journal has everything.
    """
    address = uri or tracking_uri(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with open(home / "mlflow.lock", "w") as lock, _quiet():
            # MLflow makes its tables without a lock; and between looking for a run and making it, another could make it.
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Store(home, address)
    except StudyError:
        raise
    except Exception as error:
        fix = "Nothing is lost: the journal has everything. Mend the store; the study's next event, such as a registration, brings it up to date."
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise StudyError(f"MLflow cannot be written: {reason}", where=address, fix=fix) from error


class Store:
    """An MLflow tracking store.

    Args:
        home: The folder of all studies; artifacts of the home's own store lie in `artifacts` there.
        uri: Its address.
    """

    def __init__(self, home: Path, uri: str) -> None:
        from mlflow.tracking import MlflowClient

        self.home, self.uri = Path(home).absolute(), uri
        self.client: MlflowClient = MlflowClient(tracking_uri=uri, registry_uri=uri)

    def experiment(self, study: str | None) -> str:
        """The id of an experiment, which comes to be, or comes back, where it is not.

        Args:
            study: The study that it is for; None for models that come from no study of this store.
        """
        name = f"{EXPERIMENT}{study}" if study else EXPERIMENT.rstrip("/")
        found = self.client.get_experiment_by_name(name)
        if found is None:
            own = (self.home / "artifacts" / (study or "_models")).as_uri()  # no study's name begins with an underscore
            made: str = self.client.create_experiment(
                name, artifact_location=own if self.uri == tracking_uri(self.home) else None, tags=TRAINING_VIEW | views()
            )
            return made
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def find(self, experiments: Sequence[str], key: tuple[str, str]) -> Run | None:
        """The run that bears a tag, of whichever experiment.

        Args:
            experiments: Ids of the experiments to look in.
            key: The tag and its value.
        """
        if not experiments:
            return None
        runs = self.client.search_runs(list(experiments), f"tags.`{key[0]}` = '{key[1]}'", max_results=1)
        return runs[0] if runs else None

    def write(self, experiment: str, record: RunRecord, parent: str | None = None) -> str | None:
        """Write one record; writing it again changes nothing.

        Args:
            experiment: The experiment's id.
            record: What is to be written.
            parent: The run that this one belongs to.

        Returns:
            The run's id; None for a change to a run that is not there.
        """
        found = self.find([experiment], record.key)
        if found is None and not record.whole:
            return None
        run_id = found.info.run_id if found else self._create(experiment, record, parent)
        self._log(run_id, record)
        for path, text in record.texts.items():
            self.client.log_text(run_id, text, path)
        if record.end_ms is not None:
            self.client.set_terminated(run_id, record.status, record.end_ms)
        elif record.status and (found is None or found.info.status != record.status):
            self.client.update_run(run_id, status=record.status)
        return str(run_id)

    def _create(self, experiment: str, record: RunRecord, parent: str | None) -> str:
        tags = dict([record.key]) | {"mlflow.source.name": "lepton_automl", "mlflow.source.type": "LOCAL"}
        if parent:
            tags["mlflow.parentRunId"] = parent
        with contextlib.suppress(OSError, KeyError):  # a container's user may have no name
            tags["mlflow.user"] = getpass.getuser()
        run = self.client.create_run(experiment, start_time=record.start_ms, tags=tags, run_name=record.name)
        return str(run.info.run_id)

    def _log(self, run_id: str, record: RunRecord) -> None:
        from mlflow.entities import Metric, Param, RunTag

        params = [Param(name, value[:LONGEST]) for name, value in record.params.items()]
        tags = [RunTag(name, value[:LONGEST]) for name, value in record.tags.items()]
        metrics = [Metric(point.name, point.value, point.ms, point.step) for point in record.metrics]
        batches: list[Any] = list(zip_longest(_chunks(metrics, MOST_METRICS), _chunks(params, MOST_PARAMS), fillvalue=[]))
        *earlier, last = batches or [([], [])]
        for some_metrics, some_params in earlier:
            self.client.log_batch(run_id, metrics=some_metrics, params=some_params)
        # Tags come last: one of them may say that all else is there.
        self.client.log_batch(run_id, metrics=last[0], params=last[1], tags=tags)

    def log_dataset(self, run_id: str, record: DatasetRecord) -> None:
        """Say what data a run used."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"uri": record.source})
        dataset = Dataset(record.name, record.digest[:36], "local", source, record.schema, record.profile)
        self.client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "search")])])

    def attach(self, run_id: str, path: str, content: str | bytes) -> None:
        """A file as an artifact, in place of one of the same path."""
        if isinstance(content, str):
            self.client.log_text(run_id, content, path)
            return
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / Path(path).name
            file.write_bytes(content)
            parent = str(Path(path).parent)
            self.client.log_artifact(run_id, str(file), None if parent == "." else parent)

    def attach_table(self, run_id: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows as a table that MLflow can show and compare, and as CSV.

        `log_table` would add to a table that is there already, so its format is written here.

        Args:
            run_id: The run.
            name: The files' name, without an ending.
            rows: All with the same keys.
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
    """Without the chatter of migrations; what goes wrong is raised anyway."""
    loggers = [logging.getLogger(name) for name in _LOUD]
    _import_mlflow()  # which sets its loggers up, so it comes first
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _import_mlflow() -> None:
    import mlflow.tracking  # noqa: F401  # 1 to 2 s, so not before it is needed


def _chunks(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
