"""The costs of an exported network that a search can make better or limit; each is a plug-in."""

from __future__ import annotations

import math

from lepton_automl.errors import LeptonError
from lepton_automl.objective import Artifact, Objective


class _Profiled:
    """A cost that is measured for every candidate."""

    objective: Objective

    def measure(self, artifact: Artifact) -> float:
        """Part of every profile."""
        del artifact
        return math.nan


class Latency(_Profiled):
    """The time of one call on the target."""

    objective = Objective(name="latency_ms", direction="minimize", label="latency", unit="ms")


class Size(_Profiled):
    """The size of the exported file."""

    objective = Objective(name="size_bytes", direction="minimize", label="size", unit="bytes")


class Parameters(_Profiled):
    """The number of weights."""

    objective = Objective(name="parameters", direction="minimize", label="parameters")


class Macs:
    """Multiply-accumulates of one example, by the recipe."""

    objective = Objective(name="macs", direction="minimize", label="multiply-accumulates")

    def measure(self, artifact: Artifact) -> float:
        """As the recipe counts them."""
        if not artifact.macs:
            what = "the multiply-accumulates of these networks are not known"
            raise LeptonError(what, where="objectives", fix="Choose another objective.")
        return float(artifact.macs)


class Memory:
    """Memory that loading the file and one answer take at most, above the runtime's own, in a fresh process."""

    objective = Objective(name="memory_bytes", direction="minimize", label="peak memory", unit="bytes")

    def measure(self, artifact: Artifact) -> float:
        """The median of a few fresh processes."""
        memory = artifact.cold_start.memory
        if memory is None:
            what = "this system does not report the peak memory of a process"
            raise LeptonError(what, where="objectives", fix="Choose another objective.")
        return max(1.0, float(memory.median))


class ColdStart:
    """The time that a fresh process takes to load the file and to answer once, after the runtime's imports."""

    objective = Objective(name="cold_start_ms", direction="minimize", label="cold start", unit="ms")

    def measure(self, artifact: Artifact) -> float:
        """The median of a few fresh processes."""
        return float(artifact.cold_start.cold_start.median)


class Energy:
    """The energy of one call, above the idle machine's, where there is a meter."""

    objective = Objective(name="energy_mj", direction="minimize", label="energy", unit="mJ")

    def measure(self, artifact: Artifact) -> float:
        """The median of some calls."""
        return float(artifact.energy.median)
