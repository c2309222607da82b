"""Bottleneck analysis: where a network's time goes on the target, and the predicted and measured gain of single changes.

Layers are timed by the runtime's profiler and compared with the machine's ceilings (Williams, Waterman and
Patterson, Roofline: An Insightful Visual Performance Model, CACM 52(4), 2009). The gain of
a change is predicted from the measured layers, then the change is made and timed against the unchanged network.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lepton_automl.bottleneck import Bottleneck, Change
from lepton_automl.deployment.export import export
from lepton_automl.deployment.probes import arithmetic_probes, chains
from lepton_automl.deployment.profiler import layers_of, profile_layers
from lepton_automl.deployment.program_network import as_programs
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.deployment.verify import QUICK_ROWS
from lepton_automl.errors import BundleError
from lepton_automl.measuring.ceilings import measure_ceilings
from lepton_automl.measuring.latency import measure
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable
from lepton_automl.profile import Measurement
from lepton_automl.recipe import Recipe, describe, recipe_from_json
from lepton_automl.roofline import CallTime, Ceilings

from .adapter import Network
from .changes import SingleChange, old_name, predicted_gain, single_changes
from .cost import CostProfiler, reference

SECONDS = 1.0  # seconds of timing for the call and for the profile; half as long for the preprocessing

Progress = Callable[[str], None]


@functools.cache
def ceilings_of(threads: int) -> Ceilings:
    """The machine's ceilings, measured once per process, which takes two seconds."""
    return measure_ceilings(arithmetic_probes(threads), chains(threads), threads=threads)


def bottleneck(model: Network, profiler: CostProfiler, *, tries: int = 1, progress: Progress = lambda _: None) -> Bottleneck:
    """Profile a network on the target: what limits its speed, and which changes would make it faster.

    Args:
        model: The network; its weights do not matter.
        profiler: The data, the target and the measurement lock.
        tries: How many of the most promising changes to make and time.
        progress: Called with a description of each step.
    """
    with tempfile.TemporaryDirectory() as folder:
        bench = _Bench(profiler, Path(folder))
        unchanged = bench.exported(model, "network")
        progress("measuring the machine")
        with profiler.measurement_lock.held():
            ceilings = ceilings_of(profiler.deployment.threads)
            progress("timing the layers")
            report = bench.measured(unchanged, describe(model.recipe), ceilings)
        progress("predicting changes")
        changes = sorted(bench.predictions(model.recipe, report.profile), key=lambda change: -change.predicted_ms)
        for number, change in enumerate(changes[:tries]):
            progress(f"trying {change.what}")
            changes[number] = try_change(change, unchanged, profiler, report.latency.median)
    return report.replace(changes=tuple(changes))


def try_change(change: Change, unchanged: Path, profiler: CostProfiler, latency_ms: float, seconds: float = SECONDS) -> Change:
    """Make a change and time it, interleaved with the unchanged network.

    Args:
        change: The change.
        unchanged: The exported network without the change.
        profiler: The data, the target and the measurement lock.
        latency_ms: Milliseconds per call of the unchanged network.
        seconds: Wall seconds of timing.
    """
    with tempfile.TemporaryDirectory() as folder:
        bench = _Bench(profiler, Path(folder))
        path = bench.exported(build(recipe_from_json(change.recipe)), "changed")
        with profiler.measurement_lock.held():
            ratio, _ = measure(
                bench.call(path), bench.call(unchanged), reference_ms=1.0, seconds=seconds, threads=profiler.deployment.threads
            )
    return change.replace(actual=_saving(ratio, latency_ms))


def _saving(ratio: Measurement, latency_ms: float) -> Measurement:
    """Milliseconds saved, from the ratio of the two times."""
    gains = {name: (1 - getattr(ratio, name)) * latency_ms for name in ("median", "low", "high", "p5", "p95")}
    # The greater ratio is the smaller gain.
    swapped = {"low": gains["high"], "high": gains["low"], "p5": gains["p95"], "p95": gains["p5"], "median": gains["median"]}
    return ratio.replace(name="gain", ratio=1 - ratio.median, warnings=(), **swapped)


@dataclass(frozen=True)
class _Bench:
    """Exports and times networks for one target.

    Args:
        profiler: The data, the target and the measurement lock.
        folder: Where to write the files.
    """

    profiler: CostProfiler
    folder: Path

    def exported(self, model: Network, name: str) -> Path:
        path, network = self.folder / f"{name}.onnx", deployable(model, self.profiler.data.spec)
        if parts := as_programs(network):
            what = (
                f"layers are timed in networks of one program; this one has {len(parts.programs)}: {', '.join(parts.programs)}"
            )
            raise BundleError(what, where="bottleneck", fix="Profile the files of its bundle with ONNX Runtime's profiler.")
        export(network, self.profiler.sample, path, rows=QUICK_ROWS)
        return path

    def call(self, path: Path) -> Callable[[], object]:
        """One call on the target, including preprocessing."""
        return self.profiler.call_of(OnnxModel(path, threads=self.profiler.deployment.threads))

    def measured(self, path: Path, network: str, ceilings: Ceilings) -> Bottleneck:
        """The report, without changes."""
        threads, raw, arrays = self.profiler.deployment.threads, self.profiler.rows, self.profiler.data.preprocess.arrays
        profile = profile_layers(path, arrays(raw), seconds=SECONDS, threads=threads)
        timed = functools.partial(
            measure, reference=reference(threads), reference_ms=self.profiler.reference_ms, threads=threads
        )
        latency, _ = timed(self.call(path), seconds=SECONDS)
        before, _ = timed(lambda: arrays(raw), seconds=SECONDS / 2)
        inside = max(latency.median - before.median, 0.0)
        return Bottleneck(
            network=network,
            rows=self.profiler.deployment.batch_size,
            latency=latency,
            preprocess_ms=before.median,
            profile=profile.scaled(inside / profile.call_ms),
            ceilings=ceilings,
        )

    def predictions(self, recipe: Recipe, profile: CallTime) -> list[Change]:
        """All single changes with a predicted gain."""
        gains = [(change, self._gain(change, profile)) for change in single_changes(recipe)]
        return [
            Change(what=change.what, recipe=change.recipe.to_json(), predicted_ms=gain)
            for change, gain in gains
            if gain is not None
        ]

    def _gain(self, change: SingleChange, profile: CallTime) -> float | None:
        smaller = build(change.recipe)
        path = self.exported(smaller, "candidate")
        layers = layers_of(path, self.profiler.deployment.batch_size, self.profiler.deployment.threads)
        named = [layer.replace(layer=old_name(layer.layer, change.blocks_kept, smaller.stage_modules)) for layer in layers]
        return predicted_gain(named, profile)
