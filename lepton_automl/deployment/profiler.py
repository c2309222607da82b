"""Profile the layers of an exported network with ONNX Runtime's own profiler.

The profiler costs about four microseconds per kernel, more than most kernels of a small network, and it reports whole
microseconds. So the time from the start of one kernel to the start of the next is averaged over many calls (starts fall
anywhere within a microsecond, so the mean resolves fractions), and the profiler's own cost is subtracted. That cost is
measured on a chain of tiny kernels, which runs interleaved with the network, with and without the profiler. Profiled kernels
also run slower, as the profiler evicts them from the nearest cache: the excess of a profiled call over an unprofiled one is
subtracted from all kernels in equal parts.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.roofline import CallTime, Layer, LayerTime, Work

from .kernels import Kernel, kernels_of
from .probes import LONG, SHORT, TINY, chain_bytes
from .session import OnnxModel, session_options

ROUNDS = 12  # interleaved rounds of network and chain
FASTEST_SHARE = 0.25  # share of the calls that is evaluated: load only ever adds time
MIN_CALLS, MAX_CALLS = 10, 120  # of the network per round
CHAIN_CALLS = 12  # of the chain per round
WARM_UP = 5  # calls before the first round
BUSY = 1.10  # wall time over CPU time above which the machine counts as busy
INT8 = ("Integer", "QLinear", "QGemm", "Quantize")  # in the names of integer operations

Arrays = dict[str, NDArray[Any]]


def profile_layers(path: Path, arrays: Arrays, *, seconds: float = 1.0, threads: int = 1) -> CallTime:
    """Time every layer of an exported network.

    Args:
        path: The ONNX file.
        arrays: The input of one call.
        seconds: Approximate wall seconds to spend.
        threads: Threads that one call may use.
    """
    with tempfile.TemporaryDirectory() as folder:
        runs = _ProfileRuns(path, arrays, Path(folder), threads)
        busy = runs.fill_profile_window(seconds)
        kernels = kernels_of(path, runs.profiled.optimised, len(next(iter(arrays.values()))))
        names, raw = runs.profiled.read()
        _, tiny = runs.chain.read()
    node_us = (quiet_mean(runs.long.call_us) - quiet_mean(runs.short.call_us)) / (LONG - SHORT)
    outside_us = max(0.0, quiet_mean(runs.short.call_us) - SHORT * node_us)
    inner = tiny[SHORT:-SHORT]  # the ends of the chain include the overhead of the call
    kernel_us, call_us = raw - (inner.mean() - node_us), quiet_mean(runs.unprofiled.call_us)
    excess = max(0.0, kernel_us.sum() + outside_us - call_us) / len(kernel_us)
    run_kernels = [kernels.get(name) or _unknown(name) for name in names]
    return CallTime(
        layers=_timed(run_kernels, (kernel_us - excess) / 1e3),
        runtime="onnxruntime",
        calls=len(runs.unprofiled.call_us),
        call_ms=call_us / 1e3,
        outside_ms=outside_us / 1e3,
        node_ms=node_us / 1e3,
        explained=float(kernel_us.sum() + outside_us) / call_us,
        busy=busy,
    )


def layers_of(path: Path, rows: int, threads: int = 1) -> tuple[Layer, ...]:
    """The layers of an exported network as the runtime runs them on `rows` rows, without their times."""
    with tempfile.TemporaryDirectory() as folder:
        optimised = Path(folder) / "optimised.onnx"
        options = session_options(threads)
        options.optimized_model_filepath = str(optimised)
        OnnxModel(path, threads, options=options)
        kernels = kernels_of(path, optimised, rows)
    return tuple(_layer(name, parts) for name, parts in _by_layer(kernels.values()).items())


class _ProfileRuns:
    """The network and the chain, each with and without the profiler, run in turns."""

    def __init__(self, path: Path, arrays: Arrays, folder: Path, threads: int) -> None:
        self.profiled = _ProfiledModel(path, folder / "network", threads)
        self.chain = _ProfiledModel(chain_bytes(LONG), folder / "chain", threads)
        self.unprofiled = _UnprofiledModel(OnnxModel(path, threads), arrays)
        self.long, self.short = (
            _UnprofiledModel(OnnxModel(chain_bytes(count), threads), {"x": TINY}) for count in (LONG, SHORT)
        )
        self.arrays = arrays

    def fill_profile_window(self, seconds: float) -> bool:
        """Run all models interleaved for about `seconds`; return whether the machine was busy."""
        self.unprofiled.run(WARM_UP)
        count = int(np.clip(seconds * 1e6 / 3 / ROUNDS / quiet_mean(self.unprofiled.call_us), MIN_CALLS, MAX_CALLS))
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(ROUNDS):
            self.profiled.run(self.arrays, count)
            self.unprofiled.run(count)
            self.chain.run({"x": TINY}, CHAIN_CALLS)
            self.long.run(CHAIN_CALLS)
            self.short.run(CHAIN_CALLS)
        return time.perf_counter() - wall > BUSY * (time.process_time() - cpu)


class _UnprofiledModel:
    """A model that runs without the profiler, and the microseconds of its calls."""

    def __init__(self, model: OnnxModel, arrays: Arrays) -> None:
        self.model, self.arrays = model, arrays
        self.call_us: list[float] = []

    def run(self, count: int) -> None:
        """Call it `count` times."""
        for _ in range(count):
            start = time.perf_counter_ns()
            self.model(self.arrays)
            self.call_us.append((time.perf_counter_ns() - start) / 1e3)


def quiet_mean(kernel_us: list[float]) -> float:
    """The mean of the fastest calls."""
    return float(np.sort(kernel_us)[: max(1, round(FASTEST_SHARE * len(kernel_us)))].mean())


@dataclass
class _ProfiledModel:
    """A model that runs with the profiler.

    Args:
        source: The file or its bytes.
        folder: Where the profile and the optimised model are written; it is created.
        threads: Threads that one call may use.
    """

    source: Path | bytes
    folder: Path
    threads: int

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.optimised = self.folder / "optimised.onnx"
        options = session_options(self.threads)
        options.enable_profiling = True
        options.profile_file_prefix = str(self.folder / "profile")
        options.optimized_model_filepath = str(self.optimised)
        self.model = OnnxModel(self.source, self.threads, options=options)

    def run(self, arrays: Arrays, count: int) -> None:
        """Call it `count` times."""
        for _ in range(count):
            self.model(arrays)

    def read(self) -> tuple[list[str], NDArray[np.float64]]:
        """The kernels of a call in execution order, and the mean microseconds of each in the fastest calls."""
        events = json.loads(Path(self.model.session.end_profiling()).read_text(encoding="utf-8"))
        runs = list(_runs(events))
        names = [event["name"].removesuffix("_kernel_time") for event in runs[-1][:-1]]
        starts = [[event["ts"] for event in run[:-1]] + [run[-1]["ts"] + run[-1]["dur"]] for run in runs]
        spans = np.diff(np.asarray([entry for entry in starts if len(entry) == len(names) + 1], dtype=np.float64))
        quiet = np.argsort(spans.sum(axis=1))[: max(1, round(FASTEST_SHARE * len(spans)))]
        return names, spans[quiet].mean(axis=0)


def _runs(events: Iterable[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    """The events of each call: its kernels, then the executor's own event, which ends after the last of them."""
    run: list[dict[str, Any]] = []
    for event in events:
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            run.append(event)
        elif event["name"] == "SequentialExecutor::Execute":
            yield [*run, event]
            run = []


