"""The resource profile of an artifact: memory, disk, cold start, energy, and latency by the number of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lepton_automl.device import NoMeterError, get_device
from lepton_automl.profile import Measurement, ResourceProfile

from .cold_start import ColdStartScript, measure_cold_start
from .energy import measure_energy
from .latency import interleaved_benchmark
from .timed_callable import Callee

ROWS = (1, 2, 4, 8, 16, 32, 64)


def measure_resources(
    files: Sequence[Path],
    script: ColdStartScript,
    call_for: Callable[[int], Callee],
    reference: Callee,
    *,
    rows: Sequence[int] = ROWS,
    reference_ms: float | None = None,
    seconds: float = 0.5,
    threads: int = 1,
    device: str = "cpu",
) -> ResourceProfile:
    """Measure what an artifact costs besides its latency; what cannot be measured on this machine is listed with the reason.

    Args:
        files: The files of the artifact.
        script: How a fresh process opens it.
        call_for: Returns a ready call for a number of rows.
        reference: The reference network.
        rows: Numbers of rows in one call to try; energy is measured with the first.
        reference_ms: The reference's quiet time on this host (see `latency.baseline_latency`).
        seconds: Wall seconds for each number of rows (see `latency.interleaved_benchmark`).
        threads: Threads that a call uses.
        device: Where the calls run.
    """
    absent: dict[str, str] = {}
    cold_start = measure_cold_start(script)
    if cold_start.memory is None:
        absent["memory"] = "this system does not report the peak memory of a process"
    calls = {str(count): call_for(count) for count in rows}
    results = interleaved_benchmark(
        calls, reference, reference_ms=reference_ms, seconds=seconds, threads=threads, device=device
    )
    return ResourceProfile(
        size_bytes=sum(map(bytes_on_disk, files)),
        memory=cold_start.memory,
        imports=cold_start.imports,
        cold_start=cold_start.cold_start,
        energy=_energy(get_device(device).clock(threads).settled(calls[str(rows[0])]), device, absent),
        batches={count: results[str(count)].latency for count in rows},
        absent=absent,
    )


def bytes_on_disk(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _energy(call: Callee, device: str, absent: dict[str, str]) -> Measurement | None:
    try:
        return measure_energy(call, get_device(device).meter())
    except NoMeterError as reason:
        absent["energy"] = str(reason)
        return None
