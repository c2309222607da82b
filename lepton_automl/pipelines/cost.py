"""The costs of a network on the target: exported, opened, and timed against the reference network."""

from __future__ import annotations

import functools
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from lepton_automl.data.open import Data
from lepton_automl.deployment.artifact import open_artifact
from lepton_automl.deployment.export import export
from lepton_automl.deployment.integrity import model_files
from lepton_automl.deployment.open_artifact import InferenceSession, open_bundle
from lepton_automl.deployment.programs import export_network
from lepton_automl.deployment.reference import reference_model
from lepton_automl.deployment.runtime import Source, runtimes_for
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.deployment.verify import QUICK_ROWS, ROWS, spread_rows
from lepton_automl.device import get_device
from lepton_automl.errors import BundleError
from lepton_automl.generation import Generation
from lepton_automl.locks import measurement_lock_path
from lepton_automl.measurement_lock import MeasurementLock, pausing_for_measurements
from lepton_automl.measuring.cold_start import ColdStart, ColdStartScript, measure_cold_start
from lepton_automl.measuring.energy import measure_energy
from lepton_automl.measuring.latency import baseline_latency, interleaved_benchmark, measure
from lepton_automl.measuring.resource_profile import bytes_on_disk, measure_resources
from lepton_automl.modality import modality_of
from lepton_automl.models.deployable import deployable
from lepton_automl.models.plain import INPUT, Bare
from lepton_automl.objective import Objective, measured
from lepton_automl.profile import Measurement, Profile, ResourceProfile
from lepton_automl.shipped import load_decoder
from lepton_automl.specs import Deployment
from lepton_automl.variant import Variant

from .adapter import Network

SECONDS = 0.5  # seconds of timing, during which other workers wait; twice as long was not more precise
QUICK = 0.15  # seconds of timing per variant, if only the fastest counts
SAMPLE_ROWS = ROWS  # real rows for tracing and verifying an export


_SESSION_IMPORTS = """\
import numpy, pathlib
from lepton_automl.deployment.artifact import open_artifact
from lepton_automl.shipped import load_decoder
from lepton_automl.variant import Variant
rows, decoder = dict(numpy.load({rows!r})), load_decoder({output!r})"""
COLD_STARTS = 3  # fresh processes for one candidate
_IMPORTS = "import numpy, pathlib\nfrom {module} import open_bundle\nrows = dict(numpy.load({rows!r}))"


@functools.cache
def reference(threads: int) -> Callable[[], object]:
    """The fixed reference network of all timings, opened once per process."""
    return reference_model(threads)


def quiet_reference(threads: int) -> Measurement:
    """The reference's time on the quiet machine, to which all other times are scaled."""
    return baseline_latency(reference(threads), threads=threads)


