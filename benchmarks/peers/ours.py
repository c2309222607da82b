"""This project's own search on the table: its loop, with an executor that replays recorded rows on a virtual clock."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from benchmarks.leptonbench.table import Row, Table, load
from benchmarks.made_up import weighed
from lepton_automl import families
from lepton_automl.events import Event, HostBenchmarked, StudyStarted, TrialEnded, TrialProposed
from lepton_automl.execution.simulated import Recording, SimulatedExecutor
from lepton_automl.jobs import TrialJob
from lepton_automl.journal import Journal
from lepton_automl.objective import Objective
from lepton_automl.plans import TrainPlan
from lepton_automl.search.early_stopper import EarlyStopper, Rule
from lepton_automl.search.forecast import Forecaster
from lepton_automl.search.loop import Loop
from lepton_automl.search.propose import Proposer
from lepton_automl.search.sampler import make_sampler
from lepton_automl.search.warm import prior_trials, warm_start_designs
from lepton_automl.space import Config
from lepton_automl.specs import Budget, PriorTrial
from lepton_automl.state import StudyState
from lepton_automl.study.runner import jobs
from lepton_automl.study_config import StudyConfig
from lepton_automl.trial import Trial

from .landscape import Deck, Landscape
from .recorded import Moment

OTHER = {"digits": "fashion", "fashion": "digits"}  # tables of the same family, for warm starts


def missing() -> str:
    """Return why it is not available; empty if it is."""
    return ""


def run(landscape: Landscape, seed: int, workers: int, **settings: Any) -> list[Moment]:
    """Run the search; returns the ends of all trials, in the order of the clock."""
    return play(landscape, seed, workers, **settings).moments


def without_resuming(landscape: Landscape, seed: int, workers: int) -> list[Moment]:
    """The same, but stopped trials are never resumed."""
    with patch("lepton_automl.state.MOST_CHECKPOINTED", 0):
        return run(landscape, seed, workers)


def warm(landscape: Landscape, seed: int, workers: int, *, initial_designs: bool = True, misled: bool = False) -> list[Moment]:
    """The same after a study of another table.

    Args:
        landscape: The landscape to search, one of `OTHER`.
        seed: The seed of both searches.
        workers: Number of concurrent trials.
        initial_designs: Whether the known-good designs are tried as well.
        misled: Whether the ranking of the earlier study is reversed: its worst designs are on its front, its best are last.
    """
    name = OTHER[landscape.name]
    designs = prior_trials(play(Landscape(name, load(name)), seed, workers).state, landscape.table.space)
    if misled:
        worst = sorted(designs, key=lambda design: -design.standing)[: sum(design.on_front for design in designs)]
        designs = tuple(design.replace(standing=1 - design.standing, on_front=design in worst) for design in designs)
    return run(landscape, seed, workers, initial_designs=initial_designs, known=designs)


def play(
    landscape: Landscape,
    seed: int,
    workers: int,
    *,
    rungs: bool = True,
    screen: bool = True,
    children: bool = True,
    initial_designs: bool = True,
    rule: Rule = "either",
    known: tuple[PriorTrial, ...] = (),
) -> RecordedStudy:
    """Run a search to its end.

    Args:
        landscape: The landscape to search.
        seed: The seed of the search.
        workers: Number of concurrent trials.
        rungs: Whether unpromising trials are stopped early.
        screen: Whether candidates are chosen by their expected gain, with their latency predicted before training.
        children: Whether proposals may inherit weights (rows with a parent).
        initial_designs: Whether the search begins with known-good designs.
        rule: The rule by which a trial continues.
        known: Trials of an earlier study.
    """
    recorded_study = RecordedStudy(landscape, seed, workers, known)
    usual = families.initial_designs(recorded_study.table.spec) if initial_designs else []
    first = warm_start_designs(known, recorded_study.table.space, usual)
    state, forecaster = recorded_study.state, Forecaster(recorded_study.state)
    proposer = Proposer(
        state,
        make_sampler("tpe", state.settings.space, state.settings.objectives, seed=seed),
        forecaster=forecaster if screen else None,
        first=recorded_study.project([recorded_study.table.space.nearest(design) for design in first]),
        children=recorded_study.children if children else lambda _: (),
        project=recorded_study.project,
        identity=key,
        seed=seed,
    )
    loop = Loop(
        state,
        journal=NullJournal(Path("nowhere")),
        executor=SimulatedExecutor(workers, recorded_study.recording, recorded_study.weighed),
        proposer=proposer,
        early_stopper=EarlyStopper(state, forecaster, rule if rungs else "none"),
        forecaster=forecaster,
        job=jobs(state, Path("/nowhere/studies/table")),
        announce=recorded_study.watch,
    )
    loop.run()
    return recorded_study


class NullJournal(Journal):
    """A journal that discards events."""

    def append(self, event: Event, *, durable: bool = True) -> None:
        """Discard the event."""


def key(config: Config) -> str:
    """A key for a row, from its configuration."""
    return json.dumps(config, sort_keys=True)


class RecordedStudy:
    """A study whose trials are a table's rows."""

    def __init__(self, landscape: Landscape, seed: int, workers: int, known: tuple[PriorTrial, ...]) -> None:
        self.landscape, self.moments, self.rows = landscape, list[Moment](), dict[int, Row]()
        self._deck = Deck(landscape)
        table = self.table = cast("Table", landscape.table)
        self._fresh = {key(dict(row.config)): row for row in landscape.fresh}
        self._children_by_parent: dict[int, list[Row]] = defaultdict(list)
        for row in table.rows:
            if row.parent >= 0:
                self._children_by_parent[row.parent].append(row)
        whole = next(row for row in landscape.fresh if landscape.whole(row))
        self.weighed = weighed(1.0).replace(fastest=table.profile(cast("Row", whole)))
        config = StudyConfig(
            name="table",
            data=table.spec,
            deployment=table.deployment,
            budget=Budget(epochs=landscape.budget),
            metric=table.metric,
            objectives=(
                Objective(name="score", direction=table.direction),
                Objective(name="latency_ms", direction="minimize"),
            ),
            space=table.space,
            train=TrainPlan(epochs=table.epochs),
            prune=table.prune,
            workers=workers,
            seed=seed,
            prior_trials=known,
        )
        benchmarked = HostBenchmarked(at=0.0, benchmark=self.weighed, epochs=table.epochs)
        self.state = StudyState().feed([StudyStarted(at=0.0, config=config), benchmarked])

    def project(self, drawn: list[Config]) -> list[Config]:
        """The configurations of the unused rows nearest to the drawn ones."""
        near = [self._deck.nearest(config) for config in drawn]
        return [dict(self.landscape.rows[row].config) for row in dict.fromkeys(near) if row is not None]

    def children(self, trial: Trial) -> list[Config]:
        """The configurations of the recorded children of a trial's row."""
        return [dict(row.config) for row in self._children_by_parent.get(self.rows[trial.number].id, ())]

    def recording(self, job: TrialJob) -> Recording:
        """The recording of a trial's row."""
        row, metric = self.rows[job.trial], self.table.metric
        weighing, epoch = self.landscape.seconds(row)
        return Recording(
            profile=self.table.profile(row),
            curve=tuple({metric: score} for score in row.score[: self.landscape.length(row)]),
            epoch_seconds=epoch,
            final={metric: row.final_score},
            weighing_seconds=weighing,
            failure=row.failure,
        )

    def watch(self, event: Event) -> None:
        """Mark proposed rows as used, and record the ends of trials."""
        if isinstance(event, TrialProposed):
            if event.parent is None:
                row = self._fresh[key(event.config)]
                self._deck.take(row.id)
            else:
                born = self._children_by_parent[self.rows[event.parent].id]
                row = next(candidate for candidate in born if key(candidate.config) == key(event.config))
            self.rows[event.trial] = cast("Row", row)
        if isinstance(event, TrialEnded):
            complete = event.result.status == "complete"
            row_id = self.rows[event.result.trial].id if complete else None
            self.moments.append(Moment(self.state.epochs, event.at, row_id))
