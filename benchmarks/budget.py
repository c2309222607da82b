"""How well a search keeps its budget: requested against used, in real studies and on a virtual clock."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path

from lepton_automl import AutoML
from lepton_automl.data.demo import digits
from lepton_automl.execution.simulated import Recording, SimulatedExecutor
from lepton_automl.jobs import TrialJob
from lepton_automl.specs import Budget
from lepton_automl.state import StudyState
from lepton_automl.study.runner import search
from lepton_automl.study_store import StudyStore

from .made_up import profile, study, weighed
from .report import Figure, Result

PRICE = 0.6  # per hour of one worker
WORKERS = 2
VIRTUAL = (
    Budget(minutes=10),
    Budget(minutes=30),
    Budget(minutes=120),
    Budget(cost=0.5, prices={"cpu": PRICE}),
    Budget(trials=60),
    Budget(epochs=1000),
    Budget(minutes=45, trials=10_000, epochs=100_000),
)


def run(minutes: str = "10,10,10") -> Result:
    """Compare used with requested budget: time from the call of `fit` to the registration of the chosen model; trials, epochs and cost.

    Args:
        minutes: Budgets of the real studies, separated by commas; empty for none.
    """
    budgets = [float(part) for part in minutes.split(",") if part.strip()]
    with tempfile.TemporaryDirectory() as folder:
        real = [real_study(number, amount, folder) for number, amount in enumerate(budgets)]
        virtual = [virtual_study(number, amount, StudyStore(folder)) for number, amount in enumerate(VIRTUAL)]
    figures = [*figures_of("real", [share for share, _ in real]), *figures_of("virtual", [share for share, _ in virtual])]
    notes = [
        "off: how far used / requested is from 1, in percent; time runs from the call of `fit` to the end of the registration.",
        *(sentence for _, sentence in [*real, *virtual]),
    ]
    return Result(figures=figures, notes=notes)


def figures_of(kind: str, shares: list[float]) -> list[Figure]:
    """Median and worst of used over requested."""
    if not shares:
        return []
    off = [100 * abs(share - 1) for share in shares]
    target = "<= 2 (from ten minutes on)" if kind == "real" else "<= 2"
    return [
        Figure.of(f"{kind}_kept", shares),
        Figure.of(f"{kind}_off_median", off, unit="%", target=target),
        Figure(name=f"{kind}_off_worst", value=max(off), unit="%", target=target),
    ]


def real_study(number: int, minutes: float, home: str) -> tuple[float, str]:
    """A search on digits with a budget of minutes."""
    automl = AutoML(
        name=f"real-{number}", home=home, budget=Budget(minutes=minutes), workers=WORKERS, seed=number, progress=False
    )
    study = automl.fit(*digits(), wait=True)
    ended, state = time.time(), study.state
    assert state.started and state.ended
    seconds, end = ended - state.started.at, ended - state.ended.at
    sentence = (
        f"{minutes:g} minutes requested, {seconds / 60:.3f} used: {len(state.trials)} trials, {end:.1f} s from the search's "
        f"end to the registration's, {len(state.registered)} registered."
    )
    return seconds / (60 * minutes), sentence


def virtual_study(number: int, budget: Budget, home: StudyStore) -> tuple[float, str]:
    """The search loop on a virtual clock, without the steps after the search."""
    executor = SimulatedExecutor(WORKERS, recorded, weighed(4.0), began=1000.0)
    folder: Path = home.create(f"virtual-{number}")
    state = search(study(budget, workers=WORKERS, sampler="random"), folder, executor, reserve=lambda: 0.0)
    seconds = executor.now() - 1000.0
    name, used, requested = spent(budget, state, seconds)
    sentence = (
        f"virtual: {requested:g} {name} requested, {used:g} used: {len(state.trials)} trials in {seconds / 60:.1f} minutes."
    )
    return used / requested, sentence


def spent(budget: Budget, state: StudyState, seconds: float) -> tuple[str, float, float]:
    """The unit that ends the search, the amount used and the amount requested."""
    if budget.minutes is not None:
        return "minutes", seconds / 60, budget.minutes
    if budget.cost is not None:
        return "of cost", seconds / 3600 * PRICE * WORKERS, budget.cost
    if budget.trials is not None:
        return "trials", len(state.trials), budget.trials
    assert budget.epochs is not None
    return "epochs", state.epochs, budget.epochs


def recorded(job: TrialJob) -> Recording:
    """A simulated training of seconds to minutes, with epochs of up to twenty seconds: wide networks learn more, but slowly."""
    width = float(job.config["model.width"])
    final = 0.95 - 0.5 / width + 0.002 * math.sin(job.trial)
    curve = tuple({"accuracy": final * (1 - 0.6 ** (epoch + 1))} for epoch in range(job.train.epochs))
    seconds = min(20.0, width / 3)
    return Recording(profile=profile(width / 100), curve=curve, epoch_seconds=seconds, final={"accuracy": final})