@dataclass(frozen=True)
class CostProfiler:
    """Profiles the candidates of a search on one target.

    Args:
        data: Provides the decoded rows of a call; their preprocessing is timed as well.
        deployment: The device, the rows per call, and the limits.
        measurement_lock: Held while timing.
        reference_ms: The reference's time on the quiet machine; None to use the time that is measured alongside.
        costs: Objectives to measure in addition to latency and size.
    """

    data: Data
    deployment: Deployment
    measurement_lock: MeasurementLock
    reference_ms: float | None = None
    costs: tuple[Objective, ...] = ()

    def profile(self, model: Network, seconds: float = SECONDS) -> Profile:
        """The profile of an untrained network, as neither latency nor size depends on its weights."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            exported = export_network(deployable(model, self.data.spec), self.sample, path, rows=QUICK_ROWS)
            return self.profile_file(path, model, seconds, exported)

    def profile_file(
        self, path: Path, model: nn.Module, seconds: float = SECONDS, opened: InferenceSession | None = None
    ) -> Profile:
        """The profile of an exported network; a session already opened for one thread is reused."""
        threads = self.deployment.threads
        call = self.call_of(opened if opened and threads == 1 else self.open(path, Variant(), threads))
        with self.measurement_lock.held():
            latency, wall = measure(
                call,
                reference(self.deployment.threads),
                reference_ms=self.reference_ms,
                seconds=seconds,
                threads=self.deployment.threads,
                limit_ms=self.deployment.max_latency_ms,
            )
        weights = sum(weight.numel() for weight in model.parameters())
        costs = self.costs_of(path, model, call)
        return Profile(latency=latency, wall=wall, size_bytes=bytes_on_disk(path), parameters=weights, costs=costs)

    def open(self, path: Path, variant: Variant, threads: int, rows: int = 0) -> InferenceSession:
        """Open an exported network in a variant; `rows` is the usual number of rows per call, 0 if there is none."""
        return open_artifact(path, variant, load_decoder(self.data.preprocess.output), threads=threads, rows=rows)

    def costs_of(
        self,
        path: Path,
        model: nn.Module,
        call: Callable[[], object],
        variant: Variant | None = None,
        graph: Path | None = None,
    ) -> dict[str, float]:
        """The other costs of an exported network, by the names of their objectives.

        Args:
            path: Its file, or the folder of its programs' files.
            model: The network.
            call: Makes one call of the file on the target.
            variant: How the file is run; by default in ONNX Runtime, in float32.
            graph: The float ONNX file that it was made from; by default the file itself.

        Raises:
            LeptonError: A cost cannot be measured on this machine.
        """
        if not self.costs:
            return {}
        macs = int(getattr(getattr(model, "recipe", None), "macs", 0))
        artifact = ExportedArtifact(self, path, macs, call, variant=variant or Variant(), graph=graph or path)
        return {objective.name: measured(objective, artifact) for objective in self.costs}

    def call_of(self, opened: InferenceSession, rows: int | None = None) -> Callable[[], object]:
        """One call, from decoded rows to outputs, with the target's batch size or `rows` rows.

        If the number of calls of a program depends on its outputs, the number for a typical example is used.
        """
        raw, arrays = self.raw(rows or self.deployment.batch_size), self.data.preprocess.arrays
        run = opened.typical if isinstance(opened, Generation) else opened
        return lambda: run(arrays(raw))

    def resource_profile(self, bundle: Path, seconds: float = SECONDS) -> ResourceProfile:
        """The full resource profile of a bundle's model, from disk to energy; takes about ten seconds."""
        threads, size = self.deployment.threads, self.deployment.batch_size
        opened = open_bundle(bundle, threads, rows=size)
        with tempfile.TemporaryDirectory() as folder, self.measurement_lock.held():
            rows = Path(folder) / "rows.npz"
            np.savez(rows, allow_pickle=False, **self.data.preprocess.arrays(self.raw(size)))
            return measure_resources(
                model_files(bundle),
                ColdStartScript(
                    imports=_IMPORTS.format(module=open_bundle.__module__, rows=str(rows)),
                    load=f"model = open_bundle(pathlib.Path({str(bundle)!r}), {threads}, rows={size})",
                    answer="model(rows)",
                ),
                functools.partial(self.call_of, opened),
                reference(threads),
                reference_ms=self.reference_ms,
                seconds=seconds,
                threads=threads,
            )

    @property
    def sample(self) -> dict[str, Tensor]:
        """Real training rows as network inputs."""
        return spread_rows(self.data.train.inputs, SAMPLE_ROWS)

    @property
    def rows(self) -> Any:
        """The decoded rows of one call on the target."""
        return self.raw(self.deployment.batch_size)

    def raw(self, count: int) -> Any:
        """`count` decoded rows."""
        examples = self.data.examples
        rows = [examples[n % len(examples)] for n in range(count)]
        return modality_of(self.data.spec).call(rows)


class ExportedArtifact:
    """An exported network, whose costs are measured on first access.

    Args:
        profiler: Provides the rows of a call and the target.
        path: The file to run, or the folder of its programs' files.
        macs: Multiply-accumulates per example.
        call: Makes one call on the target.
        variant: How the file is run.
        graph: The float ONNX file that it was made from.
    """

    def __init__(
        self, profiler: CostProfiler, path: Path, macs: int, call: Callable[[], object], *, variant: Variant, graph: Path
    ) -> None:
        self.path, self.graph, self.macs = path, graph, macs
        self._profiler, self._call, self._variant = profiler, call, variant

    @functools.cached_property
    def cold_start(self) -> ColdStart:
        """Loading and the first call, measured in a few fresh processes."""
        data, target = self._profiler.data, self._profiler.deployment
        with tempfile.TemporaryDirectory() as folder, self._profiler.measurement_lock.held():
            rows = Path(folder) / "rows.npz"
            np.savez(rows, allow_pickle=False, **data.preprocess.arrays(self._profiler.rows))
            variant = f"Variant.from_json({self._variant.to_json()!r})"
            opening = f"{variant}, decoder, threads={target.threads}, rows={target.batch_size}"
            script = ColdStartScript(
                imports=_SESSION_IMPORTS.format(rows=str(rows), output=data.preprocess.output),
                load=f"model = open_artifact(pathlib.Path({str(self.path)!r}), {opening})",
                answer="model(rows)",
            )
            return measure_cold_start(script, COLD_STARTS)

    @functools.cached_property
    def energy(self) -> Measurement:
        """The energy of one call.

        Raises:
            NoMeterError: This machine has no energy meter.
        """
        device = get_device(self._profiler.deployment.device)
        with self._profiler.measurement_lock.held():
            return measure_energy(device.clock(self._profiler.deployment.threads).settled(self._call), device.meter())


