"""Several watchers on one live model, which share a stated false-alarm rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lepton_automl import plugins
from lepton_automl.errors import Complaints

from .evidence import Evidence
from .profile import Profile
from .rows import Calls, Feedback, Rows
from .watcher import KIND, Watch, Watcher, get_watcher

FALSE_ALARMS = 0.02  # of windows of 500 rows: one in 50


class Monitor:
    """Watches one live model for changes of all kinds.

    Args:
        profile: What is normal.
        watchers: What to look for; by default, everything that is installed.
        false_alarms: The share of windows of 500 rows with a false alarm of any watcher. Watchers without what they need in the
            profile, such as held-out answers, take no part; the others share it by their weights.

    Raises:
        ConfigError: The rate is not between 0 and 1, or no watcher has what it needs.
    """

    def __init__(self, profile: Profile, watchers: Sequence[Watcher] | None = None, false_alarms: float = FALSE_ALARMS) -> None:
        chosen = [get_watcher(name) for name in plugins.names(KIND)] if watchers is None else list(watchers)
        complaints = Complaints("Monitor")
        complaints.check(0 < false_alarms < 1, f"false_alarms is {false_alarms!r}; it must be more than 0 and less than 1")
        complaints.raise_any()
        able = [watcher for watcher in chosen if watcher.start(profile, false_alarms) is not None]
        complaints.check(able, "no watcher has what it needs in the profile", "Make a profile with features or answers.")
        complaints.raise_any()
        total = sum(watcher.weight for watcher in able)
        self.profile = profile
        self.watches: dict[str, Watch] = {}
        for watcher in able:
            watch = watcher.start(profile, false_alarms * watcher.weight / total)
            assert watch is not None
            self.watches[watcher.name] = watch

    def rows(self, rows: Rows) -> list[Evidence]:
        """Watch answered rows.

        Raises:
            DataError: They do not fit the profile.
        """
        return self._all(lambda watch: watch.rows(rows))

    def feedback(self, feedback: Feedback) -> list[Evidence]:
        """Watch true answers."""
        return self._all(lambda watch: watch.feedback(feedback))

    def calls(self, calls: Calls) -> list[Evidence]:
        """Watch calls."""
        return self._all(lambda watch: watch.calls(calls))

    def reset(self) -> None:
        """Forget all evidence, after the model was changed."""
        for watch in self.watches.values():
            watch.reset()

    def _all(self, ask: Callable[[Watch], list[Evidence]]) -> list[Evidence]:
        return [evidence for watch in self.watches.values() for evidence in ask(watch)]
