"""The processor of this machine."""

from __future__ import annotations

from pathlib import Path

from lepton_automl.device import Clock, Meter, NoMeterError
from lepton_automl.measuring.host import THREAD_CPU, WALL

POWERCAP = Path("/sys/class/powercap")


class Cpu:
    """The processor.

    Args:
        powercap: Where Linux shows its power zones.
    """

    name = "cpu"

    def __init__(self, powercap: Path = POWERCAP) -> None:
        self.powercap = powercap

    def unavailable(self) -> str:
        """It is always there."""
        return ""

    def clock(self, threads: int) -> Clock:
        """The CPU time of the calling thread, which does not count while others have the core; the wall clock for several threads.

        The time of one thread knows nothing of a call's other threads, and adding theirs up would say nothing of how well they
        share the work.
        """
        return THREAD_CPU if threads == 1 else WALL

    def meter(self) -> Meter:
        """RAPL: all packages together, by the kernel's counters of microjoules (kernel documentation, "Power Capping Framework").

        Raises:
            NoMeterError: There is none, or it may not be read.
        """
        # AMD's processors are shown under the same name; a subzone has a second colon, and its package counts for it.
        zones = [zone for zone in self.powercap.glob("intel-rapl:*") if zone.name.count(":") == 1]
        if not zones:
            raise NoMeterError(f"this machine shows no energy counter (RAPL) under {self.powercap}")
        counters = [_Counter(zone) for zone in zones]
        try:
            sum(counter.joules() for counter in counters)
        except OSError as error:
            raise NoMeterError(f"the energy counter (RAPL) may not be read: {error}") from error
        return Meter("rapl", lambda: sum(counter.joules() for counter in counters))


class _Counter:
    """The counter of one zone, continued where the kernel's starts again from zero."""

    def __init__(self, zone: Path) -> None:
        self.zone, self.last, self.passed = zone, -1, 0

    def joules(self) -> float:
        now = int((self.zone / "energy_uj").read_text())
        if now < self.last:
            self.passed += int((self.zone / "max_energy_range_uj").read_text())
        self.last = now
        return (self.passed + now) / 1e6
