"""Accuracy lost at each pruning ratio: `lean` against torch-pruning's own recipes, with equal recovery."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch_pruning
from torch import nn
from torch.nn.functional import cross_entropy

from lepton_automl import lean
from lepton_automl.measuring.host import describe_host
from lepton_automl.measuring.macs import count_macs
from lepton_automl.pipelines.cost import LatencyProfiler
from lepton_automl.specs import Deployment

from .handmade import HANDMADE, Rows, accuracy, batches, fashion, taught
from .ledger import Found, Ledger
from .report import Figure, Result

CHECKOUT = Path(__file__).parents[1]
DATA = Path(os.environ.get("LEPTON_DATA") or CHECKOUT.parent / "shared" / "data") / "fashion_mnist"
RESULTS = CHECKOUT / "mlruns" / "benchmarks" / "lean.jsonl"
RATIOS = (0.25, 0.5, 0.75)
SAME = ("net", "who", "ratio", "seed", "rows", "parent_epochs", "epochs", "host")  # the fields that identify a run
DROP = (
    "drop: points of accuracy lost on the 10,000 test images; medians over seeds, with quartiles. Same parent and"
    " recovery epochs for all; test images are not used for any choice."
)
AHEAD = "ahead: how many points less ours lost than the best of torch-pruning's three recipes, for each seed."
COST = (
    "macs, speed: factor by which the smaller network has fewer multiply-accumulates, and speedup of its ONNX file at"
    " batch size 1, each timed interleaved with the reference network."
)


class Case(NamedTuple):
    """The input of a contestant."""

    parent: nn.Module
    train: Rows
    ratio: float
    epochs: int
    seed: int


def ours(case: Case) -> nn.Module:
    """`lean` with its defaults."""
    held = tuple(part[:500] for part in case.train)  # not used for any choice; the score is measured on test rows
    result = lean(
        case.parent, case.train, validation=held, ratio=case.ratio, epochs=case.epochs, seed=case.seed, progress=False
    )
    small: nn.Module = result.model
    return small


def recipe(case: Case) -> nn.Module:
    """The pruning of torch-pruning's README, and the fine-tuning of its `reproduce/main.py`.

    Group magnitudes, each layer separately, widths rounded to multiples of 8; SGD with momentum and a learning rate of 0.01,
    divided by ten after 60 % and again after 80 % of the steps.
    """
    model = _pruned(copy.deepcopy(case.parent), case, torch_pruning.importance.GroupMagnitudeImportance(p=2))
    x, y = case.train
    steps = batches(len(y), case.epochs, case.seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    milestones = [round(0.6 * len(steps)), round(0.8 * len(steps))]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=milestones, gamma=0.1)
    model.train()
    for batch in steps:
        optimizer.zero_grad()
        torch.autograd.backward(cross_entropy(model(x[batch]), y[batch]))
        optimizer.step()
        schedule.step()
    return model.eval()


def tuned(case: Case) -> nn.Module:
    """The same pruning, fine-tuned with the parent's training settings, as the README leaves fine-tuning to the user."""
    model = _pruned(copy.deepcopy(case.parent), case, torch_pruning.importance.GroupMagnitudeImportance(p=2))
    return taught(model, case.train, case.epochs, case.seed)


def isomorphic(case: Case) -> nn.Module:
    """Isomorphic Pruning by torch-pruning's authors: group Taylor, similar layers ranked together; fine-tuned like the parent."""
    model = copy.deepcopy(case.parent).eval()
    for batch in batches(len(case.train[1]), 1, case.seed)[:20]:
        torch.autograd.backward(cross_entropy(model(case.train[0][batch]), case.train[1][batch]))
    importance = torch_pruning.importance.GroupTaylorImportance()
    model = _pruned(model, case, importance, isomorphic=True, global_pruning=True)
    return taught(model, case.train, case.epochs, case.seed)


def _pruned(model: nn.Module, case: Case, importance: Any, **options: bool) -> nn.Module:
    head = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    rows = case.train[0][:2]
    torch_pruning.pruner.BasePruner(
        model, rows, importance=importance, pruning_ratio=case.ratio, ignored_layers=head, round_to=8, **options
    ).step()
    model.zero_grad()
    return model


CONTESTANTS: dict[str, Callable[[Case], nn.Module]] = {
    "ours": ours,
    "recipe": recipe,
    "tuned": tuned,
    "isomorphic": isomorphic,
}


