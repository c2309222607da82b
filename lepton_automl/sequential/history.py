"""The course of a training."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


@dataclass
class History:
    """The loss and the metrics after each epoch.

    Attributes:
        history: One number for each epoch, by name; those of the validation rows begin with `val_`.
        seconds: Seconds of each epoch, without scoring.
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """How many epochs there were."""
        return len(self.seconds)

    @property
    def frame(self) -> pd.DataFrame:
        """One row for each epoch."""
        return pd.DataFrame({**self.history, "seconds": self.seconds}, index=pd.RangeIndex(1, self.epochs + 1, name="epoch"))

    def add(self, values: dict[str, float], seconds: float) -> None:
        """Add an epoch."""
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        self.seconds.append(seconds)

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4f}" for name, values in self.history.items())
        return f"<History of {self.epochs} epochs: {last}>"
