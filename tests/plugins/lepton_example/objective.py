"""How many steps a model takes."""

from __future__ import annotations

from lepton_automl.objective import Artifact, Objective


class Steps:
    """The nodes of the exported graph."""

    objective = Objective(name="steps", direction="minimize", label="steps")

    def measure(self, artifact: Artifact) -> float:
        """Counted in the graph, whatever the runtime."""
        import onnx

        return float(len(onnx.load(str(artifact.graph)).graph.node))
