"""The contestants, and the dependencies of their cached runs."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from types import ModuleType
from typing import Literal

from lepton_automl.search import stopping

from . import clock, halving, hub, landscape, moasha, optuna_peers, ours
from .landscape import Landscape
from .recorded import Moment

Contest = Callable[[Landscape, int, int], Iterable[Moment]]
OURS, TPE = "ours", "Optuna TPE"


def nothing() -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A contestant.

    Args:
        name: Its name in the output.
        run: Returns the ends of all trials, for a landscape, a seed and a number of workers.
        role: `"ours"`; `"warm"`, ours after another study; a `"peer"`, which ours is tested against; a `"yardstick"`, which is
            only printed.
        missing: Returns why it is not available; empty if it is.
        sources: The modules whose source a cached run depends on.
        version: Returns the version of the wrapped package.
    """

    name: str
    run: Contest
    role: Literal["ours", "warm", "peer", "yardstick"] = "peer"
    missing: Callable[[], str] = nothing
    sources: tuple[ModuleType, ...] = field(default=(optuna_peers,))
    version: Callable[[], str] = nothing

    @property
    def cached(self) -> bool:
        """Whether runs are cached. Our own search depends on many files that change often, so it is run each time."""
        return self.role in {"peer", "yardstick"}

    def digest(self) -> str:
        """A key of everything that a result depends on, except the table, the seed and the workers."""
        texts = [inspect.getsource(module) for module in (clock, landscape, *self.sources)]
        parts = [self.name, *texts, metadata.version("optuna"), metadata.version("numpy"), self.version()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def everyone() -> list[Contestant]:
    """All contestants, ours and its ablations first."""
    without: dict[str, Contest] = {
        "rungs": partial(ours.run, rungs=False),
        "feasibility": partial(ours.run, screen=False),
        "children": partial(ours.run, children=False),
        "first designs": partial(ours.run, initial_designs=False),
        "thawing": ours.without_resuming,
    }
    after: dict[str, Contest] = {
        "warm start": ours.warm,
        "warm start alone": partial(ours.warm, initial_designs=False),
        "misled": partial(ours.warm, misled=True),
    }
    ablations = [
        Contestant(name=f"{OURS} -{word}", run=run, role="ours", missing=ours.missing) for word, run in without.items()
    ]
    plain = {TPE: optuna_peers.tpe, "Optuna NSGA-II": optuna_peers.nsga2, "Optuna random": optuna_peers.uniform}
    return [
        Contestant(name=OURS, run=ours.run, role="ours", missing=ours.missing),
        *ablations,
        *(Contestant(name=f"{OURS} {word}", run=run, role="warm", missing=ours.missing) for word, run in after.items()),
        *(Contestant(name=name, run=optuna_peers.unstopped(make)) for name, make in plain.items()),
        Contestant(
            name="OptunaHub multi_metric_pruner",
            run=hub.multi_metric_pruner,
            missing=hub.missing,
            sources=(optuna_peers, hub),
            version=hub.version,
        ),
        Contestant(
            name="Syne Tune MOASHA", run=moasha.moasha, missing=moasha.missing, sources=(moasha,), version=moasha.version
        ),
        Contestant(
            name="TPE + halving", run=optuna_peers.tpe_halving, role="yardstick", sources=(optuna_peers, halving, stopping)
        ),
        Contestant(name="random + halving", run=halving.halving_random, role="yardstick", sources=(halving, stopping)),
    ]
