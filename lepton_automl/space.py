"""The knobs of a search as values: what may be turned, how far, and where it stands when nobody turns it."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ._json import Value
from .errors import Complaints, did_you_mean

Setting = float | int | str | bool
Config = dict[str, Setting]


@dataclass(frozen=True, kw_only=True)
class Hyperparameter(Value):
    """A hyperparameter: one thing that a search may vary.

    Either `choices` (in any order that means something: neighbours should be alike), or `low` and `high`.

    Args:
        default: Where it stands in a network drawn without any search.
        low: The least value, inclusive.
        high: The greatest value, inclusive.
        log: Whether steps are even on a logarithmic scale.
        integer: Whether only whole numbers are allowed.
        choices: The settings of a categorical knob.
    """

    default: Setting
    low: float | None = None
    high: float | None = None
    log: bool = False
    integer: bool = False
    choices: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        complaints = Complaints("Hyperparameter")
        if not self.choices:
            ranged = isinstance(self.low, int | float) and isinstance(self.high, int | float) and self.low < self.high
            complaints.check(ranged, f"low is {self.low!r} and high is {self.high!r}", "Give choices, or low below high.")
            complaints.check(not (self.log and ranged and (self.low or 0) <= 0), "a log knob's low must be above 0")
        if not complaints.found:
            complaints.check(self.allows(self.default), f"the default {self.default!r} is out of range ({self.describe()})")
        complaints.raise_any()

    def allows(self, setting: Any) -> bool:
        """Whether a setting lies within the knob's range."""
        if self.choices:
            return setting in self.choices
        if isinstance(setting, bool) or not isinstance(setting, int | float) or self.low is None or self.high is None:
            return False
        return self.low <= setting <= self.high and not (self.integer and setting != int(setting))

    def takes(self, setting: Any) -> bool:
        """Whether a person may pin the knob to a setting: one of its choices, or any number, within the range or not."""
        if self.choices:
            return setting in self.choices
        return isinstance(setting, int | float) and not isinstance(setting, bool)

    def read(self, text: str) -> Setting:
        """A setting as a person writes it in a shell; what is none stays text, which is not allowed."""
        named: dict[str, Setting] = {str(choice).lower(): choice for choice in self.choices}
        if text.lower() in named:
            return named[text.lower()]
        try:
            number = float(text)
        except ValueError:
            return text
        return int(number) if number.is_integer() else number

    def sample(self, rng: random.Random) -> Setting:
        """A setting drawn evenly (evenly in the logarithm for a log knob)."""
        if self.choices:
            drawn: Setting = rng.choice(self.choices)
            return drawn
        assert self.low is not None and self.high is not None
        if self.integer and not self.log:
            return rng.randint(int(self.low), int(self.high))
        value = math.exp(rng.uniform(math.log(self.low), math.log(self.high))) if self.log else rng.uniform(self.low, self.high)
        return round(value) if self.integer else value

    def describe(self) -> str:
        """The range in words."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        return f"{self.low:g} to {self.high:g}" + (" (log)" if self.log else "")


def Categorical(*choices: Setting, default: Setting) -> Hyperparameter:  # noqa: N802  # it reads as a kind of hyperparameter
    """A hyperparameter with choices."""
    return Hyperparameter(default=default, choices=choices)


def Float(low: float, high: float, *, default: float, log: bool = False) -> Hyperparameter:  # noqa: N802  # it reads as a kind of hyperparameter
    """A hyperparameter over real numbers."""
    return Hyperparameter(default=default, low=low, high=high, log=log)


def Integer(low: int, high: int, *, default: int, log: bool = False) -> Hyperparameter:  # noqa: N802  # it reads as a kind of hyperparameter
    """A hyperparameter over whole numbers."""
    return Hyperparameter(default=default, low=low, high=high, log=log, integer=True)


@dataclass(frozen=True, kw_only=True)
class Space(Value, Mapping[str, Hyperparameter]):
    """Named knobs; names are prefixed by room (`model.depth`, `train.lr`, `lean.ratio`)."""

    knobs: dict[str, Hyperparameter]

    def __getitem__(self, name: str) -> Hyperparameter:
        return self.knobs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.knobs)

    def __len__(self) -> int:
        return len(self.knobs)

    def __or__(self, other: Space) -> Space:
        return Space(knobs={**self.knobs, **other.knobs})

    @property
    def defaults(self) -> Config:
        """Every knob at its default."""
        return {name: knob.default for name, knob in self.knobs.items()}

    def sample(self, rng: random.Random) -> Config:
        """One configuration, every knob drawn on its own."""
        return {name: knob.sample(rng) for name, knob in self.knobs.items()}

    def complete(self, config: Mapping[str, Setting]) -> Config:
        """A partial configuration with the defaults filled in, checked.

        Raises:
            ConfigError: A name is unknown or a setting is out of range; all such are listed.
        """
        complaints = Complaints("the configuration")
        for name, setting in config.items():
            if name not in self.knobs:
                complaints.add(f"there is no knob {name!r}.{did_you_mean(name, self.knobs)}")
            elif not self.knobs[name].allows(setting):
                complaints.add(f"{name}={setting!r} is out of range ({self.knobs[name].describe()})")
        complaints.raise_any()
        return {**self.defaults, **config}

    def nearest(self, config: Mapping[str, Setting]) -> Config:
        """A known-good configuration brought into this space: what it does not allow stands at its own default."""
        return self.defaults | self.allowed(config)

    def allowed(self, config: Mapping[str, Setting]) -> Config:
        """What this space knows and allows of a configuration."""
        return {name: setting for name, setting in config.items() if name in self.knobs and self.knobs[name].allows(setting)}

    def restrict(self, changes: Mapping[str, Hyperparameter | Setting]) -> Space:
        """The space with some knobs replaced, or pinned to one setting.

        Raises:
            ConfigError: A knob is unknown, or a setting is not among its choices or no number; all such are listed.
        """
        knobs, complaints = dict(self.knobs), Complaints("knobs")
        for name, change in changes.items():
            if name not in knobs:
                complaints.add(f"there is no knob {name!r}.{did_you_mean(name, knobs)}")
            elif isinstance(change, Hyperparameter):
                knobs[name] = change
            elif knobs[name].takes(change):
                knobs[name] = Categorical(change, default=change)
            else:
                complaints.add(f"{name} cannot be {change!r} ({knobs[name].describe()})")
        complaints.raise_any()
        return Space(knobs=knobs)
