"""What is done with a person's own trained network: `lean` makes it smaller, `accelerate` finds the fastest way to run it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .specs import Deployment

if TYPE_CHECKING:
    from .pipelines.accelerated_model import AcceleratedModel
    from .pipelines.lean import LeanModel


def lean(
    model: Any,
    data: Any,
    *,
    deployment: Deployment | None = None,
    ratio: float | None = None,
    max_latency_ms: float | None = None,
    max_drop: float | None = None,
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
    """Make your own trained network smaller: whole channels leave it, and it learns again what it lost.

    Say exactly one goal: `ratio`, `max_latency_ms` or `max_drop`. Equal seeds give equal networks on a CPU where a ratio
    and a multiple are given; else a measurement takes part in the choice.

    Args:
        model: A trained `torch.nn.Module`, called as `model(x)`; gives logits [N, classes], or values [N] or [N, 1]. It is
            left as it is.
        data: What to recover on: `(x, y)` as arrays or tensors, or a Dataset or DataLoader of such pairs, which is read
            once. Whole numbers in `y` are classes, others are values.
        deployment: Where it must run, for the measured latency.
        ratio: Share of the channels to remove, above 0 and below 1; 0.5 removes about three quarters of the weights.
        max_latency_ms: What one call of the exported network may take on the target, in milliseconds.
        max_drop: How much of the validation score (accuracy, or R² of values) may be lost; as much as possible is cut.
        validation: Rows to score on, as `data`; by default a fifth of `data` is held out and never trained on.
        criterion: What tells an important channel: `"taylor"` (what the loss would change by without it), `"l1"`, `"l2"` (the
            size of its weights), `"bn_scale"`, or `"random"`.
        ranking: Which channels compete: those of a layer (`"layer"`), all (`"global"`), those of layers of one kind
            (`"isomorphic"`).
        steps: Cuts on the way to a ratio, with recovery after each; more of them ask for more epochs.
        epochs: Passes over the data to recover in, shared out among the steps; with `max_drop`, of each shape that is tried.
        distill: Whether the whole network teaches the smaller one too.
        multiple: Widths are rounded to multiples of this; by default what the target likes is found by measuring.
        blocks: Blocks to take out whole, before any channel is cut.
        own_steps: Whether a LightningModule recovers by its own `training_step` and optimisers, not by ours.
        lr: Learning rate of the recovery, by schedule-free AdamW; by default 2e-2 for a network with batch normalisation,
            5e-3 for others.
        batch_size: Rows in one step of it.
        seed: Of the rows held out and the order of the batches.
        progress: Whether to show how it goes.

    Returns:
        The smaller network, of the same class and on the CPU, with what it gained and cost, and what kept its width and why.

    Raises:
        ConfigError: Something is wrong (all of it is listed), or nothing in the network can be cut.
        LimitError: No cut keeps `max_latency_ms`.

    Example:
        >>> small = lean(model, (x, y), ratio=0.5)  # doctest: +SKIP
        >>> print(small)  # doctest: +SKIP
        >>> small.model(x[:1])  # doctest: +SKIP
    """
    from .pipelines import lean as walk
    from .pipelines.prune_config import PruneConfig
    from .reporting.terminal import activity_line

    config = PruneConfig(
        ratio=ratio,
        max_latency_ms=max_latency_ms,
        max_drop=max_drop,
        target=Deployment() if deployment is None else deployment,
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
        return walk.lean(model, data, config, report_progress)


def accelerate(
    model: Any, data: Any, *, deployment: Deployment | None = None, validation: Any = None, seed: int = 0, progress: bool = True
) -> AcceleratedModel:
    """Find the fastest way to run your own trained network, as it is, without losing its accuracy.

    Every runtime that the target allows and every precision that the machine computes in is tried on this machine, timed
    beside all others; the fastest whose validation score stays within `deployment.max_drop` is kept, with the whole table as
    evidence. Whole numbers are calibrated on rows of `data`; layers that they would harm stay in floats.

    Args:
        model: A trained `torch.nn.Module`, called as `model(x)`; gives logits [N, classes], or values [N] or [N, 1]. It is
            left as it is.
        data: `(x, y)` as arrays or tensors, or a Dataset or DataLoader of such pairs, which is read once. Whole numbers in
            `y` are classes, others are values.
        deployment: Where it must run: threads, rows of a call, runtimes, and what may be lost.
        validation: Rows to score on, as `data`; by default a fifth of `data` is held out.
        seed: Of the rows held out.
        progress: Whether to show how it goes.

    Returns:
        The network in its new form: `predict(x)`, `save(folder)`, `table`.

    Raises:
        ConfigError: Something is wrong; all of it is listed.
        BundleError: The network cannot be exported.
        ExtraError: A runtime that the target names is not installed.

    Example:
        >>> fast = accelerate(model, (x, y), deployment=Deployment(batch_size=1))  # doctest: +SKIP
        >>> print(fast, fast.table)  # doctest: +SKIP
        >>> fast.predict(x[:1])  # doctest: +SKIP
    """
    from .pipelines.accelerated_model import accelerate_network
    from .reporting.terminal import activity_line

    with activity_line("accelerate", shown=progress) as report_progress:
        return accelerate_network(
            model, data, Deployment() if deployment is None else deployment, validation, seed=seed, progress=report_progress
        )


def load_accelerated(folder: str | Path, threads: int = 1) -> Callable[[Any], Any]:
    """Open what `accelerate(...).save(folder)` wrote.

    Control flow, operations of its own and weights in other files are refused unless `save` named them. Unlike `load_model`, it
    does not try the file in a process of its own first: open only what comes from people whom you trust.

    Args:
        folder: The folder.
        threads: Threads that one call may use.

    Returns:
        A function from rows [N, ...], as the network's `forward` takes them, to what it gives.

    Raises:
        BundleError: It is no such folder, damaged, or a model that could run without end.
        ExtraError: The runtime that it was made for is not installed.
    """
    from .pipelines.accelerated_model import load

    return load(folder, threads)