class Contest:
    """All runs of one network and seed; the parent is trained only if a run is not recorded yet."""

    def __init__(self, ledger: Ledger, settings: tuple[str, int, int, int, int], test: Rows, train: Rows) -> None:
        self.ledger, self.test, self.train = ledger, test, train
        self.net, self.seed, self.rows, self.parent_epochs, self.epochs = settings
        self.parent: nn.Module | None = None

    def run(self, who: str, ratio: float) -> Found:
        """Return the recorded result of a run, or run it now."""
        key = (self.net, who, ratio, self.seed, self.rows, self.parent_epochs, self.epochs, describe_host())
        return self.ledger.once(key, lambda: self._find(who, ratio))

    def _find(self, who: str, ratio: float) -> Found:
        if self.parent is None:
            torch.manual_seed(self.seed)
            self.parent = taught(HANDMADE[self.net](), self.train, self.parent_epochs, self.seed)
        began = time.process_time()
        small = CONTESTANTS[who](Case(self.parent, self.train, ratio, self.epochs, self.seed))
        seconds = time.process_time() - began
        figures_found = self._judge(self.parent, small) | {"cpu_seconds": seconds}
        print(
            f"{self.net}, seed {self.seed}, {ratio:g} {who}: {figures_found['drop']:.2f} points lost, 1/{figures_found['macs']:.1f} of the"
            f" multiply-accumulates, {figures_found['speed']:.2f} times as fast",
            flush=True,
        )
        return figures_found

    def _judge(self, parent: nn.Module, small: nn.Module) -> Found:
        profiler = LatencyProfiler(Deployment(), self.test[0][:64])
        macs = [count_macs(model, self.test[0][:2]) for model in (parent, small)]
        times = [profiler.measure(model).median for model in (parent, small)]
        whole = accuracy(parent, self.test)
        return {
            "parent": 100 * whole,
            "drop": 100 * (whole - accuracy(small, self.test)),
            "macs": macs[0] / macs[1],
            "speed": times[0] / times[1],
        }


def run(
    *,
    rows: int = 10_000,
    parent_epochs: int = 8,
    epochs: int = 3,
    seeds: int = 3,
    nets: str = "resnet,mobilenet",
    results: str = str(RESULTS),
) -> Result:
    """Measure the points of test accuracy lost at each ratio by `lean` and by torch-pruning's recipes, on Fashion-MNIST.

    Args:
        rows: Number of training images.
        parent_epochs: Epochs of the training before pruning.
        epochs: Epochs of the recovery, the same for all.
        seeds: Number of runs of each contestant.
        nets: Names of the networks, separated by commas.
        results: The file of finished runs.
    """
    if not DATA.is_dir():
        skipped = f"Skipped: {DATA} does not exist; set LEPTON_DATA to a folder that contains fashion_mnist."
        return Result(figures=[], notes=[skipped])
    torch.set_num_threads(1)
    train, test = fashion(DATA, "train", rows), fashion(DATA, "t10k", 10_000)
    ledger, by_case = Ledger(Path(results), SAME), dict[tuple[str, float, str], list[Found]]()
    for seed in range(seeds):
        for net in nets.split(","):
            contest = Contest(ledger, (net, seed, rows, parent_epochs, epochs), test, train)
            for ratio in RATIOS:
                for who in CONTESTANTS:
                    by_case.setdefault((net, ratio, who), []).append(contest.run(who, ratio))
    figures_made = [figure for net in nets.split(",") for ratio in RATIOS for figure in figures(by_case, net, ratio)]
    return Result(figures=figures_made, notes=[DROP, AHEAD, COST])


def figures(results: dict[tuple[str, float, str], list[Found]], net: str, ratio: float) -> list[Figure]:
    """The figures of one network at one ratio."""
    runs = {who: results[net, ratio, who] for who in CONTESTANTS}
    end = f"{net}_{100 * ratio:.0f}"
    figures_made = [
        Figure.of(f"drop_{who}_{end}", [result["drop"] for result in recorded], unit="points") for who, recorded in runs.items()
    ]
    best = [min(runs[who][n]["drop"] for who in CONTESTANTS if who != "ours") for n in range(len(runs["ours"]))]
    ahead = [theirs - mine["drop"] for theirs, mine in zip(best, runs["ours"], strict=True)]
    figures_made.append(Figure.of(f"ahead_{end}", ahead, unit="points", target=">= 0"))
    for name in ("macs", "speed"):
        figures_made += [
            Figure.of(f"{name}_{who}_{end}", [result[name] for result in recorded]) for who, recorded in runs.items()
        ]
    return figures_made
