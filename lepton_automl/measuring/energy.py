"""The energy of a call, where the device has a meter."""

from __future__ import annotations

import time

from lepton_automl.device import Meter
from lepton_automl.profile import Measurement

from .statistics import summarize
from .timed_callable import Callee

TURN_SECONDS = 0.2  # of work, then of rest: RAPL counts every millisecond, NVML about every 20
ROUNDS = 9


def measure_energy(call: Callee, meter: Meter, *, rounds: int = ROUNDS, turn: float = TURN_SECONDS) -> Measurement:
    """Energy of one call, in millijoules, above that of the idle machine.

    Turns of calls and of rest alternate: a meter counts for the whole processor, including idling and other work, so the
    energy of a turn of rest is subtracted (on the accuracy of RAPL see Khan et al., RAPL in Action, ACM TOMPECS 2018).

    Args:
        call: What to measure; it should be warmed up.
        meter: The meter.
        rounds: Pairs of turns.
        turn: Seconds of one turn.
    """
    samples = [_above_rest(call, meter, turn) for _ in range(rounds)]
    return summarize("energy", "mJ", samples, clock=meter.name)


def _above_rest(call: Callee, meter: Meter, turn: float) -> float:
    """Millijoules of a call, from one pair of turns."""
    calls, start, before = 0, time.perf_counter(), meter.read()
    while time.perf_counter() < start + turn:
        call()
        calls += 1
    joules, seconds = meter.read() - before, time.perf_counter() - start
    start, before = time.perf_counter(), meter.read()
    time.sleep(turn)
    idle_power = (meter.read() - before) / (time.perf_counter() - start)
    return 1e3 * (joules - idle_power * seconds) / calls
