"""What a call costs in energy, where something on this machine counts it."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lepton_automl.profile import Measurement
from lepton_automl.specs import Device

from .statistics import summarize
from .timed_callable import Callee

POWERCAP = Path("/sys/class/powercap")
TURN_SECONDS = 0.2  # of work, then of rest: RAPL counts every millisecond, NVML about every 20
ROUNDS = 9


@dataclass(frozen=True)
class Meter:
    """Something that counts energy.

    Args:
        name: As `Measurement.clock` says it.
        read: Joules since some moment.
    """

    name: str
    read: Callable[[], float]


class NoMeterError(Exception):  # a finding, not a fault
    """There is no meter, and why."""


def meter_for(device: Device, powercap: Path = POWERCAP) -> Meter:
    """The meter of a device: RAPL for the processor's packages, NVML for a GPU.

    Args:
        device: Which device.
        powercap: Where Linux shows its power zones.

    Raises:
        Absent: There is none, or it may not be read.
    """
    return _rapl(powercap) if device == "cpu" else _nvml()


def measure_energy(call: Callee, meter: Meter, *, rounds: int = ROUNDS, turn: float = TURN_SECONDS) -> Measurement:
    """Energy of one call, in millijoules, above what the machine takes without it.

    Turns of calls and of rest alternate: a meter counts for the whole processor, its idling and its other work included, and
    what a turn of rest took beside it is subtracted (for RAPL's worth see Khan et al., RAPL in Action, ACM TOMPECS 2018).

    Args:
        call: What to weigh; it is best run in before.
        meter: What counts.
        rounds: Pairs of turns.
        turn: Seconds of one turn.
    """
    samples = [_above_rest(call, meter, turn) for _ in range(rounds)]
    return summarize("energy", "mJ", samples, clock=meter.name)


def _above_rest(call: Callee, meter: Meter, turn: float) -> float:
    """Millijoules a call of one pair of turns."""
    calls, began, had = 0, time.perf_counter(), meter.read()
    while time.perf_counter() < began + turn:
        call()
        calls += 1
    worked, took = meter.read() - had, time.perf_counter() - began
    began, had = time.perf_counter(), meter.read()
    time.sleep(turn)
    rested = (meter.read() - had) / (time.perf_counter() - began)
    return 1e3 * (worked - rested * took) / calls


def _rapl(powercap: Path) -> Meter:
    """All packages together, by the kernel's counters of microjoules (kernel documentation, "Power Capping Framework")."""
    # AMD's processors are shown under the same name; a subzone has a second colon, and its package counts for it.
    zones = [zone for zone in powercap.glob("intel-rapl:*") if zone.name.count(":") == 1]
    if not zones:
        raise NoMeterError(f"this machine shows no energy counter (RAPL) under {powercap}")
    counters = [_Counter(zone) for zone in zones]
    try:
        sum(counter.joules() for counter in counters)
    except OSError as error:
        raise NoMeterError(f"the energy counter (RAPL) may not be read: {error}") from error
    return Meter("rapl", lambda: sum(counter.joules() for counter in counters))


class _Counter:
    """A counter of one zone, that runs on when the kernel's begins anew."""

    def __init__(self, zone: Path) -> None:
        self.zone, self.last, self.passed = zone, -1, 0

    def joules(self) -> float:
        now = int((self.zone / "energy_uj").read_text())
        if now < self.last:
            self.passed += int((self.zone / "max_energy_range_uj").read_text())
        self.last = now
        return (self.passed + now) / 1e6


def _nvml() -> Meter:
    """The current GPU's counter of millijoules (NVML reference, `nvmlDeviceGetTotalEnergyConsumption`; Volta and later)."""
    import torch

    if not torch.cuda.is_available():
        raise NoMeterError("there is no CUDA device here")
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
        own = f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"
        handle = nvml.nvmlDeviceGetHandleByUUID(own)
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except ImportError as error:
        raise NoMeterError("the GPU's energy counter is read with the package nvidia-ml-py, which is not installed") from error
    except Exception as error:  # NVML's own errors have no base that is known before it is imported
        raise NoMeterError(f"the GPU's energy counter cannot be read: {error}") from error
    return Meter("nvml", lambda: float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3)
