"""Recorded tables, read without torch."""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lepton_automl.objective import Direction
from lepton_automl.plans import PrunePlan
from lepton_automl.profile import Measurement, Profile
from lepton_automl.recipe import Recipe, recipe_from_json
from lepton_automl.space import Config, Space
from lepton_automl.specs import DataSpec, Deployment
from lepton_automl.task import direction_of

FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Row:
    """One configuration, trained in full.

    Args:
        id: The row's id; it does not change when rows are added.
        origin: `"design"`, `"random"`, `"local"` (a good row with one or two hyperparameters resampled) or `"child"`.
        parent: Id of the row whose weights a child inherited; -1 for a fresh network.
        config: All hyperparameters.
        recipe: The final shape.
        score: The table's metric after each epoch, with the averaged weights; NaN before pruning, and after a failure.
        second_score: The second metric, in the same way.
        final_score: The metric of the exported artifact, which has the weights of the epoch with the best validation loss; NaN if
            the row failed.
        final_second_score: The second metric, in the same way.
        epoch_seconds: CPU seconds of one epoch of the final shape on one thread, including scoring; NaN if unknown.
        weighing_seconds: CPU seconds until the untrained network is exported and timed; NaN if unknown.
        packing_seconds: CPU seconds from the last epoch until the artifact is exported, checked, scored and timed.
        latency_ms: Latency of one call in deployment; if the row failed, a rough latency of the untrained network.
        latency_low: Lower end of its 95 % interval.
        latency_high: Its upper end.
        size_bytes: Size of the exported file.
        parameters: Number of weights.
        epochs: Planned number of epochs; fewer for a child, which only recovers.
        failure: Why there is no artifact; empty if there is one.
    """

    id: int
    origin: str
    parent: int
    config: Config
    recipe: Recipe
    score: tuple[float, ...]
    second_score: tuple[float, ...]
    final_score: float
    final_second_score: float
    epoch_seconds: float
    weighing_seconds: float
    packing_seconds: float
    latency_ms: float
    latency_low: float
    latency_high: float
    size_bytes: int
    parameters: int
    epochs: int
    failure: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of one data set and deployment, with everything that a search needs.

    Args:
        name: `"digits"`, `"fashion"` or `"housing"`.
        about: The data, in a sentence.
        rows: The rows by id.
        spec: The description of the prepared data, which no longer exist.
            deployment: The deployment that latencies were measured for.
        space: The space of all configurations.
        prune: When a fresh network is pruned.
        metric: The metric of `score`.
        second: The metric of `second_score`.
        epochs: Number of epochs of a fresh row.
        child_epochs: Number of epochs of a child.
        hosts: Machines that it was recorded on.
        torch: Versions of torch that it was recorded with.
        date: First and last day of recording.
    """

    name: str
    about: str
    rows: tuple[Row, ...]
    spec: DataSpec
    deployment: Deployment
    space: Space
    prune: PrunePlan
    metric: str
    second: str
    epochs: int
    child_epochs: int
    hosts: tuple[str, ...]
    torch: tuple[str, ...]
    date: tuple[str, str]

    @property
    def direction(self) -> Direction:
        """Whether the metric is maximised or minimised."""
        return direction_of(self.metric)

    @functools.cached_property
    def fresh(self) -> tuple[Row, ...]:
        """Rows with new networks, including failed ones."""
        return tuple(row for row in self.rows if row.parent < 0)

    @functools.cached_property
    def full(self) -> tuple[Row, ...]:
        """Fresh rows that were completed."""
        return tuple(row for row in self.fresh if not row.failure)

    @functools.cached_property
    def _children(self) -> dict[int, tuple[Row, ...]]:
        children: dict[int, list[Row]] = defaultdict(list)
        for row in self.rows:
            if row.parent >= 0:
                children[row.parent].append(row)
        return {parent: tuple(born) for parent, born in children.items()}

    def children(self, row_id: int) -> tuple[Row, ...]:
        """Rows that inherited this one's weights."""
        return self._children.get(row_id, ())

    @functools.cached_property
    def by_id(self) -> dict[int, Row]:
        """Each row by its id."""
        return {row.id: row for row in self.rows}

    def profile(self, row: Row) -> Profile:
        """The costs of the row's artifact, as a trial would report them."""
        latency = _measured("latency", row, "thread_cpu", self.hosts[0])
        return Profile(
            latency=latency,
            wall=_measured("wall", row, "wall", self.hosts[0]),
            size_bytes=row.size_bytes,
            parameters=row.parameters,
        )


def _measured(name: str, row: Row, clock: str, host: str) -> Measurement:
    low, high = row.latency_low, row.latency_high
    return Measurement(
        name=name, unit="ms", median=row.latency_ms, low=low, high=high, p5=low, p95=high, n=25, clock=clock, host=host
    )


def path(name: str) -> Path:
    """The path of a table."""
    return FOLDER / f"{name}.parquet"


@functools.lru_cache(maxsize=8)
def load(name: str) -> Table:
    """Read a table; see `names` for the available ones."""
    import pyarrow.parquet as pq

    content = pq.read_table(path(name))
    header: dict[str, Any] = json.loads(content.schema.metadata[b"leptonbench"])
    return Table(
        name=name,
        about=header["about"],
        rows=tuple(_row(line) for line in content.to_pylist()),
        spec=DataSpec.from_json(header["spec"]),
        deployment=Deployment.from_json(header["deployment"]),
        space=Space.from_json(header["space"]),
        prune=PrunePlan.from_json(header["prune"]),
        metric=header["metric"],
        second=header["second"],
        epochs=header["epochs"],
        child_epochs=header["child_epochs"],
        hosts=tuple(header["hosts"]),
        torch=tuple(header["torch"]),
        date=(header["date"][0], header["date"][1]),
    )


def names() -> list[str]:
    """The names of all recorded tables."""
    return sorted(file.stem for file in FOLDER.glob("*.parquet"))


_NAMES = tuple(field.name for field in fields(Row))


def _row(line: dict[str, Any]) -> Row:
    values = {name: line[name] for name in _NAMES}
    parsed = {
        "config": json.loads(line["config"]),
        "recipe": recipe_from_json(json.loads(line["recipe"])),
        "score": tuple(line["score"]),
        "second_score": tuple(line["second_score"]),
    }
    return Row(**values | parsed)
