"""Which configurations a table holds: first designs, random ones, neighbours of good ones, children."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator

import numpy as np

from lepton_automl import families, front
from lepton_automl.plans import PrunePlan
from lepton_automl.space import Config, Space
from lepton_automl.specs import DataSpec
from lepton_automl.task import direction_of

from .ledger import Line

# A fresh network has no scores before its pruning, so pruning comes early.
LEAN = PrunePlan(cut_at=0.05)

TEN = 10  # a row's id is ten times its number; its children have the next ids
RANDOM, LOCAL = 1_000, 5_000  # the first numbers of random and local rows; designs start at 0
RANDOM_BLOCK, LOCAL_BLOCK = 25, 25  # this many of each kind alternate
SHARES = (0.7, 0.5, 0.35)  # share of the parent's channels that a child keeps
NEAR = 3  # a row counts as near the front if at most this many rows dominate it


def numbers(designs: int) -> Iterator[int]:
    """An endless iterator over all numbers in the order of their use."""
    yield from range(designs)
    block = 0
    while True:
        yield from range(RANDOM + block * RANDOM_BLOCK, RANDOM + (block + 1) * RANDOM_BLOCK)
        yield from range(LOCAL + block * LOCAL_BLOCK, LOCAL + (block + 1) * LOCAL_BLOCK)
        block += 1


def origin(number: int) -> str:
    """The kind of fresh row with this number."""
    return "design" if number < RANDOM else "random" if number < LOCAL else "local"


def config(number: int, spec: DataSpec, lines: list[Line], metric: str, space: Space | None = None) -> Config:
    """The configuration of a fresh row; a local one depends on the rows recorded so far.

    Rows of a record are drawn from the space that was recorded with them, as hyperparameters may have been added since.
    """
    space, kind = space or families.space_for(spec), origin(number)
    if kind == "design":
        return families.initial_designs(spec)[number]
    rng = random.Random(number)
    if kind == "random":
        return space.sample(rng)
    done = [line for line in lines if line["k"] == 0 and not line["failure"]]
    good = _good(done, metric)
    known = {identity(line["config"], spec) for line in done}
    drawn = mutated(rng.choice(good)["config"], space, rng)
    while identity(drawn, spec) in known:
        drawn = mutated(rng.choice(good)["config"], space, rng)
    return drawn


def identity(settings: Config, spec: DataSpec) -> str:
    """A key that is the same for equal trainings of equal networks."""
    recipe = families.final_recipe(settings, spec, LEAN).to_json()
    training = {name: setting for name, setting in settings.items() if name.startswith("train.")}
    return json.dumps([recipe, training], sort_keys=True)


def mutated(settings: Config, space: Space, rng: random.Random) -> Config:
    """Resample one or two hyperparameters."""
    names = rng.sample(sorted(space), rng.choice((1, 2)))
    return settings | {name: space[name].sample(rng) for name in names}


def costs(lines: Iterable[Line], metric: str) -> front.Costs:
    """Score and latency, both to be minimised."""
    sign = -1.0 if direction_of(metric) == "maximize" else 1.0
    rows = [(sign * line["final_score"], line["latency_ms"]) for line in lines]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def near(line: Line, lines: list[Line], metric: str) -> bool:
    """Whether only a few rows dominate this one."""
    own, others = costs([line], metric)[0], costs([line for line in lines if not line["failure"]], metric)
    return int(((others <= own).all(axis=1) & (others < own).any(axis=1)).sum()) <= NEAR


def _good(lines: list[Line], metric: str) -> list[Line]:
    """The first two fronts."""
    rank = front.ranks(costs(lines, metric))
    return [line for line, level in zip(lines, rank, strict=True) if level <= 1]


def children(number: int, settings: Config, spec: DataSpec, *, many: bool) -> list[Config]:
    """Configurations that this one's final shape can be pruned to: at most two if `many`, else one."""
    rng = random.Random(-1 - number)
    remaining, high = 1 - float(settings["prune.ratio"]), families.space_for(spec)["prune.ratio"].high or 0.0
    own = families.final_recipe(settings, spec, LEAN)
    shapes, shapes_seen = [], {str(own)}
    for share in rng.sample(SHARES, len(SHARES)):
        ratio = round(1 - remaining * share, 6)
        child = settings | {"prune.ratio": ratio}
        shape = families.final_recipe(child, spec, LEAN)
        if ratio <= high and str(shape) not in shapes_seen and own.contains(shape):
            shapes_seen.add(str(shape))
            shapes.append(child)
    return shapes[: 2 if many else 1]
