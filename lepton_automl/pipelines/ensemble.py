"""Chooses finished models whose mean answers are more accurate than the best of them, and packs them as one network.

Models are added greedily, each as often as it helps (Caruana et al., Ensemble Selection from Libraries of Models, 2004).
"""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lepton_automl.data.open import Split
from lepton_automl.deployment.open_artifact import open_bundle
from lepton_automl.ensembles.network import EnsembleNet
from lepton_automl.ensembles.recipe import EnsembleRecipe
from lepton_automl.ensembling import EnsembleJob, EnsembleResult
from lepton_automl.errors import DataError
from lepton_automl.jobs import TrialJob, TrialResult
from lepton_automl.measurement_lock import pausing_for_measurements
from lepton_automl.models.build import RecipeNet
from lepton_automl.models.files import load
from lepton_automl.specs import DataSpec
from lepton_automl.task import metrics_of, task_of
from lepton_automl.training.scores import in_target_unit, scores

from .checkpoint import Stopwatch
from .cost import CostProfiler
from .held_out import held_out, save_held_out
from .pack import pack, predict_split
from .worker_cache import cached_data

MOST_NETWORKS = 4  # in an ensemble: more bring little, and each one is latency
MOST_STEPS = 8  # models added, with repetitions
LEAST_GAIN = 0.002  # of the loss, as a share, for which a model is added

Answers = NDArray[np.floating[Any]]


def make_ensemble(request: EnsembleJob) -> EnsembleResult:
    """Choose the members of an ensemble, and pack it as a trial's model.

    Members are chosen by the loss on the validation rows, or on the held-out rows of the folds. No network is trained.

    Args:
        request: The models to choose from.
    """
    job, watch = request.job, Stopwatch()
    with pausing_for_measurements(job.measurement_lock) as measurement_lock:
        known = dict(_answers_of(request))
        if not known:
            return EnsembleResult()
        rows = known[next(iter(known))][0]
        answers = {number: own for number, (_, own) in known.items()}
        chosen = choose_members(answers, _judge_on(rows, job))
        if len(chosen) < 2:
            return EnsembleResult()
        model = network_of([load(Path(request.bundles[number])) for number in chosen], list(chosen.values()), job.data)
        data = cached_data(job.data).whole() if job.data.folds else cached_data(job.data)
        profiler = CostProfiler(data, job.deployment, measurement_lock, job.reference_ms, job.costs)
        Path(job.folder).mkdir(parents=True, exist_ok=True)
        try:
            cross_validated: dict[str, float] = {}
            if job.data.folds:  # the members' networks of the folds answer for it
                mean = mean_answers(answers, chosen)
                save_held_out(Path(job.folder), [torch.from_numpy(mean)])
                cross_validated = scores(mean, in_target_unit(rows.targets, job.data), job.data, weights=rows.weights)
            packed = pack(model, data, job, profiler, cross_validated)
        except BaseException:
            shutil.rmtree(job.folder, ignore_errors=True)  # a folder without events would look like a damaged journal
            raise
        result = TrialResult(
            trial=job.trial,
            status="complete",
            recipe=model.recipe.to_json(),
            scores=packed.scores,
            profile=packed.profile,
            folder=str(packed.folder),
            resampled=packed.resampled,
        ).replace(**watch.read())
    return EnsembleResult(members=tuple(chosen), result=result)


def choose_members(answers: Mapping[int, Answers], judge: Callable[[Answers], tuple[float, float]]) -> Counter[int]:
    """The models to average, and how often each counts; fewer than two if no mean is better than the best model.

    Each step adds the model with which the loss is lowest, as the loss shows small gains more surely than other scores; of the
    means on the way, the one that costs least is taken.

    Args:
        answers: Each model's answers for the same rows; of two equally good ones the first is taken.
        judge: The loss of some answers, and their cost by the study's metric.
    """
    chosen: Counter[int] = Counter()
    total: Answers | None = None
    best = math.inf
    means: list[tuple[tuple[float, float], Counter[int]]] = []
    while chosen.total() < MOST_STEPS:
        open_to = chosen if len(chosen) == MOST_NETWORKS else answers
        sums = {number: answers[number] if total is None else total + answers[number] for number in open_to}
        judged = {number: judge(own / (chosen.total() + 1)) for number, own in sums.items()}
        number = min(judged, key=lambda known: judged[known][0])
        loss, cost = judged[number]
        if chosen and not loss < best - LEAST_GAIN * abs(best):
            break
        best, total = loss, sums[number]
        chosen[number] += 1
        if len(chosen) > 1:
            means.append(((cost, loss), chosen.copy()))
    return min(means, key=lambda known: known[0])[1] if means else chosen


def mean_answers(answers: Mapping[int, Answers], weights: Mapping[int, int]) -> Answers:
    """The weighted mean of some models' answers."""
    parts = [weight * answers[number] for number, weight in weights.items()]
    mean: Answers = (np.sum(parts, 0) / sum(weights.values())).astype(np.float32)
    return mean


def network_of(networks: Sequence[RecipeNet], weights: Sequence[int], spec: DataSpec) -> EnsembleNet:
    """The ensemble of some finished networks, in evaluation mode."""
    inputs = cached_data(spec).train.rows(slice(0, 2)).inputs
    heads = []
    with torch.inference_mode():
        for network in networks:
            heads.append(network(**inputs).shape[1] if network.ensemble else 1)
    recipe = EnsembleRecipe(
        outputs=spec.outputs,
        networks=tuple(network.recipe for network in networks),
        heads=tuple(heads),
        weights=tuple(weights),
    )
    return EnsembleNet(recipe, networks).eval()


def _answers_of(request: EnsembleJob) -> Iterator[tuple[int, tuple[Split, Answers]]]:
    """Each model's answers for rows that it has not learned from; models whose answers were not saved are left out."""
    data = cached_data(request.job.data)
    for number, bundle in request.bundles.items():
        if not request.job.data.folds:
            yield number, (data.validation, predict_split(open_bundle(Path(bundle)), data.validation))
            continue
        try:
            yield number, held_out(Path(bundle).parent, data)
        except DataError:  # the disk was full
            continue


def _judge_on(rows: Split, job: TrialJob) -> Callable[[Answers], tuple[float, float]]:
    spec, truth = job.data, in_target_unit(rows.targets, job.data)
    sign = -1.0 if metrics_of(spec)[job.metric].direction == "maximize" else 1.0

    def judge(answers: Answers) -> tuple[float, float]:
        values = scores(answers, truth, spec, weights=rows.weights)
        return task_of(spec).validation_loss(values, spec.output), sign * values.get(job.metric, math.nan)

    return judge
