"""A hundred small networks as people write them, each trained, cut and accelerated: answers against the module's own forward."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from lepton_automl.errors import LeptonError

from .ledger import Found, Ledger
from .report import Figure, Result
from .zoo_networks.entry import Entry, all_networks
from .zoo_networks.trial import Wrong, trial

CHECKOUT = Path(__file__).parents[1]
RESULTS = CHECKOUT / "mlruns" / "benchmarks" / "zoo.jsonl"
LIMIT = 900.0  # seconds until a network counts as one that gives no answer
RIGHT = (
    "right: the accelerated file answers as the module (floats within 1e-4 of the answers' scale, one by one and as a batch, and"
    " decides alike; whole numbers score as reported), the smaller network scores as reported, in the mode in which the network"
    " came, its export answers as it does, and the given network is as it was."
)
OTHER = (
    "refused: accelerate or lean gave up with a reason, listed above. wrong: crashes and differences; silent: the differences."
)


def run(*, only: str = "", again: bool = False, results: str = str(RESULTS)) -> Result:
    """Try every network of `zoo_networks` in a process of its own.

    Args:
        only: Try the networks whose names contain this.
        again: Whether to try those again that are known for this very code.
        results: The ledger of finished trials.
    """
    torch.set_num_threads(1)
    ledger, code = Ledger(Path(results), ("network", "code")), _digest()
    entries = [(number, entry) for number, entry in enumerate(all_networks()) if only.casefold() in entry.name.casefold()]
    found = []
    for number, entry in entries:
        row = ledger.once((entry.name, code), lambda entry=entry, number=number: _isolated(entry, number), again=again)  # type: ignore[misc]  # mypy has no types for defaults
        found.append(row)
        details = "" if row["outcome"] == "right" else f"\n        {row['why']}"
        print(f"{row['outcome']:8}{entry.name} ({row['score']:.2f}, {row['seconds']:.0f} s){details}", flush=True)
    counts = {outcome: sum(row["outcome"] == outcome for row in found) for outcome in ("right", "refused", "crash", "silent")}
    figures = [
        Figure(name="networks", value=len(found), target=">= 60"),
        Figure(name="right", value=counts["right"]),
        Figure(name="refused", value=counts["refused"], target="<= 6"),
        Figure(name="wrong", value=counts["crash"] + counts["silent"], target="0"),
        Figure(name="silent", value=counts["silent"], target="0"),
        Figure(name="seconds", value=sum(row["seconds"] for row in found), unit="s"),
    ]
    return Result(figures=figures, notes=[RIGHT, OTHER])


def _digest() -> str:
    """Of all code that a trial runs, so that what an older one found is not taken for what this one does."""
    files = [*(CHECKOUT / "lepton_automl").rglob("*.py"), *(CHECKOUT / "benchmarks" / "zoo_networks").glob("*.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()[:12]


def _isolated(entry: Entry, number: int) -> Found:
    """What a forked process found: it may end or hang without harm to the rest."""
    began = time.monotonic()
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(theirs, lambda: trial(entry, training=bool(number % 2))))
    process.start()
    theirs.close()
    found: Found = {"outcome": "crash", "why": f"no answer within {LIMIT:.0f} s", "score": float("nan")}
    try:
        if ours.poll(LIMIT):
            found = ours.recv()
    except EOFError:
        process.join()
        found["why"] = f"its process ended with {process.exitcode}"
    process.kill()
    process.join()
    return found | {"seconds": time.monotonic() - began}


def _report(pipe: Connection, body: Callable[[], dict[str, Any]]) -> None:
    try:
        found = {"outcome": "right", "why": "", **body()}
    except LeptonError as error:
        found = {"outcome": "refused", "why": " ".join(str(error).split())}
    except Wrong as error:
        found = {"outcome": "silent", "why": str(error)}
    except Exception as error:  # whatever breaks is what this looks for
        where = traceback.extract_tb(error.__traceback__)[-1]
        found = {
            "outcome": "crash",
            "why": f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"[:500],
        }
    pipe.send({"score": float("nan"), **found})