def _unknown(name: str) -> Kernel:
    """A kernel that is not in the optimised file: its layer has its name, and its work is unknown."""
    return Kernel(name, name, name, Work(nodes=1))


def _by_layer(kernels: Iterable[Kernel]) -> dict[str, list[Kernel]]:
    """The kernels of each layer, in the order of the layers' first kernels."""
    kernels_by_layer: dict[str, list[Kernel]] = {}
    for kernel in kernels:
        kernels_by_layer.setdefault(kernel.layer, []).append(kernel)
    return kernels_by_layer


def _layer(name: str, kernels: list[Kernel]) -> Layer:
    ops = list(dict.fromkeys(kernel.op for kernel in kernels))
    int8 = any(mark in op for op in ops for mark in INT8)
    return Layer(layer=name, op=", ".join(ops), work=sum((kernel.work for kernel in kernels), Work()), int8=int8)


def _timed(kernels: list[Kernel], ms: Iterable[float]) -> tuple[LayerTime, ...]:
    """The layers with their times; a kernel's time may come out slightly negative."""
    kernel_us: dict[str, float] = defaultdict(float)
    for kernel, kernel_ms in zip(kernels, ms, strict=True):
        kernel_us[kernel.layer] += kernel_ms
    layers = (_layer(name, parts) for name, parts in _by_layer(kernels).items())
    return tuple(LayerTime(**vars(layer), ms=max(0.0, kernel_us[layer.layer])) for layer in layers)
