"""The accelerated model against its dense parent in PyTorch, and against the same tools applied by hand."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lepton_automl import AutoML, Budget, Deployment, accelerate, lean
from lepton_automl.data.demo import digits
from lepton_automl.data.labelled import hold_out
from lepton_automl.data.open import Data, Split, open_data, open_test
from lepton_automl.deployment.open_artifact import open_bundle
from lepton_automl.jobs import CONTINUE
from lepton_automl.measuring.host import describe_host
from lepton_automl.measuring.latency import BenchmarkResult, interleaved_benchmark
from lepton_automl.measuring.statistics import compare_times
from lepton_automl.modalities.table.spec import table_input
from lepton_automl.pipelines.adapter import FitRequest
from lepton_automl.pipelines.cost import reference
from lepton_automl.pipelines.custom import adapter_for
from lepton_automl.study.runner import jobs
from lepton_automl.study.study import Study

from . import lean as pruning
from .by_hand import Array, Call, Made, accuracy_of, eager, portfolio
from .handmade import HANDMADE, Encoder, Rows, fashion, taught
from .ledger import Found, Ledger
from .live_rivals.setting import DATA as FASHION
from .live_rivals.setting import fashion as pictures
from .report import Figure, Result

CHECKOUT = Path(__file__).parents[1]
CACHE = CHECKOUT / "mlruns" / "benchmarks"
ADULT = FASHION.parent / "tabular" / "adult.csv.gz"
SAME = ("net", "rows", "epochs", "minutes", "seed", "host")
CONV = ("resnet", "mobilenet", "digits", "fashion")
NETS = ("resnet", "mobilenet", "encoder", "digits", "fashion", "adult")
ALLOWED = 0.003  # of validation accuracy that either side may lose; test accuracy may differ by 0.005
RATIOS = (0.5, 0.75)  # pruned by torch-pruning
SIZES = (1, 64)
WHOLE = 60_000  # images of Fashion-MNIST: with a sixth of them, a study validates on 2,000 rows, whose noise is twice the allowed drop
HELD = 10_000  # validation images; with fewer, a difference of 0.3 points is noise


@dataclass(frozen=True)
class Way:
    """A way to run a network.

    Args:
        call: Maps rows [N, ...] in one array to the network's output.
        enter: Converts the rows to the input of `run`, once, before it is timed.
        run: The timed call.
    """

    call: Call
    enter: Callable[[Array], Any]
    run: Callable[[Any], object]

    @classmethod
    def of(cls, call: Call) -> Way:
        """Wrap a call that takes the array unchanged."""
        return cls(call, lambda rows: rows, call)

    def on(self, rows: Array) -> Callable[[], object]:
        """Return the call on these rows, ready to be timed."""
        inputs, run = self.enter(rows), self.run
        return lambda: run(inputs)


@dataclass(frozen=True)
class Contest:
    """One network: the start that all contestants share, and our result.

    Args:
        parent: The dense, trained network; maps rows [N, ...] in one tensor to logits.
        native: The same network, called without a wrapper.
        train: Rows and classes.
        held: Rows and classes for validation.
        test: Rows and classes for the final test, used once.
        ours: Returns our artifact for a number of rows per call.
    """

    parent: nn.Module
    native: Way
    train: Rows
    held: Rows
    test: Rows
    ours: Callable[[int], Way]


# Hand-written networks


def handmade(net: str, rows: int, epochs: int, seed: int) -> Contest:
    """Return the contest of a hand-written network with the usual training; ours is `lean`, then `accelerate`."""
    if net == "encoder":
        whole, test = table()
        train, held = hold_out(whole, seed)
    else:
        every, test = fashion(FASHION, "train", WHOLE), fashion(FASHION, "t10k", 10_000)
        train, held = (every[0][:rows], every[1][:rows]), (every[0][-HELD:], every[1][-HELD:])
    torch.manual_seed(seed)
    parent = taught(encoder() if net == "encoder" else HANDMADE[net](), train, epochs, seed)
    small = lean(parent, train, validation=held, max_score_drop=ALLOWED * 2 / 3, epochs=epochs, seed=seed, progress=False)
    print(small, flush=True)

    def ours(size: int) -> Way:
        deployment = Deployment(batch_size=size, max_score_drop=max(ALLOWED - small.drop, 0.0))
        fast = accelerate(small.model, train, validation=held, deployment=deployment, progress=False)
        print(fast, flush=True)
        return Way.of(fast.predict)

    return Contest(parent, Way.of(eager(parent)), train, held, test, ours)


def _prepared() -> Data:
    return open_data(ADULT, CACHE / "adult-data") if not (CACHE / "adult-data").exists() else open_data(CACHE / "adult-data")


def encoder() -> nn.Module:
    spec = _prepared().spec
    return Encoder(table_input(spec).numeric, table_input(spec).cardinalities, spec.outputs)


def table() -> tuple[Rows, Rows]:
    """Adult's rows as this package prepares them: numbers, then codes."""
    data = _prepared().whole()
    return _flat(data.train), _flat(open_test(data.spec))


