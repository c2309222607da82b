"""The search process's own cost (propose, decide, journal) at 100 to 10,000 trials, and the speedup by a second worker."""

from __future__ import annotations

import resource
import tempfile
import time
from typing import Any

from lepton_automl import families
from lepton_automl.data.demo import digits
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.events import Event, TrialEnded, TrialProposed, TrialReported
from lepton_automl.execution.simulated import SimulatedExecutor
from lepton_automl.jobs import Decision, Report
from lepton_automl.search.loop import Loop
from lepton_automl.specs import Budget
from lepton_automl.study.runner import run_study, search
from lepton_automl.study_store import StudyStore

from .live_rivals.setting import DATA, fashion
from .made_up import recorded, study, weighed
from .report import Figure, Result

MARKS = (100, 1_000, 10_000)
ROWS = 10_000  # of the real searches' data


def run(*, trials: int = 10_000, real_trials: int = 12) -> Result:
    """Search on a virtual clock, where only the search itself takes time, then with real workers.

    Args:
        trials: Trials on the virtual clock.
        real_trials: Trials of the searches with one and with two workers; 0 skips them.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = StudyStore(folder)
        watch = Watch()
        search(study(Budget(trials=trials)), home.create("virtual"), SimulatedExecutor(2, recorded, weighed(1.0)), watch)
        figures = [
            Figure(name=f"ms_per_trial_{mark}", value=watch.per_trial(mark), unit="ms", target=target)
            for mark, target in zip(MARKS, ("", "< 50", "< 100"), strict=True)
            if mark <= trials
        ]
        figures += [
            Figure(name="decide_ms", value=watch.decide_ms, unit="ms", target="< 1"),
            Figure(
                name="memory_mb", value=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, unit="MB", target="< 500"
            ),
        ]
        if real_trials:
            figures.append(Figure(name="workers_speedup", value=speedup(home, real_trials), target=">= 1.9"))
    return Result(
        figures=figures, notes=["CPU time and disk waits together, over the last fifth of the trials before each mark."]
    )


class Watch:
    """Records the time of every event, and times decisions separately."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.decisions = 0
        self.deciding = 0.0
        decide = Loop._decide  # noqa: SLF001  # to time each decision

        def timed(loop: Loop, trial: object, report: Report) -> Decision:
            before = time.perf_counter()
            decision = decide(loop, trial, report)  # type: ignore[arg-type]  # passed on unchanged
            self.deciding += time.perf_counter() - before
            self.decisions += 1
            return decision

        Loop._decide = timed  # type: ignore[method-assign,assignment]  # noqa: SLF001  # for this process only

    def __call__(self, event: Event) -> None:
        if isinstance(event, TrialEnded):
            self.ends.append(time.perf_counter())

    def per_trial(self, mark: int) -> float:
        """Milliseconds per trial over the last fifth before a mark."""
        some = mark // 5
        return 1000 * (self.ends[mark - 1] - self.ends[mark - 1 - some]) / some

    @property
    def decide_ms(self) -> float:
        return 1000 * self.deciding / max(1, self.decisions)


def speedup(home: StudyStore, trials: int) -> float:
    """Throughput of two real workers over that of one, in epochs per second, including cost profiling and packing.

    The default network on 10,000 images of Fashion-MNIST (digits if it is missing), every training in full.
    """
    rates = []
    for workers in (1, 2):
        folder = home.create(f"workers-{workers}")
        data = prepare(pictures(), folder / "data", DataOptions(name="pictures"))
        space = families.space_for(data)
        still = {name: hyperparameter.default for name, hyperparameter in space.items() if not name.startswith("train.")}
        config = study(Budget(trials=trials)).replace(
            name=f"workers-{workers}",
            data=data,
            space=space.restrict(still),
            train=families.usual_plan(data),
            workers=workers,
            sampler="random",
        )
        events: list[Event] = []
        run_study(config, folder, events.append)
        began, *_, last = (event.at for event in events if isinstance(event, TrialProposed))
        done = sum(isinstance(event, TrialReported) and event.report.epoch > 0 and event.at <= last for event in events)
        rates.append(done / (last - began))  # until the last trial starts; then workers run out of work
    return rates[1] / rates[0]


def pictures() -> tuple[Any, Any]:
    """Images and labels."""
    if not DATA.is_dir():
        return digits()
    return fashion(ROWS)
