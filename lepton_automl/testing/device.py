"""The contract of devices. A plug-in's own test inherits `DeviceContract` and provides its device."""

from __future__ import annotations

import time

import pytest

from lepton_automl import plugins
from lepton_automl.device import Device, NoMeterError, get_device
from lepton_automl.errors import LeptonError
from lepton_automl.specs import Budget, Deployment


class DeviceContract:
    """The contract as pytest tests: a subclass provides `device`."""

    device: Device

    def test_it_is_chosen_by_its_name(self) -> None:
        """In a deployment, and in the prices of a budget."""
        name = self.device.name
        assert plugins.is_known("devices", name) and type(get_device(name)) is type(self.device)
        assert Deployment(device=name).device == name
        assert Budget(cost=1.0, prices={name: 1.0}).prices == {name: 1.0}

    def test_it_reports_whether_models_can_be_measured_on_it(self) -> None:
        """The reason does not end with a period, as a check appends the fix."""
        reason = self.device.unavailable()
        assert not reason.endswith(".") and reason == self.device.unavailable()

    @pytest.mark.parametrize("threads", [1, 4])
    def test_its_clock_runs_while_a_call_works(self, threads: int) -> None:
        """In nanoseconds, and never backwards."""
        try:
            clock = self.device.clock(threads)
        except LeptonError as error:
            pytest.skip(str(error))
        start, until = clock.read(), time.perf_counter() + 0.02
        call = clock.settled(lambda: sum(range(1000)))
        while time.perf_counter() < until:
            call()
        assert clock.name and 0 <= clock.read() - start < 60e9

    def test_its_meter_counts_or_is_missing_for_a_reason(self) -> None:
        """Its reading, in joules, never decreases."""
        try:
            meter = self.device.meter()
        except NoMeterError as reason:
            pytest.skip(str(reason))
        before = meter.read()
        time.sleep(0.05)
        assert meter.name and meter.read() >= before