def _flat(split: Split) -> Rows:
    parts = [split.inputs[name].float() for name in ("numeric", "categorical") if name in split.inputs]
    return (torch.cat(parts, 1) if parts else split.inputs["image"]), split.targets


# Searched networks


class Single(nn.Module):
    """A RecipeNet with a single input tensor, for tools that need one input."""

    def __init__(self, net: nn.Module, numbers: int | None) -> None:
        super().__init__()
        self.net, self.numbers = net, numbers

    def forward(self, rows: Tensor) -> Tensor:
        if self.numbers is None:
            outputs: Tensor = self.net(image=rows)
        else:
            outputs = self.net(numeric=rows[:, : self.numbers], categorical=rows[:, self.numbers :].long())
        return outputs.mean(1) if outputs.ndim == 3 else outputs  # members of an ensemble


def searched(net: str, minutes: float, seed: int) -> Contest:
    """Return the contest of a study: its most accurate network, unpruned, against the fastest of nearly the same accuracy."""
    study = _study(net, minutes, seed)
    state, data = study.state, open_data(study.folder / "data")
    best = max(state.front(), key=state.score)
    parent = _parent(study, data, best.number)
    numbers = None if data.spec.modality == "image" else table_input(data.spec).numeric
    test = _flat(open_test(data.spec))
    single = Single(parent.eval(), numbers)
    held = _flat(data.validation)
    least = accuracy_of(eager(single), held) - ALLOWED
    chosen = study.best(min_score=min(least, state.score(best)))
    print(chosen, state.trial(chosen.number).accelerated and state.trial(chosen.number).accelerated.variant.name, flush=True)  # type: ignore[union-attr]  # checked just before

    def enter(rows: Array) -> dict[str, Array]:
        return _inputs(rows, data)

    def ours(size: int) -> Way:
        opened = open_bundle(chosen.path, rows=size)
        return Way(lambda rows: opened(enter(rows)), enter, opened)

    def tensors(rows: Array) -> dict[str, Tensor]:
        return {name: torch.from_numpy(part) for name, part in enter(rows).items()}

    def run(inputs: dict[str, Tensor]) -> Array:
        with torch.inference_mode():
            outputs: Array = parent(**inputs).numpy()
        return outputs

    native = Way(lambda rows: run(tensors(rows)), tensors, run)
    return Contest(single, native, _flat(data.train), held, test, ours)


def _inputs(rows: Array, data: Data) -> dict[str, Array]:
    """Rows in one array as inputs of a RecipeNet."""
    if data.spec.modality == "image":
        return {"image": rows}
    numbers, codes = table_input(data.spec).numeric, table_input(data.spec).cardinalities
    parts = {"numeric": rows[:, :numbers]} | ({"categorical": rows[:, numbers:].astype(np.int64)} if codes else {})
    return {name: np.ascontiguousarray(part) for name, part in parts.items()}


def _study(net: str, minutes: float, seed: int) -> Study:
    home, name = CACHE / "accelerate", f"{net}-{minutes:g}-{seed}"
    if (home / "studies" / name / "journal.jsonl").exists() and (finished := Study(name, home)).status == "ended":
        return finished
    study = AutoML(name=name, home=home, budget=Budget(minutes=minutes), seed=seed, progress=False)
    if net == "adult":
        return study.fit(ADULT, resume=True, wait=True)
    data = digits() if net == "digits" else pictures(WHOLE)
    return study.fit(*data, resume=True, wait=True)


def _parent(study: Study, data: Data, trial: int) -> nn.Module:
    """A trial's network before pruning, trained for as many epochs."""
    state = study.state
    job = jobs(state, study.folder)(state.trial(trial)).replace(parent=None)
    adapter = adapter_for(job.config, job.replace(train=state.settings.train.replace(seed=job.train.seed)))
    model = adapter.build(adapter.whole)
    request = FitRequest(first=0, last=adapter.plan.epochs, on_epoch=lambda *_: CONTINUE, wait=lambda: None, score=True)
    adapter.train(model, adapter.batches(data, model), request)
    return model.eval()


# The comparison


def by_hand(contest: Contest, epochs: int, seed: int, folder: Path) -> Iterator[Made]:
    """The network unpruned and pruned by torch-pruning, fine-tuned for as many epochs as ours, in every runtime and precision."""
    yield from portfolio(contest.parent, contest.train, folder, "whole")
    for ratio in RATIOS:
        try:
            case = pruning.Case(contest.parent, contest.train, ratio, epochs, seed)
            small = pruning.tuned(case)
        except Exception as error:
            print(f"torch-pruning at {ratio}: {type(error).__name__}: {error}", flush=True)
            continue
        yield from portfolio(small, contest.train, folder, f"pruned {ratio:g}")


