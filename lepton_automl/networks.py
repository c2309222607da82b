"""Functions for your own trained network: `lean` makes it smaller, `accelerate` finds the fastest way to run it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .specs import Deployment

if TYPE_CHECKING:
    from .pipelines.accelerated_model import AcceleratedModel
    from .pipelines.lean import LeanModel


RATIO = 0.5  # of `lean` without a goal


def lean(
    model: Any,
    data: Any = None,
    *,
    deployment: Deployment | None = None,
    ratio: float | None = None,
    max_latency_ms: float | None = None,
    max_score_drop: float | None = None,
    validation: Any = None,
    criterion: str = "taylor",
    ranking: str = "layer",
    steps: int = 1,
    epochs: int = 5,
    distill: bool = True,
    multiple: int | None = None,
    blocks: int = 0,
    own_steps: bool = False,
    lr: float | None = None,
    batch_size: int = 128,
    seed: int = 0,
    progress: bool = True,
) -> LeanModel[Any]:
    """Make your own trained network smaller: prune whole channels and fine-tune the rest.

    Give one goal, `ratio`, `max_latency_ms` or `max_score_drop`; without one, half of the channels are removed. On a CPU, equal
    seeds give equal networks if both `ratio` and `multiple` are given; else the result depends on measurements.

    Args:
        model: A trained `Model` or `LeptonNet`, or a `torch.nn.Module` that is called as `model(x)` and returns logits [N, classes],
            or values [N] or [N, 1]. It is not changed.
        data: Data for fine-tuning: `(x, y)` as arrays or tensors, or a Dataset or DataLoader of such pairs, which is read
            once. Integers in `y` are classes, floats are values. For a `Model` as for its `fit`; None for the rows of its last `fit`.
        deployment: The device that latency is measured for.
        ratio: Share of the channels to remove, above 0 and below 1; 0.5 removes about three quarters of the weights.
        max_latency_ms: Maximum latency of one call of the exported network, in milliseconds.
        max_score_drop: Maximum loss of the validation score (accuracy, or R² for values); as much as possible is pruned.
        validation: Rows to score on, like `data`; by default a fifth of `data` is held out and never trained on.
        criterion: The importance of a channel: `"taylor"` (the change of the loss without it), `"l1"`, `"l2"` (the norm of
            its weights), `"bn_scale"`, or `"random"`.
        ranking: Which channels are compared: those of a layer (`"layer"`), all (`"global"`), or those of similar layers
            (`"isomorphic"`).
        steps: Number of pruning steps to reach the ratio, with recovery after each; more steps need more epochs.
        epochs: Epochs of recovery, divided among the steps; with `max_score_drop`, for each shape that is tried.
        distill: Whether the original network is also used as a teacher.
        multiple: Widths are rounded to multiples of this; by default the best multiple for the device is measured.
        blocks: Number of whole blocks to remove before channels are pruned.
        own_steps: Whether a LightningModule recovers with its own `training_step` and optimisers.
        lr: Learning rate of the recovery with schedule-free AdamW; by default 2e-2 for a network with batch normalisation,
            5e-3 for others.
        batch_size: Batch size of the recovery.
        seed: Seed of the held-out rows and the order of the batches.
        progress: Whether to show progress.

    Returns:
        The smaller network, of the same class and on the CPU, with the changes in score, size and latency, and a list of
        what could not be pruned and why.

    Raises:
        ConfigError: Some arguments are wrong (all are listed), or nothing in the network can be pruned.
        LimitError: No amount of pruning meets `max_latency_ms`.

    Example:
        >>> small = lean(model, (x, y), ratio=0.5)  # doctest: +SKIP
        >>> print(small)  # doctest: +SKIP
        >>> small.model(x[:1])  # doctest: +SKIP
    """
    from .pipelines import lean as pipeline
    from .pipelines.prune_config import PruneConfig
    from .reporting.terminal import activity_line
    from .sequential.handover import as_module, pruned

    if ratio is None and max_latency_ms is None and max_score_drop is None:
        ratio = RATIO
    module, data, validation = as_module(model, data, validation, "lean")
    config = PruneConfig(
        ratio=ratio,
        max_latency_ms=max_latency_ms,
        max_score_drop=max_score_drop,
        deployment=Deployment() if deployment is None else deployment,
        validation=validation,
        criterion=criterion,
        ranking=ranking,
        steps=steps,
        epochs=epochs,
        distill=distill,
        multiple=multiple,
        blocks=blocks,
        own_steps=own_steps,
        lr=lr,
        batch_size=batch_size,
        seed=seed,
    )
    with activity_line("lean", shown=progress) as report_progress:
        return pruned(model, pipeline.lean(module, data, config, report_progress))


def accelerate(
    model: Any,
    data: Any = None,
    *,
    deployment: Deployment | None = None,
    validation: Any = None,
    seed: int = 0,
    progress: bool = True,
) -> AcceleratedModel:
    """Find the fastest way to run your own trained network, unchanged, without losing its accuracy.

    Every allowed runtime and every precision that the machine supports is tried on this machine, timed interleaved; the
    fastest whose validation score drops by at most `deployment.max_score_drop` is chosen. `table` lists all of them. int8 is
    calibrated on rows of `data`; layers that it would harm stay in floats.

    Args:
        model: A trained `Model` or `LeptonNet`, or a `torch.nn.Module` that is called as `model(x)` and returns logits [N, classes],
            or values [N] or [N, 1]. It is not changed.
        data: `(x, y)` as arrays or tensors, or a Dataset or DataLoader of such pairs, which is read once. Integers in `y`
            are classes, floats are values. For a `Model` as for its `fit`; None for the rows of its last `fit`.
        deployment: The device: threads, batch size, allowed runtimes and score drop.
        validation: Rows to score on, like `data`; by default a fifth of `data` is held out.
        seed: Seed of the held-out rows.
        progress: Whether to show progress.

    Returns:
        The accelerated network: `predict(x)`, `save(folder)`, `table`.

    Raises:
        ConfigError: Some arguments are wrong; all are listed.
        BundleError: The network cannot be exported.
        ExtraError: A runtime of `deployment.runtimes` is not installed.

    Example:
        >>> fast = accelerate(model, (x, y), deployment=Deployment(batch_size=1))  # doctest: +SKIP
        >>> print(fast, fast.table)  # doctest: +SKIP
        >>> fast.predict(x[:1])  # doctest: +SKIP
    """
    from .pipelines.accelerated_model import accelerate_network
    from .reporting.terminal import activity_line
    from .sequential.handover import as_module, finish_of

    module, data, validation = as_module(model, data, validation, "accelerate")
    with activity_line("accelerate", shown=progress) as report_progress:
        return accelerate_network(
            module,
            data,
            Deployment() if deployment is None else deployment,
            validation,
            seed=seed,
            finish=finish_of(model),
            progress=report_progress,
        )


def load_accelerated(folder: str | Path, threads: int = 1) -> Callable[[Any], Any]:
    """Open what `accelerate(...).save(folder)` wrote.

    Control flow, custom operations and weights in other files are refused unless `save` listed them. Unlike `load_model`, this
    does not try the file in a separate process first: open only folders from people you trust.

    Args:
        folder: The folder.
        threads: Number of threads for one call.

    Returns:
        A function from rows [N, ...], as for the network's `forward`, to its outputs.

    Raises:
        BundleError: The folder is not an accelerated network, is damaged, or contains a model that could run without end.
        ExtraError: The runtime that it was made for is not installed.
    """
    from .pipelines.accelerated_model import load

    return load(folder, threads)
