"""The protocol of a watcher, and watchers by name.

Watchers are plug-ins of the kind `"watchers"`. Their contract is tested by `lepton_automl.testing.watcher`.
"""

from __future__ import annotations

from typing import Protocol, cast

from lepton_automl import plugins

from .evidence import Evidence
from .profile import Profile
from .rows import Calls, Feedback, Rows

KIND = "watchers"
BUILT_IN = {
    "drift": "lepton_automl.monitoring.watchers.drift:DriftWatcher",
    "together": "lepton_automl.monitoring.watchers.drift:TogetherWatcher",
    "missing": "lepton_automl.monitoring.watchers.drift:MissingWatcher",
    "unseen": "lepton_automl.monitoring.watchers.drift:UnseenWatcher",
    "unit": "lepton_automl.monitoring.watchers.unit:UnitWatcher",
    "stuck": "lepton_automl.monitoring.watchers.stuck:StuckWatcher",
    "answers": "lepton_automl.monitoring.watchers.outputs:AnswersWatcher",
    "confidence": "lepton_automl.monitoring.watchers.outputs:ConfidenceWatcher",
    "score": "lepton_automl.monitoring.watchers.score:ScoreWatcher",
    "poisoned": "lepton_automl.monitoring.watchers.poisoned:PoisonedWatcher",
    "latency": "lepton_automl.monitoring.watchers.calls:LatencyWatcher",
    "failures": "lepton_automl.monitoring.watchers.calls:FailuresWatcher",
}
# A kind of plug-in like those of plugins.py, known once this module is imported.
plugins.KINDS.setdefault(KIND, "watcher")
plugins.BUILT_IN.setdefault(KIND, BUILT_IN)


class Watch:
    """A watcher at work on one live model; it keeps what it needs to remember. Methods that are not overridden watch nothing."""

    def rows(self, rows: Rows) -> list[Evidence]:
        """Watch answered rows, any number of them; how they are divided into calls makes no difference."""
        del rows
        return []

    def feedback(self, feedback: Feedback) -> list[Evidence]:
        """Watch true answers."""
        del feedback
        return []

    def calls(self, calls: Calls) -> list[Evidence]:
        """Watch calls."""
        del calls
        return []

    def reset(self) -> None:
        """Forget all evidence, after a model or its policy changed; the profile is kept."""


class Watcher(Protocol):
    """Looks for one kind of change.

    Attributes:
        name: The name that selects it, in a policy and in evidence.
        weight: Its share of the false alarms, relative to other watchers: small where a change is plain within a few rows, as the delay
            grows with the logarithm of its inverse only.
    """

    name: str
    weight: float

    def start(self, profile: Profile, false_alarms: float) -> Watch | None:
        """Begin to watch; None if the profile lacks what is needed.

        Args:
            profile: What is normal.
            false_alarms: The share of windows of 500 rows, true answers or calls in which an alarm may be false. It holds if these
                are drawn independently from the same distribution as the profile's.
        """


def get_watcher(name: str) -> Watcher:
    """The watcher with this name.

    Raises:
        ConfigError: There is none.
        ExtraError: Its package cannot be imported.
    """
    return cast("Watcher", plugins.instance(KIND, name))
