"""Prune a user's trained network: score it, prune it, fine-tune it and measure its latency."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pandas as pd
import torch
from torch import nn

from lepton_automl.compression.blocks import drop_blocks
from lepton_automl.compression.prune import PruneOptions, PruneResult, prune
from lepton_automl.compression.reparam import with_plain_weights
from lepton_automl.data.labelled import LabelledSplits
from lepton_automl.deployment.preserve_state import preserve_state
from lepton_automl.errors import BundleError, ConfigError, LimitError
from lepton_automl.locks import measurement_lock_path
from lepton_automl.measurement_lock import pausing_for_measurements
from lepton_automl.measuring.macs import count_macs
from lepton_automl.plans import TrainPlan
from lepton_automl.profile import Measurement
from lepton_automl.task import task_of

from .candidate_shapes import BLOCKS, MULTIPLES, Shape, grid_of, shapes_worth_training
from .copies import copy_network, shared_weights, shared_weights_error
from .cost import LatencyProfiler
from .prune_config import PruneConfig, validated_rows
from .recovery import RecoveryTrainer, usual_rate

Network = TypeVar("Network", bound=nn.Module)
Progress = Callable[[str], None]

MAX_RATIO = 0.95  # the largest ratio to try
SHARES = 12  # number of ratios up to it that are timed to find one within a limit
QUICK_SECONDS = 0.25  # seconds of timing for each; a wider interval only makes the choice safer
CALIBRATION = 512  # rows on which the importance of blocks and channels is measured


@dataclass(frozen=True, kw_only=True)
class NetworkMetrics:
    """The scores and costs of a network.

    Args:
        scores: On the validation rows, by the names of `task.METRICS`.
        latency: One call of the exported file; None if it cannot be exported.
        parameters: Number of weights.
        macs: Multiply-accumulates per row.
    """

    scores: dict[str, float]
    latency: Measurement | None
    parameters: int
    macs: int


@dataclass(frozen=True, kw_only=True, eq=False)
class LeanModel(Generic[Network]):
    """A pruned network, with its scores and costs before and after.

    Args:
        model: The smaller network, of the same class and in the same training modes.
        before: Metrics of the original network.
        after: Metrics of the smaller network.
        metric: The score in which the drop is measured.
        refused: Layers that could not be pruned, by name, with the reason.
        history: One row per step: what was done, the result, and whether it was kept.
    """

    model: Network
    before: NetworkMetrics
    after: NetworkMetrics
    metric: str
    refused: dict[str, str]
    history: pd.DataFrame

    @property
    def drop(self) -> float:
        """The loss in score; negative for a gain."""
        return self.before.scores[self.metric] - self.after.scores[self.metric]

    def __repr__(self) -> str:
        before, after = self.before, self.after
        lines = [
            f"Lean {type(self.model).__name__}",
            f"  {self.metric:<12}{before.scores[self.metric]:>12.4f} -> {after.scores[self.metric]:.4f}",
            *(_line(name, getattr(before, name), getattr(after, name)) for name in ("parameters", "macs")),
        ]
        if before.latency and after.latency:
            was, now = before.latency.median, after.latency.median
            lines.append(f"  {'latency':<12}{was:>9.3f} ms -> {now:.3f} ms ({was / now:.2f} times as fast)")
        if not self.history.empty and not self.history["kept"].any():
            tried = f"{len(self.history)} shape{'s' * (len(self.history) > 1)} tried"
            lines.append(f"  unchanged: {tried}, none kept the score (see .history); allow a larger drop or more epochs")
        if self.refused:
            lines.append(f"  not pruned: {', '.join(sorted(self.refused))} (see .refused)")
        return "\n".join(lines)


def _line(name: str, was: int, now: int) -> str:
    return f"  {name:<12}{was:>12,} -> {now:,} ({100 * now / max(1, was):.0f} %)"


def lean(model: Network, data: Any, config: PruneConfig, progress: Progress = lambda _: None) -> LeanModel[Network]:
    """Prune a trained network.

    Args:
        model: The network; it is not changed.
        data: Rows and targets, as `data.labelled.read_pairs` takes them.
        config: The goal and the method.
        progress: Called with a description of each step.

    Raises:
        ConfigError: The arguments are invalid (all problems are listed), or nothing can be pruned.
        LimitError: No pruned network meets the limit.
    """
    rows = validated_rows(model, data, config)
    with preserve_state(model), torch.inference_mode(mode=False), pausing_for_measurements(measurement_lock_path()):
        run = PruneRun(model, rows, config, progress)
        if names := shared_weights(run.parent, model, run.sample[:2]):
            what, fix = shared_weights_error(names, type(model).__name__)
            raise ConfigError(what, where="lean", fix=fix)
        return run.run()


class PruneRun(Generic[Network]):
    """One run of `lean`."""

    def __init__(self, model: Network, rows: LabelledSplits, config: PruneConfig, progress: Progress) -> None:
        self.config, self.progress = config, progress
        plan = TrainPlan(lr=config.lr or usual_rate(model), batch_size=config.batch_size, seed=config.seed)
        self.trainer = RecoveryTrainer(rows, plan, own_steps=config.own_steps, distill=config.distill)
        self.modes = {name: part.training for name, part in model.named_modules()}
        self.parent = copy_network(model).eval()
        self.metric = task_of(rows.spec).share_metric
        self.sample = self.trainer.sample(CALIBRATION)
        self.profiler = LatencyProfiler(config.deployment, self.sample)
        self.multiples = MULTIPLES if config.multiple is None else (config.multiple,)
        self.refused: dict[str, str] = {}
        self.history: list[dict[str, Any]] = []

    def run(self) -> LeanModel[Network]:
        """Prune the network and report."""
        before = self.metrics_of_network(self.parent)
        self.trainer.record_parent(self.parent)
        model = self._remove_blocks(self.parent) if self.config.blocks else self.parent
        model = self._prune_channels(model, before).eval()
        after = self.metrics_of_network(model)
        for reason in dict.fromkeys(self.profiler.reasons):
            warnings.warn(f"lean: the latency could not be measured: {reason}", stacklevel=5)
        for name, part in model.named_modules():
            part.training = self.modes.get(name, self.modes[""])
        return LeanModel(
            model=model,
            before=before,
            after=after,
            metric=self.metric,
            refused=self.refused,
            history=pd.DataFrame(self.history),
        )

    def _prune_channels(self, model: Network, before: NetworkMetrics) -> Network:
        if self.config.max_score_drop is not None:
            return self._prune_to_score(model, before.scores[self.metric] - self.config.max_score_drop)
        if self.config.max_latency_ms is not None:
            return self._prune_to_latency(model, before, self.config.max_latency_ms)
        if not self.config.ratio:
            return model
        shapes = self._shapes(model, grid_of(self.multiples, (self.config.ratio,))) if len(self.multiples) > 1 else []
        return self._prune_in_steps(model, self.config.ratio, shapes[0].multiple if shapes else self.multiples[0])

    def _prune_in_steps(self, model: Network, ratio: float, multiple: int) -> Network:
        """Remove a share of the channels in steps, each followed by its part of the epochs."""
        steps, done, left = self.config.steps, 0, 1.0
        for step in range(1, steps + 1):
            remaining = 1 - ratio * step / steps
            last = round(self.config.epochs * step / steps)
            model = self._step(model, 1 - remaining / left, multiple, f"{1 - remaining:.0%} of the channels", last - done)
            done, left = last, remaining
        return model

    def _prune_to_score(self, model: Network, min_score: float) -> Network:
        """The fastest shape whose score is high enough, found by bisection; each shape is pruned from the full network.

        Of eight candidates at most three are trained.
        """
        shapes, best = self._shapes(model, grid_of(self.multiples, blocks=BLOCKS)), model
        good, bad = -1, len(shapes)
        while bad - good > 1:
            middle = (good + bad) // 2
            shape = shapes[middle]
            candidate = self._to_shape(model, shape)
            self.history[-1]["kept"] = self.score(candidate)[self.metric] >= min_score
            if self.history[-1]["kept"]:
                good, best = middle, candidate
            else:
                bad = middle
        return best

    def _prune_to_latency(self, model: Network, before: NetworkMetrics, limit: float) -> Network:
        """The largest shape whose float32 export meets the latency limit."""
        if before.latency is None:
            raise BundleError(f"the latency cannot be measured: {self.profiler.reasons[-1]}", where="lean")
        if before.latency.high <= limit:
            return model
        ratios = [MAX_RATIO * n / SHARES for n in range(1, SHARES + 1)]
        shapes = self._shapes(
            model, grid_of(self.multiples, ratios), latency_ms=lambda cut: self.profiler.measure(cut, QUICK_SECONDS).high
        )
        shape = next((shape for shape in shapes if shape.latency_ms <= limit), None)
        if shape is None:
            fastest = shapes[-1].latency_ms if shapes else before.latency.median
            raise LimitError(
                f"with {MAX_RATIO:.0%} of its channels removed this network still takes {fastest:.3g} ms; "
                f"the limit is {limit:g} ms",
                where="lean",
                fix="Raise the limit, remove blocks as well, or start from a shallower network.",
            )
        return self._prune_in_steps(model, shape.ratio, shape.multiple)

    def _to_shape(self, model: Network, shape: Shape) -> Network:
        """Prune to a candidate shape and fine-tune."""
        shallower, names = drop_blocks(model, shape.blocks, self.sample)
        if shape.ratio:
            return self._step(shallower, shape.ratio, shape.multiple, shape.description, self.config.epochs)
        return self._finetune(shallower, f"removed {', '.join(names)}", self.config.epochs, 0)

    def _shapes(
        self, model: Network, grid: Sequence[tuple[int, float, int]], latency_ms: Callable[[nn.Module], float] | None = None
    ) -> list[Shape]:
        """The shapes worth training, by default timed in the fastest variant on the target."""
        cheap = "l2" if self.config.ranking == "layer" else ""  # the widths do not depend on which channels are removed

        def cut(blocks: int, ratio: float, multiple: int) -> nn.Module:
            self.progress(
                f"timing the network without {blocks} blocks and {ratio:.0%} of the channels, in multiples of {multiple}"
            )
            shallower = drop_blocks(model, blocks, self.sample)[0]
            return self._cut(shallower, ratio, multiple, cheap).model if ratio else shallower

        def macs(module: nn.Module) -> int:
            return count_macs(module, self.sample[:2])

        latency_ms = latency_ms or self.profiler.fastest_ms
        try:
            whole_ms = latency_ms(model)
        except BundleError:  # it cannot be exported: count operations instead of time
            latency_ms, whole_ms = macs, float(macs(model))
        return shapes_worth_training(cut, macs=macs, latency_ms=latency_ms, grid=grid, whole_ms=whole_ms)

    def _step(self, model: Network, ratio: float, multiple: int, what: str, epochs: int) -> Network:
        """Prune once and fine-tune."""
        self.progress(f"pruning {what}")
        pruned = self._cut(model, ratio, multiple)
        self.refused |= pruned.refused
        return self._finetune(pruned.model, f"pruned {what}", epochs, pruned.removed)

    def _remove_blocks(self, model: Network) -> Network:
        self.progress(f"removing {self.config.blocks} blocks")
        shallower, names = drop_blocks(model, self.config.blocks, self.sample)
        ends_here = self.config.ratio == 0
        return self._finetune(shallower, f"removed {', '.join(names)}", self.config.epochs if ends_here else 0, 0)

    def _finetune(self, model: Network, what: str, epochs: int, removed: int) -> Network:
        pruned_score = self.score(model)[self.metric]
        self.trainer.recover(model, epochs, lambda done: self.progress(f"{what}: epoch {done} of {epochs}"))
        self.history.append(
            {
                "step": what,
                "channels_gone": removed,
                "parameters": _parameters(model),
                "macs": count_macs(model, self.sample[:2]),
                f"{self.metric}_at_once": pruned_score,
                self.metric: self.score(model)[self.metric],
                "epochs": epochs,
                "kept": True,
            }
        )
        return model

    def _cut(self, model: Network, ratio: float, multiple: int, criterion: str = "") -> PruneResult[Network]:
        config, criterion = self.config, criterion or self.config.criterion
        options = PruneOptions(ratio=ratio, criterion=criterion, ranking=config.ranking, multiple=multiple, seed=config.seed)
        sensitivities = self.trainer.sensitivity(with_plain_weights(model), CALIBRATION) if criterion == "taylor" else None
        return prune(model, options, self.sample, sensitivity=sensitivities, refused=self.refused)

    def score(self, model: nn.Module) -> dict[str, float]:
        """Scores on the validation rows."""
        return self.trainer.score(model)

    def metrics_of_network(self, model: nn.Module) -> NetworkMetrics:
        """All metrics of a network."""
        self.progress("scoring and timing")
        return NetworkMetrics(
            scores=self.score(model),
            latency=self.profiler.try_measure(model),
            parameters=_parameters(model),
            macs=count_macs(model, self.sample[:2]),
        )


def _parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())
