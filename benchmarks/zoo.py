"""A hundred typical small networks, each trained, pruned and accelerated, compared with the module's own forward pass."""

from __future__ import annotations

import functools
import hashlib
import itertools
import multiprocessing
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from lepton_automl import Deployment
from lepton_automl.errors import LeptonError

from .ledger import Found, Ledger
from .report import Figure, Result
from .zoo_networks.entry import Entry, all_networks
from .zoo_networks.trial import Wrong, trial

CHECKOUT = Path(__file__).parents[1]
RESULTS = CHECKOUT / "mlruns" / "benchmarks" / "zoo.jsonl"
EVERY = 5  # one network in this many is tried in all runtimes
LIMIT = 900.0  # maximum seconds for one network
ONNX = f"one network in {EVERY} is tried in all runtimes, the others in ONNX Runtime."
RIGHT = (
    "right: the accelerated file's outputs equal the module's (floats within 1e-4 of the outputs' scale, row by row and as a batch, with"
    " equal decisions; int8 scores as reported), the smaller network scores as reported and keeps the training or"
    " evaluation mode, its export gives the same outputs, and the original network is unchanged."
)
OTHER = "refused: accelerate or lean raised an error with a reason, listed above. wrong: crashes and differences; silent: only differences."


def run(*, only: str = "", again: bool = False, workers: int = 2, results: str = str(RESULTS)) -> Result:
    """Try every network of `zoo_networks` in a separate process.

    Args:
        only: Try the networks whose names contain this.
        again: Whether to repeat trials already recorded for this version of the code.
        workers: Number of concurrent networks, each on one thread.
        results: The file of finished trials.
    """
    torch.set_num_threads(1)
    ledger, code = Ledger(Path(results), ("network", "code")), _digest()
    entries = {
        entry.name: (number, entry) for number, entry in enumerate(all_networks()) if only.casefold() in entry.name.casefold()
    }
    waiting = [trial for name, trial in entries.items() if again or (name, code) not in ledger.known]
    for name, row in _tried(waiting, workers):
        ledger.once((name, code), lambda row=row: row, again=again)  # type: ignore[misc]  # mypy has no types for defaults
    rows = [ledger.known[name, code] for name in entries]
    for row in rows:
        if row["outcome"] != "right":
            print(f"{row['outcome']:8}{row['network']}\n        {row['why']}")
    counts = Counter(row["outcome"] for row in rows)
    figures = [
        Figure(name="networks", value=len(rows), target=">= 60"),
        Figure(name="right", value=counts["right"]),
        Figure(name="refused", value=counts["refused"], target="<= 6"),
        Figure(name="wrong", value=counts["crash"] + counts["silent"], target="0"),
        Figure(name="silent", value=counts["silent"], target="0"),
        Figure.of("score", [row["score"] for row in rows if row["outcome"] == "right"] or [0.0]),
        Figure(name="seconds", value=sum(row["seconds"] for row in rows), unit="s"),
    ]
    return Result(figures=figures, notes=[RIGHT, OTHER, ONNX])


def _digest() -> str:
    """A digest of all code that a trial runs, so that results of older code are not reused."""
    files = [*(CHECKOUT / "lepton_automl").rglob("*.py"), *(CHECKOUT / "benchmarks" / "zoo_networks").glob("*.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()[:12]


def _tried(waiting: list[tuple[int, Entry]], workers: int) -> Iterator[tuple[str, Found]]:
    """Yield the result of each network's own process as it ends; a crash or hang does not affect the others."""
    ahead, running = iter(waiting), dict[Connection, tuple[Entry, BaseProcess, float]]()
    while True:
        for number, entry in itertools.islice(ahead, workers - len(running)):
            pipe, process = _started(number, entry)
            running[pipe] = (entry, process, time.monotonic())
        if not running:
            return
        ready = wait(list(running), timeout=1)
        for pipe, (entry, process, began) in list(running.items()):
            seconds = time.monotonic() - began
            if pipe in ready or seconds > LIMIT:
                outcome = (
                    _received(pipe, process)
                    if pipe in ready
                    else {"outcome": "crash", "why": f"no result within {LIMIT:.0f} s"}
                )
                process.kill()
                process.join()
                del running[pipe]
                row = {"score": float("nan"), **outcome, "seconds": seconds}
                print(f"{row['outcome']:8}{entry.name} ({row['score']:.2f}, {seconds:.0f} s)", flush=True)
                yield entry.name, row


def _started(number: int, entry: Entry) -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("fork")
    deployment = Deployment() if number % EVERY == 0 else Deployment(runtimes=("onnxruntime",))
    ours, theirs = context.Pipe(duplex=False)
    # Every second network is passed in training mode.
    body = functools.partial(trial, entry, training=bool(number % 2), deployment=deployment)
    process = context.Process(target=_report, args=(theirs, body))
    process.start()
    theirs.close()
    return ours, process


def _received(pipe: Connection, process: BaseProcess) -> Found:
    try:
        row: Found = pipe.recv()
    except EOFError:
        process.join()
        return {"outcome": "crash", "why": f"its process ended with {process.exitcode}"}
    return row


def _report(pipe: Connection, body: Callable[[], dict[str, Any]]) -> None:
    warnings.simplefilter("ignore")  # slow export
    try:
        row = {"outcome": "right", "why": "", **body()}
    except LeptonError as error:
        row = {"outcome": "refused", "why": " ".join(str(error).split())}
    except Wrong as error:
        row = {"outcome": "silent", "why": str(error)}
    except Exception as error:  # any failure is a result
        frame = traceback.extract_tb(error.__traceback__)[-1]
        row = {
            "outcome": "crash",
            "why": f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"[:500],
        }
    pipe.send(row)
