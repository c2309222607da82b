"""How a training is ended in the middle of an epoch."""

from __future__ import annotations

from lepton_automl.jobs import Decision


class TrainingStopped(Exception):  # noqa: N818  # not an error: a decision ends the training
    """Raised from the function that is called before every step, to end the training with the best weights so far.

    Args:
        decision: The decision that ends it.
    """

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason)
        self.decision = decision
