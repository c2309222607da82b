"""The processor of this machine."""

from __future__ import annotations

from pathlib import Path

from lepton_automl.device import Clock, Meter, NoMeterError
from lepton_automl.measuring.host import THREAD_CPU, WALL

POWERCAP = Path("/sys/class/powercap")


class Cpu:
    """The processor.

    Args:
        powercap: The folder in which Linux lists its power zones.
    """

    name = "cpu"

    def __init__(self, powercap: Path = POWERCAP) -> None:
        self.powercap = powercap

    def unavailable(self) -> str:
        """Empty: it is always available."""
        return ""

    def clock(self, threads: int) -> Clock:
        """The CPU time of the calling thread, which stops while others have the core; the wall clock for several threads.

        One thread's CPU time leaves out a call's other threads, and the sum over all threads would not show how well they share
        the work.
        """
        return THREAD_CPU if threads == 1 else WALL

    def meter(self) -> Meter:
        """RAPL: the sum of the kernel's microjoule counters of all packages (kernel documentation, "Power Capping Framework").

        Raises:
            NoMeterError: There is no counter, or it cannot be read.
        """
        # AMD's processors have the same name; a subzone has a second colon, and its package includes it.
        zones = [zone for zone in self.powercap.glob("intel-rapl:*") if zone.name.count(":") == 1]
        if not zones:
            raise NoMeterError(f"this machine has no energy counter (RAPL) in {self.powercap}")
        counters = [_Counter(zone) for zone in zones]
        try:
            sum(counter.joules() for counter in counters)
        except OSError as error:
            raise NoMeterError(f"the energy counter (RAPL) cannot be read: {error}") from error
        return Meter("rapl", lambda: sum(counter.joules() for counter in counters))


class _Counter:
    """The counter of one zone, which keeps counting where the kernel's wraps around to zero."""

    def __init__(self, zone: Path) -> None:
        self.zone, self.last, self.offset = zone, -1, 0

    def joules(self) -> float:
        now = int((self.zone / "energy_uj").read_text())
        if now < self.last:
            self.offset += int((self.zone / "max_energy_range_uj").read_text())
        self.last = now
        return (self.offset + now) / 1e6
