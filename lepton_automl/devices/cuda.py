"""The current CUDA GPU."""

from __future__ import annotations

import importlib

from lepton_automl.device import Clock, Meter, NoMeterError
from lepton_automl.errors import LeptonError

ABSENT = "there is no CUDA device"


class Cuda:
    """A GPU. Its clock and its meter work; no runtime of this package runs exported models on it yet."""

    name = "cuda"

    def unavailable(self) -> str:
        """Why it is unavailable: no runtime opens models on it."""
        return "latency cannot be measured on a GPU yet"

    def clock(self, threads: int) -> Clock:
        """The GPU's own time between two events on its current stream (CUDA C++ programming guide, "Events").

        Elapsed times are float32 milliseconds, so they are taken from one reading to the next and added up: a time since the
        start of the process would lose its microseconds after a few minutes.

        Raises:
            LeptonError: There is no GPU.
        """
        del threads
        import torch

        if not torch.cuda.is_available():
            raise LeptonError(ABSENT, where="device", fix="Measure on a machine with a CUDA device.")

        def event() -> torch.cuda.Event:
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch ships it untyped
            event.record()
            return event

        last, total_ns = event(), 0.0

        def read() -> int:
            nonlocal last, total_ns
            now = event()
            now.synchronize()
            total_ns += 1e6 * float(last.elapsed_time(now))
            last = now
            return round(total_ns)

        return Clock("device", read, torch.cuda.synchronize)

    def meter(self) -> Meter:
        """The GPU's millijoule counter (NVML reference, `nvmlDeviceGetTotalEnergyConsumption`; Volta and later).

        Raises:
            NoMeterError: There is no GPU, or its counter cannot be read.
        """
        import torch

        if not torch.cuda.is_available():
            raise NoMeterError(ABSENT)
        try:
            nvml = importlib.import_module("pynvml")
            nvml.nvmlInit()
            gpu_id = f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"
            handle = nvml.nvmlDeviceGetHandleByUUID(gpu_id)
            nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        except ImportError as error:
            what = "the GPU's energy counter is read with the package nvidia-ml-py, which is not installed"
            raise NoMeterError(what) from error
        except Exception as error:  # NVML's own exceptions are not known before it is imported
            raise NoMeterError(f"the GPU's energy counter cannot be read: {error}") from error
        return Meter("nvml", lambda: float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3)
