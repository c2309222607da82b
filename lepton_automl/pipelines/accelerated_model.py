"""Accelerate a user's trained network: export it, try all variants and keep the best."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor, nn

from lepton_automl.data.labelled import ROWS, LabelledSplits
from lepton_automl.deployment.export import export
from lepton_automl.deployment.open_artifact import RUNTIME, InferenceSession, open_model
from lepton_automl.deployment.predictor import OPERATIONS
from lepton_automl.deployment.preserve_state import eval_mode, preserve_state
from lepton_automl.deployment.runtime import Source, get_runtime
from lepton_automl.deployment.verify import spread_rows
from lepton_automl.errors import BundleError, Complaints, ConfigError
from lepton_automl.jobs import VariantResult
from lepton_automl.locks import measurement_lock_path
from lepton_automl.measurement_lock import MeasurementLock, pausing_for_measurements
from lepton_automl.models.plain import Bare
from lepton_automl.profile import Measurement
from lepton_automl.shipped import artifact_loader
from lepton_automl.specs import Deployment
from lepton_automl.task import metrics_of, task_of
from lepton_automl.training.custom import without_trainer
from lepton_automl.variant import Variant

from .accelerate import BestVariant, VariantBench, accelerate
from .cost import quiet_reference
from .validate_inputs import check_deployment, validate_inputs
from .variant_scores import VariantScores, variant_scores

Finish = Literal["", "softmax", "second"]
FINISH = "finish"  # the key of a `Finish` in the settings of a saved network
SAMPLE_ROWS = 512  # training rows for calibration
CALL = 512  # rows per call when scoring


@dataclass(frozen=True, kw_only=True, eq=False)
class AcceleratedModel:
    """A network in its fastest runtime and precision, with its speedup and score drop.

    Args:
        variant: The chosen runtime, precision and settings.
        before: Scores of the original network, on the validation rows.
        after: Scores of the artifact.
        latency: Milliseconds per call, scaled to a quiet host.
        tried: The results of all variants, fastest first.
        speedup: Speed relative to the network in PyTorch; the median over the rounds of one benchmark.
        batch_size: Rows per call.
        content: The artifact's bytes.
        threads: Threads that one call may use.
        finish: What `predict` does with the outputs: nothing, their softmax, or the softmax of the second of two.
    """

    variant: Variant
    before: dict[str, float]
    after: dict[str, float]
    latency: Measurement
    tried: tuple[VariantResult, ...]
    speedup: float
    batch_size: int
    content: bytes
    threads: int
    finish: Finish = ""

    @property
    def table(self) -> pd.DataFrame:
        """The results, one row per variant, fastest first."""
        return pd.DataFrame([_row(tried) for tried in self.tried])

    def predict(self, rows: Any) -> NDArray[np.float32]:
        """The network's outputs for rows [N, ...], as its `forward` takes them; of a `Model`, what its `predict` answers."""
        if not hasattr(self, "_opened"):
            object.__setattr__(self, "_opened", self._open())
        outputs: NDArray[np.float32] = self._opened({ROWS: _array(rows)})  # type: ignore[attr-defined]  # set above
        return finished(outputs, self.finish)

    def save(self, folder: str | Path) -> Path:
        """Write the artifact and its runtime settings into a new folder, which `load_accelerated` opens.

        Raises:
            ConfigError: The folder is not empty.
        """
        into = Path(folder)
        if into.exists() and (not into.is_dir() or any(into.iterdir())):
            raise ConfigError(f"{into} is not empty", where="save", fix="Choose a new or empty folder.")
        into.mkdir(parents=True, exist_ok=True)
        suffix = get_runtime(self.variant.runtime).suffix
        (into / f"model{suffix}").write_bytes(self.content)
        operations = artifact_loader(self.variant.to_json()).operations(self.content)
        settings = self.variant.to_json() | {"batch_size": self.batch_size} | ({OPERATIONS: operations} if operations else {})
        settings |= {FINISH: self.finish} if self.finish else {}
        (into / RUNTIME).write_text(json.dumps(settings, indent=1))
        return into

    def _open(self) -> InferenceSession:
        with tempfile.TemporaryDirectory() as folder:
            self.save(folder)
            return open_accelerated(Path(folder), self.threads)

    def __repr__(self) -> str:
        name = next(iter(self.before))
        return (
            f"<AcceleratedModel: {self.variant.name}, {self.latency.median:.3g} ms a call of {self.batch_size}, {self.speedup:.1f} times "
            f"as fast as PyTorch; {name} {self.before[name]:.4f} -> {self.after[name]:.4f}>"
        )


def accelerate_network(
    model: nn.Module,
    data: Any,
    deployment: Deployment,
    validation: Any = None,
    *,
    seed: int = 0,
    finish: Finish = "",
    progress: Callable[[str], None] = lambda _: None,
) -> AcceleratedModel:
    """Find the fastest variant of a trained network.

    Args:
        model: The network; it is not changed.
        data: Training rows and targets, as `data.labelled.read_pairs` takes them.
        deployment: The device, its runtimes, and the largest score drop.
        validation: Rows and targets to score on, likewise; None to hold out a fifth of `data`.
        seed: Seeds the choice of held-out rows.
        finish: What the result's `predict` does with the outputs.
        progress: Called with a description of each step.

    Raises:
        ConfigError: The arguments are invalid; all problems are listed.
        BundleError: The network cannot be exported.
        ExtraError: A runtime of the target is not installed.
    """
    complaints = Complaints("accelerate")
    check_deployment(deployment, complaints)
    rows = validate_inputs(model, data, validation, complaints, seed=seed, standardise=False)
    with (
        without_trainer(model),
        preserve_state(model),
        eval_mode(model),
        tempfile.TemporaryDirectory() as folder,
        torch.inference_mode(mode=False),
        pausing_for_measurements(measurement_lock_path()) as measurement_lock,
    ):
        run = AccelerationRun(Bare(model.eval()), rows, deployment, Path(folder), progress)
        return replace(run.run(measurement_lock), finish=finish)


