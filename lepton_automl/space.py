"""Search spaces as values: hyperparameters with their ranges and defaults."""

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
    """A hyperparameter with its range and default.

    It has either `choices` (ordered so that neighbours are alike), or `low` and `high`.

    Args:
        default: Its value when it is not searched.
        low: The lowest value, inclusive.
        high: The highest value, inclusive.
        log: Whether it is searched on a logarithmic scale.
        integer: Whether only integers are allowed.
        choices: The values of a categorical hyperparameter.
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
            complaints.check(not (self.log and ranged and (self.low or 0) <= 0), "with log=True, low must be above 0")
        if not complaints.found:
            complaints.check(self.allows(self.default), f"the default {self.default!r} is out of range ({self.describe()})")
        complaints.raise_any()

    def allows(self, setting: Any) -> bool:
        """Whether a value is allowed: one of the choices, or within the range."""
        if self.choices:
            return setting in self.choices
        if isinstance(setting, bool) or not isinstance(setting, int | float) or self.low is None or self.high is None:
            return False
        return self.low <= setting <= self.high and not (self.integer and setting != int(setting))

    def takes(self, setting: Any) -> bool:
        """Whether the user may pin the hyperparameter to a value: one of its choices, or any number, even outside the range."""
        if self.choices:
            return setting in self.choices
        return isinstance(setting, int | float) and not isinstance(setting, bool)

    def read(self, text: str) -> Setting:
        """Parse a value as written in a shell; a text that is not a valid value is returned as is, and `allows` refuses it."""
        named: dict[str, Setting] = {str(choice).lower(): choice for choice in self.choices}
        if text.lower() in named:
            return named[text.lower()]
        try:
            number = float(text)
        except ValueError:
            return text
        return int(number) if number.is_integer() else number

    def sample(self, rng: random.Random) -> Setting:
        """Draw a value uniformly (in the logarithm, if `log`)."""
        if self.choices:
            choice: Setting = rng.choice(self.choices)
            return choice
        assert self.low is not None and self.high is not None
        if self.integer and not self.log:
            return rng.randint(int(self.low), int(self.high))
        value = math.exp(rng.uniform(math.log(self.low), math.log(self.high))) if self.log else rng.uniform(self.low, self.high)
        return round(value) if self.integer else value

    def describe(self) -> str:
        """The range as text."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        return f"{self.low:g} to {self.high:g}" + (" (log)" if self.log else "")


def Categorical(*choices: Setting, default: Setting) -> Hyperparameter:  # noqa: N802  # it reads as a kind of hyperparameter
    """A categorical hyperparameter."""
    return Hyperparameter(default=default, choices=choices)


def Float(low: float, high: float, *, default: float, log: bool = False) -> Hyperparameter:  # noqa: N802  # it reads as a kind of hyperparameter
    """A real-valued hyperparameter."""
    return Hyperparameter(default=default, low=low, high=high, log=log)


def Integer(low: int, high: int, *, default: int, log: bool = False) -> Hyperparameter:  # noqa: N802  # it reads as a kind of hyperparameter
    """An integer hyperparameter."""
    return Hyperparameter(default=default, low=low, high=high, log=log, integer=True)


@dataclass(frozen=True, kw_only=True)
class Space(Value, Mapping[str, Hyperparameter]):
    """A search space: hyperparameters by name, each prefixed by what it belongs to (`model.depth`, `train.lr`, `prune.ratio`)."""

    hyperparameters: dict[str, Hyperparameter]

    def __getitem__(self, name: str) -> Hyperparameter:
        return self.hyperparameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.hyperparameters)

    def __len__(self) -> int:
        return len(self.hyperparameters)

    def __or__(self, other: Space) -> Space:
        return Space(hyperparameters={**self.hyperparameters, **other.hyperparameters})

    @property
    def defaults(self) -> Config:
        """The default of every hyperparameter."""
        return {name: hyperparameter.default for name, hyperparameter in self.hyperparameters.items()}

    def sample(self, rng: random.Random) -> Config:
        """Draw one configuration, each hyperparameter independently."""
        return {name: hyperparameter.sample(rng) for name, hyperparameter in self.hyperparameters.items()}

    def complete(self, config: Mapping[str, Setting]) -> Config:
        """A partial configuration, checked and completed with the defaults.

        Raises:
            ConfigError: Some names are unknown or values out of range; all are listed.
        """
        complaints = Complaints("the configuration")
        for name, setting in config.items():
            if name not in self.hyperparameters:
                complaints.add(f"there is no hyperparameter {name!r}.{did_you_mean(name, self.hyperparameters)}")
            elif not self.hyperparameters[name].allows(setting):
                complaints.add(f"{name}={setting!r} is out of range ({self.hyperparameters[name].describe()})")
        complaints.raise_any()
        return {**self.defaults, **config}

    def nearest(self, config: Mapping[str, Setting]) -> Config:
        """The closest configuration in this space: what the space does not allow takes its default."""
        return self.defaults | self.allowed(config)

    def allowed(self, config: Mapping[str, Setting]) -> Config:
        """The part of a configuration that this space allows."""
        return {
            name: setting
            for name, setting in config.items()
            if name in self.hyperparameters and self.hyperparameters[name].allows(setting)
        }

    def restrict(self, changes: Mapping[str, Hyperparameter | Setting]) -> Space:
        """The space with some hyperparameters replaced, or pinned to one value.

        Raises:
            ConfigError: Some hyperparameters are unknown, or values are neither among the choices nor numbers; all are listed.
        """
        hyperparameters, complaints = dict(self.hyperparameters), Complaints("hyperparameters")
        for name, change in changes.items():
            if name not in hyperparameters:
                complaints.add(f"there is no hyperparameter {name!r}.{did_you_mean(name, hyperparameters)}")
            elif isinstance(change, Hyperparameter):
                hyperparameters[name] = change
            elif hyperparameters[name].takes(change):
                hyperparameters[name] = Categorical(change, default=change)
            else:
                complaints.add(f"{name} cannot be {change!r} ({hyperparameters[name].describe()})")
        complaints.raise_any()
        return Space(hyperparameters=hyperparameters)