class LatencyProfiler:
    """Measures the latency of custom networks on one target, from inputs of `forward` to outputs.

    Args:
        deployment: The threads, and the rows per call.
        sample: Some rows, [N, ...].
    """

    def __init__(self, deployment: Deployment, sample: Tensor) -> None:
        self.deployment, self.sample = deployment, sample[:SAMPLE_ROWS]
        self.reasons: list[str] = []  # why networks could not be measured

    @functools.cached_property
    def reference_ms(self) -> float:
        """The reference's time, measured once, so that all times use one scale."""
        with pausing_for_measurements(measurement_lock_path()) as measurement_lock, measurement_lock.held():
            return quiet_reference(self.deployment.threads).median

    @functools.cached_property
    def rows(self) -> dict[str, NDArray[Any]]:
        """The rows of one call on the target."""
        return {INPUT: self.sample[np.arange(self.deployment.batch_size) % len(self.sample)].numpy()}

    @contextmanager
    def exported(self, model: nn.Module, rows: int = QUICK_ROWS) -> Iterator[Path]:
        """A network's exported file in a temporary folder, verified on `rows` rows."""
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a slow export does not matter here
            export(Bare(model), {INPUT: self.sample}, Path(folder) / "model.onnx", rows=rows)
            yield Path(folder) / "model.onnx"

    def measure(self, model: nn.Module, seconds: float = SECONDS, rows: int = QUICK_ROWS) -> Measurement:
        """The latency of a network's exported file; it does not depend on the weights.

        Raises:
            BundleError: The network cannot be exported.
        """
        with self.exported(model, rows) as path:
            opened, reference_ms = OnnxModel(path, threads=self.deployment.threads), self.reference_ms
            with pausing_for_measurements(measurement_lock_path()) as measurement_lock, measurement_lock.held():
                latency, _ = measure(
                    functools.partial(opened, self.rows),
                    reference(self.deployment.threads),
                    reference_ms=reference_ms,
                    seconds=seconds,
                    threads=self.deployment.threads,
                )
        return latency

    def fastest_ms(self, model: nn.Module) -> float:
        """Milliseconds per call of the fastest variant on the target, whatever its accuracy.

        Raises:
            BundleError: The network cannot be exported.
        """
        with self.exported(model) as exported:
            source, calls = Source(Bare(model), exported, {INPUT: self.sample}), {}
            for runtime in runtimes_for(self.deployment.runtimes):
                for number, variant in enumerate(runtime.variants(source)):
                    if not variant.options:
                        path = exported.with_name(f"{runtime.name}-{number}{runtime.suffix}")
                        runtime.write(variant, source, path)
                        opened = runtime.open(path, variant, threads=self.deployment.threads, rows=self.deployment.batch_size)
                        calls[variant.name] = functools.partial(opened, self.rows)
            reference_ms = self.reference_ms
            with pausing_for_measurements(measurement_lock_path()) as measurement_lock, measurement_lock.held():
                results = interleaved_benchmark(
                    calls,
                    reference(self.deployment.threads),
                    reference_ms=reference_ms,
                    seconds=QUICK,
                    threads=self.deployment.threads,
                )
        return min(result.latency.median for result in results.values())

    def try_measure(self, model: nn.Module) -> Measurement | None:
        """The latency, or None if the network cannot be exported; the reason is added to `reasons`."""
        try:
            return self.measure(model, rows=SAMPLE_ROWS)
        except BundleError as error:
            self.reasons.append(error.what)
            return None