class AccelerationRun:
    """One acceleration."""

    def __init__(
        self, module: Bare, rows: LabelledSplits, deployment: Deployment, folder: Path, progress: Callable[[str], None]
    ) -> None:
        self.module, self.rows, self.deployment, self.folder, self.progress = module, rows, deployment, folder, progress
        self.metric = next(iter(task_of(rows.spec).metrics))

    def run(self, measurement_lock: MeasurementLock) -> AcceleratedModel:
        """Export the network, try all variants and return the best."""
        self.progress("exporting")
        inputs = spread_rows(self.rows.train.inputs, SAMPLE_ROWS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a slow export does not matter here
            export(self.module, inputs, self.folder / "float.onnx")
        best = accelerate(Source(self.module, self.folder / "float.onnx", inputs), self._bench(measurement_lock), self.folder)
        return self._result(best)

    def _bench(self, measurement_lock: MeasurementLock) -> VariantBench:
        threads, size = self.deployment.threads, self.deployment.batch_size
        validation = self.rows.validation.inputs[ROWS]
        call_rows = {ROWS: validation[np.arange(size) % len(validation)].numpy()}
        with measurement_lock.held():
            reference_ms = quiet_reference(threads).median
        return VariantBench(
            deployment=self.deployment,
            metric=self.metric,
            direction=metrics_of(self.rows.spec)[self.metric].direction,
            call=lambda opened: lambda: opened(call_rows),
            score=self._score,
            measurement_lock=measurement_lock,
            reference_ms=reference_ms,
            progress=self.progress,
            guarded=True,
        )

    def _score(self, opened: InferenceSession) -> VariantScores:
        spec, validation = self.rows.spec, self.rows.validation
        outputs = torch.cat(
            [torch.from_numpy(opened({ROWS: rows.numpy()})) for rows in torch.split(validation.inputs[ROWS], CALL)]
        )
        answers = task_of(spec).answers(spec.output, members=False, unit=True)(outputs)
        return variant_scores(answers.numpy(), validation.targets, spec, self.metric)

    def _result(self, best: BestVariant) -> AcceleratedModel:
        assert best.winner.benchmark is not None
        return AcceleratedModel(
            variant=best.winner.variant,
            before=best.before,
            after=best.winner.scores,
            latency=best.winner.benchmark.latency,
            tried=best.tried,
            speedup=best.speedup,
            batch_size=self.deployment.batch_size,
            content=best.winner.path.read_bytes(),
            threads=self.deployment.threads,
        )


def open_accelerated(folder: Path, threads: int) -> InferenceSession:
    """Open a folder written by `AcceleratedModel.save`.

    Raises:
        BundleError: The folder was not written by `save`, its model does not open, or the model could run forever.
        ExtraError: The runtime is not installed.
    """
    try:
        settings = json.loads((folder / RUNTIME).read_text())
        variant, rows = Variant.from_json(settings), int(settings["batch_size"])
        runtime = get_runtime(variant.runtime)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        fix = "Pass a folder written by save()."
        raise BundleError(f"{RUNTIME} is missing or unreadable", where=str(folder), fix=fix) from error
    path = folder / f"model{runtime.suffix}"
    content = _read_content(path, variant, settings.get(OPERATIONS, []))
    return open_model(content, variant.to_json(), threads, rows=rows)  # bytes, which cannot read other files


def _read_content(path: Path, variant: Variant, allowed: list[str]) -> bytes:
    """A model's bytes, unless it contains control flow or custom operations that `save` did not list.

    Raises:
        BundleError: The model cannot be read, or contains such operations.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{path.name} cannot be read", where=str(path.parent), fix="Pass a folder written by save()."
        ) from error
    unknown = [name for name in artifact_loader(variant.to_json()).operations(content) if name not in allowed]
    if unknown:
        what = f"the model contains operations that {RUNTIME} does not list: {', '.join(unknown[:5])}"
        raise BundleError(what, where=str(path.parent), fix="Do not use it: it may run forever. Ask its author.")
    return content


def load(folder: str | Path, threads: int = 1) -> Callable[[Any], NDArray[np.float32]]:
    """Open a folder written by `AcceleratedModel.save` as a function of rows [N, ...], as the network's `forward` takes them."""
    model = open_accelerated(Path(folder), threads)
    finish = json.loads((Path(folder) / RUNTIME).read_text()).get(FINISH, "")
    return lambda rows: finished(model({ROWS: _array(rows)}), finish)


def finished(outputs: NDArray[np.float32], finish: str) -> NDArray[np.float32]:
    """The outputs [N, K] after a `Finish`: the same, or probabilities."""
    if not finish:
        return outputs
    probabilities: NDArray[np.float32] = softmax(outputs, axis=1)
    return probabilities[:, 1:] if finish == "second" else probabilities


def _array(rows: Any) -> NDArray[Any]:
    array = rows.detach().cpu().numpy() if isinstance(rows, Tensor) else np.asarray(rows)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _row(tried: VariantResult) -> dict[str, Any]:
    latency = tried.latency
    return {
        "variant": tried.variant.name,
        "latency_ms": latency.median if latency else None,
        "low": latency.low if latency else None,
        "high": latency.high if latency else None,
        **tried.scores,
        "size_bytes": tried.size_bytes,
        "outcome": tried.outcome,
    }
