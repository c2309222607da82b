"""The device that a model runs on: a protocol, and what measuring needs to know of one.

Devices are plug-ins of the kind `"devices"`. Their contract is tested by `lepton_automl.testing.device`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from . import plugins


@dataclass(frozen=True)
class Clock:
    """A way to tell the time.

    Args:
        name: As `Measurement.clock` has it.
        read: Nanoseconds since some moment.
        settle: Waits until all work that was started is done; None where a call that returns has done its work.
    """

    name: str
    read: Callable[[], int]
    settle: Callable[[], object] | None = None

    def settled(self, call: Callable[[], object]) -> Callable[[], object]:
        """The call, up to the moment when its work is done."""
        settle = self.settle
        if settle is None:
            return call

        def whole() -> None:
            call()
            settle()

        return whole


@dataclass(frozen=True)
class Meter:
    """Something that counts energy.

    Args:
        name: As `Measurement.clock` has it.
        read: Joules since some moment.
    """

    name: str
    read: Callable[[], float]


class NoMeterError(Exception):
    """There is no energy meter, and why."""


class Device(Protocol):
    """A kind of processor that finished models run on.

    Attributes:
        name: What it is chosen by, in `Deployment(device=...)` and `Budget(prices=...)`.
    """

    name: str

    def unavailable(self) -> str:
        """Why a search cannot measure models on it, as the start of a sentence; empty where it can."""

    def clock(self, threads: int) -> Clock:
        """The steadiest clock for calls that use so many threads.

        Raises:
            LeptonError: There is no such device here.
        """

    def meter(self) -> Meter:
        """What counts the energy that it takes.

        Raises:
            NoMeterError: Nothing does, or it may not be read.
        """


def get_device(name: str) -> Device:
    """The device of a name.

    Raises:
        ConfigError: There is none.
        ExtraError: Its package cannot be imported.
    """
    return cast("Device", plugins.instance("devices", name))
