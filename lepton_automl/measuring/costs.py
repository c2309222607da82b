"""The costs of an exported network that a search can minimise or limit; each is a plug-in."""

from __future__ import annotations

import math

from lepton_automl.errors import LeptonError
from lepton_automl.objective import Artifact, Objective


class _Profiled:
    """A cost that is measured for every candidate."""

    objective: Objective

    def measure(self, artifact: Artifact) -> float:
        """NaN: every profile has the value already."""
        del artifact
        return math.nan


class Latency(_Profiled):
    """The time of one call on the deployment's device."""

    objective = Objective(name="latency_ms", direction="minimize", label="latency", unit="ms")


class Size(_Profiled):
    """The size of the exported file."""

    objective = Objective(name="size_bytes", direction="minimize", label="size", unit="bytes")


class Parameters(_Profiled):
    """The number of weights."""

    objective = Objective(name="parameters", direction="minimize", label="parameters")


class Macs:
    """The multiply-accumulates of one example, counted from the recipe."""

    objective = Objective(name="macs", direction="minimize", label="multiply-accumulates")

    def measure(self, artifact: Artifact) -> float:
        """The count for this artifact's recipe."""
        if not artifact.macs:
            what = "the multiply-accumulates of these networks are not known"
            raise LeptonError(what, where="objectives", fix="Choose another objective.")
        return float(artifact.macs)


class Memory:
    """The peak memory of loading the file and of one call, above the runtime's own, in a fresh process."""

    objective = Objective(name="memory_bytes", direction="minimize", label="peak memory", unit="bytes")

    def measure(self, artifact: Artifact) -> float:
        """The median of a few fresh processes."""
        memory = artifact.cold_start.memory
        if memory is None:
            what = "this system does not report the peak memory of a process"
            raise LeptonError(what, where="objectives", fix="Choose another objective.")
        return max(1.0, float(memory.median))


class ColdStart:
    """The time that a fresh process takes for loading the file and for one call, after the runtime's imports."""

    objective = Objective(name="cold_start_ms", direction="minimize", label="cold start", unit="ms")

    def measure(self, artifact: Artifact) -> float:
        """The median of a few fresh processes."""
        return float(artifact.cold_start.cold_start.median)


class Energy:
    """The energy of one call above that of the idle machine; it needs a meter."""

    objective = Objective(name="energy_mj", direction="minimize", label="energy", unit="mJ")

    def measure(self, artifact: Artifact) -> float:
        """The median of some calls."""
        return float(artifact.energy.median)
