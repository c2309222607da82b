"""The device that a model runs on: its protocol, and what measuring needs to know about it.

Devices are plug-ins of the kind `"devices"`. Their contract is tested by `lepton_automl.testing.device`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from . import plugins


@dataclass(frozen=True)
class Clock:
    """A clock to time calls with.

    Args:
        name: Its name in `Measurement.clock`.
        read: Returns nanoseconds since some moment.
        settle: Waits until all started work is done; None if calls only return when their work is done.
    """

    name: str
    read: Callable[[], int]
    settle: Callable[[], object] | None = None

    def settled(self, call: Callable[[], object]) -> Callable[[], object]:
        """A function that makes the call and waits until its work is done."""
        settle = self.settle
        if settle is None:
            return call

        def call_and_settle() -> None:
            call()
            settle()

        return call_and_settle


@dataclass(frozen=True)
class Meter:
    """An energy meter.

    Args:
        name: Its name in `Measurement.clock`.
        read: Returns joules since some moment.
    """

    name: str
    read: Callable[[], float]


class NoMeterError(Exception):
    """There is no energy meter; the message explains why."""


class Device(Protocol):
    """A kind of processor that finished models run on.

    Attributes:
        name: The name that selects it, in `Deployment(device=...)` and `Budget(prices=...)`.
    """

    name: str

    def unavailable(self) -> str:
        """Why a search cannot measure models on it, as the start of a sentence; empty if it can."""

    def clock(self, threads: int) -> Clock:
        """The most stable clock for calls that use this many threads.

        Raises:
            LeptonError: This machine has no such device.
        """

    def meter(self) -> Meter:
        """The meter of the energy that it uses.

        Raises:
            NoMeterError: There is none, or this process may not read it.
        """


def get_device(name: str) -> Device:
    """The device with this name.

    Raises:
        ConfigError: There is none.
        ExtraError: Its package cannot be imported.
    """
    return cast("Device", plugins.instance("devices", name))
