"""What a call costs in energy, where something on this machine counts it."""

from __future__ import annotations

import time

from lepton_automl.device import Meter
from lepton_automl.profile import Measurement

from .statistics import summarize
from .timed_callable import Callee

TURN_SECONDS = 0.2  # of work, then of rest: RAPL counts every millisecond, NVML about every 20
ROUNDS = 9


def measure_energy(call: Callee, meter: Meter, *, rounds: int = ROUNDS, turn: float = TURN_SECONDS) -> Measurement:
    """Energy of one call, in millijoules, above what the machine takes without it.

    Turns of calls and of rest alternate: a meter counts for the whole processor, its idling and its other work included, and
    what a turn of rest took beside it is subtracted (for RAPL's worth see Khan et al., RAPL in Action, ACM TOMPECS 2018).

    Args:
        call: What to weigh; it is best run in before.
        meter: What counts.
        rounds: Pairs of turns.
        turn: Seconds of one turn.
    """
    samples = [_above_rest(call, meter, turn) for _ in range(rounds)]
    return summarize("energy", "mJ", samples, clock=meter.name)


def _above_rest(call: Callee, meter: Meter, turn: float) -> float:
    """Millijoules a call of one pair of turns."""
    calls, began, had = 0, time.perf_counter(), meter.read()
    while time.perf_counter() < began + turn:
        call()
        calls += 1
    worked, took = meter.read() - had, time.perf_counter() - began
    began, had = time.perf_counter(), meter.read()
    time.sleep(turn)
    rested = (meter.read() - had) / (time.perf_counter() - began)
    return 1e3 * (worked - rested * took) / calls
