"""A limit that few networks meet: training time spent on infeasible networks, compared with Optuna's soft constraints."""

from __future__ import annotations

import math
import random
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import optuna

from lepton_automl import front
from lepton_automl.execution.simulated import SimulatedExecutor
from lepton_automl.jobs import TrialJob
from lepton_automl.space import Config
from lepton_automl.specs import Budget, Deployment
from lepton_automl.study.runner import search
from lepton_automl.study_config import StudyConfig
from lepton_automl.study_store import StudyStore

from .made_up import recorded, study, weighed
from .peers.optuna_peers import distribution
from .report import Figure, Result

DRAWS = 4_000  # random configurations that determine the limit
WORKERS = 2
ACCURACY = 0.7  # reference point of the hypervolume


def run(*, share: float = 0.02, seeds: int = 5, trainings: int = 100) -> Result:
    """Compare two searches of the same simulated space, with the same number of epochs, on a virtual clock.

    Args:
        share: Share of the space, sampled uniformly, that meets the latency limit.
        seeds: Number of searches of each kind.
        trainings: Number of full trainings that the budget allows.
    """
    config = study(Budget(epochs=18 * trainings), epochs=18)
    rng = random.Random(0)  # not used for security
    limit = float(np.quantile([latency(config, config.space.sample(rng)) for _ in range(DRAWS)], share))
    config = config.replace(deployment=Deployment(max_latency_ms=limit))
    ours, theirs = ([of(config.replace(seed=seed)) for seed in range(seeds)] for of in (searched, constrained))
    ratios = [mine / other for mine, other in zip(volumes(ours, limit), volumes(theirs, limit), strict=True)]
    return Result(
        figures=[
            Figure.of("infeasible_seconds_share", [our.infeasible for our in ours], target="0"),
            Figure.of("infeasible_seconds_share Optuna", [their.infeasible for their in theirs]),
            Figure.of("feasible_trained", [float(len(our.feasible)) for our in ours]),
            Figure.of("feasible_trained Optuna", [float(len(their.feasible)) for their in theirs]),
            Figure.of("feasible_proposed_share", [our.proposed for our in ours]),
            Figure.of("feasible_proposed_share Optuna", [their.proposed for their in theirs]),
            Figure.of("hypervolume_ratio", ratios, target="> 1"),
        ],
        notes=[
            f"The limit is {limit:.3g} ms, which {share:.1%} of {DRAWS} random networks meet.",
            "Optuna: TPE with its defaults, every network trained in full, the limit passed as a constraint.",
            f"Hypervolume of accuracy and log-latency of the feasible networks, beyond {ACCURACY:g} and the limit.",
        ],
    )


@dataclass(frozen=True)
class Spent:
    """How a search spent its time.

    Args:
        infeasible: Share of the training seconds spent on networks that exceed the limit.
        proposed: Share of the proposals that meet the limit.
        feasible: Accuracy and latency of each fully trained network that meets the limit.
    """

    infeasible: float
    proposed: float
    feasible: list[tuple[float, float]]


def searched(config: StudyConfig) -> Spent:
    """This project's search."""
    with tempfile.TemporaryDirectory() as folder:
        state = search(config, StudyStore(folder).create("limits"), SimulatedExecutor(WORKERS, recorded, weighed(1.0)))
    seconds, lost, feasible = 0.0, 0.0, []
    for trial in state.trials.values():
        assert trial.profile
        spent = trial.epochs * recorded(job(config, trial.proposed.config, trial.number)).epoch_seconds
        keeps = not config.deployment.exceeded_limit(trial.profile)
        seconds, lost = seconds + spent, lost + (0.0 if keeps else spent)
        if keeps and trial.status == "complete":
            feasible.append((state.score(trial), trial.profile.latency_ms))
    keeping = sum(trial.status != "infeasible" for trial in state.trials.values())
    return Spent(lost / seconds, keeping / len(state.trials), feasible)


def constrained(config: StudyConfig) -> Spent:
    """Plain Optuna, which trains first and receives the constraint values afterwards."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")  # on experimental features
    plain = optuna.create_study(directions=["maximize", "minimize"], sampler=optuna.samplers.TPESampler(seed=config.seed))
    distributions = {name: distribution(hyperparameter) for name, hyperparameter in config.space.items()}
    limit = config.deployment.max_latency_ms or math.inf
    trials = (config.budget.epochs or 0) // config.train.epochs
    seconds, lost, feasible = 0.0, 0.0, []
    for number in range(trials):
        trial = plain.ask(distributions)
        recording = recorded(job(config, trial.params, number))
        score, ms = recording.final["accuracy"], recording.profile.latency_ms
        spent, keeps = config.train.epochs * recording.epoch_seconds, not config.deployment.exceeded_limit(recording.profile)
        seconds, lost = seconds + spent, lost + (0.0 if keeps else spent)
        trial.set_constraint("latency", ms - limit)
        plain.tell(trial, [score, ms])
        if keeps:
            feasible.append((score, ms))
    return Spent(lost / seconds, len(feasible) / trials, feasible)


def job(study: StudyConfig, config: Config, number: int) -> TrialJob:
    """The parts of a trial that a simulation needs."""
    return TrialJob(
        trial=number,
        uid="",
        config=config,
        data=study.data,
        deployment=study.deployment,
        train=study.train,
        prune=study.prune,
        metric=study.metric,
        rungs=(),
        folder="",
        measurement_lock="",
    )


def latency(study: StudyConfig, config: Config) -> float:
    """Milliseconds of a configuration's network."""
    return recorded(job(study, config, 0)).profile.latency_ms


def volumes(searches: Sequence[Spent], limit: float) -> Iterable[float]:
    """The hypervolume of accuracy and log-latency that each reached, above `ACCURACY` and below the limit."""
    for result in searches:
        costs = np.array([(ACCURACY - score, np.log(ms / limit)) for score, ms in result.feasible]).reshape(-1, 2)
        yield front.hypervolume(costs, (0.0, 0.0))