def evaluate(contest: Contest, epochs: int, seed: int) -> Found:
    """Accuracies on the test rows, and latencies at both batch sizes, timed interleaved."""
    least = accuracy_of(eager(contest.parent), contest.held) - ALLOWED
    with tempfile.TemporaryDirectory() as folder:
        hands = [
            network
            for network in by_hand(contest, epochs, seed, Path(folder))
            if accuracy_of(network.call, contest.held) >= least
        ]
        figures_found: Found = {"parent": accuracy_of(eager(contest.parent), contest.test)}
        for size in SIZES:
            figures_found |= {f"{name}_{size}": value for name, value in _timed(contest, hands, size).items()}
    return figures_found


def _timed(contest: Contest, hands: list[Made], size: int) -> Found:
    rows, mine = contest.held[0][:size].numpy(), contest.ours(size)
    ways = {"ours": mine, "eager": contest.native} | {network.name: Way.of(network.call) for network in hands}
    if contest.held[0].ndim == 4:
        ways["channels last"] = Way.of(eager(contest.parent, last=True))
    times = interleaved_benchmark({name: way.on(rows) for name, way in ways.items()}, reference(1), seconds=1.5)
    dense = _best(times, [name for name in ("eager", "channels last") if name in times])
    hand = _best(times, [network.name for network in hands])
    for name in sorted(times, key=lambda name: times[name].latency.median):
        print(f"  {size:2d} rows  {times[name].latency.median:8.4f} ms  {name}", flush=True)
    by_name = {network.name: network.call for network in hands}
    return {
        "speedup": 1 / compare_times(times["ours"].ratios, times[dense].ratios).ratio,
        "behind": compare_times(times["ours"].ratios, times[hand].ratios).ratio,
        "accuracy": accuracy_of(mine.call, contest.test),
        "hand": hand,
        "hand_accuracy": accuracy_of(by_name[hand], contest.test),
    }


def _best(times: dict[str, BenchmarkResult], names: list[str]) -> str:
    return min(names, key=lambda name: times[name].latency.median)


def run(
    *,
    nets: str = ",".join(NETS),
    rows: int = 10_000,
    epochs: int = 8,
    minutes: float = 10.0,
    seed: int = 0,
    results: str = str(CACHE / "accelerate.jsonl"),
) -> Result:
    """Measure speedup over the dense network in PyTorch, change in test accuracy, and latency relative to the best by hand.

    Args:
        nets: Networks, separated by commas: hand-written (resnet, mobilenet, encoder) and searched (digits, fashion, adult).
        rows: Number of Fashion-MNIST's training images for the hand-written networks; the search uses all.
        epochs: Epochs of the hand-written parents, and of fine-tuning after pruning by hand.
        minutes: Minutes of each search.
        seed: Seed of everything.
        results: The file of finished runs.
    """
    if not FASHION.is_dir():
        return Result(figures=[], notes=[f"Skipped: {FASHION} does not exist; set LEPTON_DATA."])
    torch.set_num_threads(1)
    ledger = Ledger(Path(results), SAME)

    def find(net: str) -> Found:
        print(net, flush=True)
        networks = (
            handmade(net, rows, epochs, seed) if net in {"resnet", "mobilenet", "encoder"} else searched(net, minutes, seed)
        )
        return evaluate(networks, epochs, seed)

    by_network = {}
    for net in nets.split(","):
        by_network[net] = ledger.once((net, rows, epochs, minutes, seed, describe_host()), functools.partial(find, net))
    return Result(
        figures=[figure for net, result in by_network.items() for figure in _figures(net, result)] + _worst(by_network),
        notes=NOTES,
    )


NOTES = [
    "speedup: time of the dense parent in PyTorch (inference mode, channels last if faster) over that of our artifact.",
    "drop: points of accuracy lost on the test rows, which were not used for any choice.",
    "behind: our time over that of the best by hand (torch-pruning at two ratios or none, with each runtime's own tools).",
    f"Both sides may lose {100 * ALLOWED:g} points on the validation rows. One thread, all timed interleaved; medians of ratios.",
]


def _figures(net: str, results: Found) -> list[Figure]:
    figures = []
    for size in SIZES:
        drop = 100 * (results["parent"] - results[f"accuracy_{size}"])
        figures += [
            Figure(name=f"speedup_{net}_{size}", value=results[f"speedup_{size}"]),
            Figure(name=f"drop_{net}_{size}", value=drop, unit="points"),
            Figure(name=f"behind_{net}_{size}", value=results[f"behind_{size}"]),
        ]
    return figures


def _worst(results: dict[str, Found]) -> list[Figure]:
    """The main results, with one row per call."""
    figures = []
    for kind, least, names in (
        ("conv", 15, [n for n in results if n in CONV]),
        ("other", 8, [n for n in results if n not in CONV]),
    ):
        if names:
            drops = [100 * (results[net]["parent"] - results[net]["accuracy_1"]) for net in names]
            figures.append(
                Figure(name=f"speedup_min_{kind}", value=min(results[n]["speedup_1"] for n in names), target=f">= {least}")
            )
            figures.append(Figure(name=f"drop_max_{kind}", value=max(drops), unit="points", target="<= 0.5"))
    behind = max(results[net]["behind_1"] for net in results)
    return [*figures, Figure(name="behind_by_hand_max", value=behind, target="<= 1")]
