"""How accurate the bottleneck report is: the sum of its layers' times, and the actual against the predicted gain of a change."""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from scipy.stats import spearmanr

from lepton_automl.bottleneck import Bottleneck, Change
from lepton_automl.data.open import Data, open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.deployment.export import export
from lepton_automl.measurement_lock import MeasurementLock
from lepton_automl.measuring.latency import baseline_latency
from lepton_automl.modalities.image.recipe import Block, ConvRecipe, Stage
from lepton_automl.modalities.table.recipe import TableRecipe
from lepton_automl.modalities.table.spec import table_input
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable
from lepton_automl.pipelines.bottleneck import bottleneck, try_change
from lepton_automl.pipelines.cost import CostProfiler, reference
from lepton_automl.recipe import Recipe, recipe_from_json
from lepton_automl.specs import DataSpec, Deployment

from .report import Figure, Result
from .shrink import parent
from .table_rivals.data import Table

CHECKOUT = Path(__file__).parents[1]
DATA = Path(os.environ.get("LEPTON_DATA") or CHECKOUT.parent / "shared" / "data")


def pictures(spec: DataSpec) -> Iterator[tuple[str, Recipe, int]]:
    """Networks of each kind for small images, with the number of rows per call."""
    whole = parent(spec)

    def recipe(stem: int, *stages: Stage) -> ConvRecipe:
        return whole.replace(stem=stem, stages=stages)

    def many(kind: str, count: int, width: int, mid: int, squeeze: int = 0) -> Stage:
        block = Block(kind=kind, mid=mid, squeeze=squeeze)  # type: ignore[arg-type]  # one of its literals, as written below
        last = block.replace(mid=0) if kind == "plain" else block
        return Stage(width=width, stride=2, blocks=(block,) * (count - 1) + (last,))

    yield "residual", whole, 1
    yield "residual, squeezed", recipe(32, many("residual", 2, 32, 32, 8), many("residual", 2, 64, 64, 16)), 1
    yield "plain", recipe(32, many("plain", 2, 64, 64), many("plain", 2, 96, 96)), 1
    yield "plain, small", recipe(16, many("plain", 2, 32, 32), many("plain", 2, 64, 64)), 1
    yield "inverted", recipe(32, many("inverted", 3, 32, 128), many("inverted", 2, 48, 192)), 1
    yield "inverted, 16 rows", recipe(16, many("inverted", 2, 32, 96), many("inverted", 2, 48, 192)), 16


def tables(spec: DataSpec) -> Iterator[tuple[str, Recipe, int]]:
    """Networks of each kind for a table, with the number of rows per call."""
    table = table_input(spec)
    usual = TableRecipe(
        outputs=spec.outputs, numeric=table.numeric, plain=table.plain, cardinalities=table.cardinalities,
        width=128, mids=(256, 256, 256), kind="resnet", embedding="piecewise", bins=16, embedded=8, heads=4,
    )  # fmt: skip
    yield "table, resnet", usual, 1
    yield "table, mlp of 64 rows", usual.replace(kind="mlp", heads=1, embedding="linear", bins=0, embedded=0), 64


class MeasuredChange(NamedTuple):
    """The predicted and the measured gain of a change, as shares of the latency before."""

    what: str
    predicted: float
    actual: float
    by_macs: float


def measure_changes(
    name: str, recipe: Recipe, profiler: CostProfiler, changes: int, seconds: float
) -> tuple[Bottleneck, list[MeasuredChange]]:
    """The report of a network, and measured changes: the best one, and others from the whole range of predictions."""
    model = build(recipe)
    analysis = bottleneck(model, profiler, tries=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "unchanged.onnx"
        export(deployable(model, profiler.data.spec), profiler.sample, path)
        picked = [
            try_change(candidate, path, profiler, analysis.latency.median, seconds)
            for candidate in spread(analysis.changes, changes)
        ]
    done = [change for change in (compared(change, recipe, analysis.latency.median) for change in picked) if change]
    for outcome in done:
        print(f"{name}: {outcome.what}: {outcome.predicted:.1%} predicted, {outcome.actual:.1%} gained", flush=True)
    return analysis, done


def spread(changes: tuple[Change, ...], count: int) -> list[Change]:
    """The first and the last change, and some evenly spaced between them."""
    step = max(1.0, (len(changes) - 1) / max(1, count - 1))
    return [changes[round(n * step)] for n in range(min(count, len(changes)))]


def compared(change: Change, recipe: Recipe, latency_ms: float) -> MeasuredChange | None:
    if change.actual is None:
        return None
    by_macs = 1 - recipe_from_json(change.recipe).macs / recipe.macs
    return MeasuredChange(change.what, change.predicted_ms / latency_ms, change.actual.median / latency_ms, by_macs)


def figures(reports: list[Bottleneck], changes: list[list[MeasuredChange]]) -> list[Figure]:
    best = [measured[0] for measured in changes]

    def ranks(field: str) -> list[float]:
        return [
            float(spearmanr([getattr(change, field) for change in measured], [change.actual for change in measured])[0])
            for measured in changes
        ]

    return [
        Figure.of("prediction_error", [abs(change.predicted - change.actual) for change in best], target="<= 0.05"),
        Figure.of("prediction_error_by_macs", [abs(change.by_macs - change.actual) for change in best]),
        Figure.of("gain_rank_correlation", ranks("predicted"), target=">= 0.9"),
        Figure.of("gain_rank_correlation_by_macs", ranks("by_macs")),
        Figure.of("time_explained", [report.profile.explained for report in reports], target="0.9 to 1.1"),
    ]


def run(changes: int = 6, seconds: float = 0.6, networks: int = 8) -> Result:
    """Compare predicted with actual gains for networks of each kind, untrained, as latency does not depend on weights."""
    torch.set_num_threads(1)
    if not DATA.is_dir():
        return Result(figures=[], notes=[f"Skipped: {DATA} does not exist; set LEPTON_DATA to a folder of the real data sets."])
    reports: list[Bottleneck] = []
    every: list[list[MeasuredChange]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, recipe, data, rows in itertools.islice(zoo(Path(temporary)), networks):
            profiler = CostProfiler(data, Deployment(batch_size=rows), MeasurementLock(""), reference_latency_ms())
            report, done = measure_changes(name, recipe, profiler, changes, seconds)
            reports.append(report)
            every.append(done)
    busy = statistics.mean(report.latency.busy for report in reports)
    notes = [
        f"{len(reports)} networks, {sum(map(len, every))} changes, each made and timed interleaved with the unchanged network, one thread.",
        "prediction_error: median |predicted - actual gain| of the best change, as a share of the latency before.",
        "by_macs: the same for the simple guess that time is proportional to multiply-accumulates.",
        "time_explained: the sum of the times of layers and call, including profiling overhead, over the time without profiling.",
        f"The machine was busy in {busy:.0%} of the reports.",
    ]
    return Result(figures=figures(reports, every), notes=notes)


def reference_latency_ms() -> float:
    """The reference network's latency in ms on a quiet machine."""
    return baseline_latency(reference(1), seconds=0.5).median


def zoo(folder: Path) -> Iterator[tuple[str, Recipe, Data, int]]:
    """Every network with its data and the number of rows per call."""
    images = open_data(DATA / "fashion_mnist", folder / "pictures")
    yield from ((name, recipe, images, rows) for name, recipe, rows in pictures(images.spec))
    adult = Table.read("adult")
    table = open_data(adult.features.assign(target=adult.target), folder / "table", DataOptions(target="target"))
    yield from ((name, recipe, table, rows) for name, recipe, rows in tables(table.spec))
