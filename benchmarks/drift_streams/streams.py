"""Twelve scripts: quiet rows, then a change. Rows are drawn from a pool of real rows, with replacement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lepton_automl.arrays import Array

from .sources import PICTURES, PIXELS, TABLES, Features, Source

WINDOW = 500  # rows
QUIET, CHANGED = 10, 10  # windows before and after the change
FEEDBACK_DELAY = 500  # rows after which the true answer of a row arrives
LEAST_VALUES = 10  # different values of a column that is changed
LARGEST_SHARE = 0.5  # of its most frequent value
RAMP = 4000  # rows of a gradual change, and of a season
UNITS = (1000.0, 0.001, 2.54, 1 / 2.54, 1.609344, 100.0)


@dataclass(frozen=True)
class Stream:
    """Rows with what the model answered; the change begins at row `start`.

    Attributes:
        column: The feature that is changed, if it is one.
        visible: The first row at which anything can be seen of the change: later if only true answers show it.
    """

    name: str
    source: str
    seed: int
    start: int
    features: Features
    answers: Array
    confidence: Array | None
    truth: Array
    column: str = ""
    visible: int = 0

    def __len__(self) -> int:
        return len(self.answers)


@dataclass
class Draft:
    """A stream while it is made: which rows of the pool, and what changes in them."""

    source: Source
    rng: np.random.Generator
    start: int
    rows: Array
    column: str = ""
    change: Callable[[Features], None] | None = None
    relabel: Callable[[Features, Array], Array] | None = None

    @property
    def changed(self) -> int:
        return len(self.rows) - self.start

    def pick_column(self, *, category: bool = False) -> str:
        """A column at random whose values vary."""
        names = [name for name in self.source.raw if (name in self.source.categories) == category]
        usable = [name for name in names if category or _varies(self.source.raw[name])]
        self.column = str(self.rng.choice(usable))
        return self.column


def _varies(values: Array) -> bool:
    _, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    return len(counts) >= LEAST_VALUES and counts.max() <= LARGEST_SHARE * len(values)


def make(name: str, source: Source, seed: int, quiet: int = QUIET, changed: int = CHANGED) -> Stream:
    """A stream by its name; the change begins at a random row of a window."""
    rng = np.random.default_rng([seed, sorted(SCRIPTS).index(name)])
    start = quiet * WINDOW + int(rng.integers(WINDOW))
    rows = rng.integers(len(source.truth), size=start + changed * WINDOW)
    draft = Draft(source=source, rng=rng, start=start, rows=rows)
    SCRIPTS[name][0](draft)
    raw, truth = source.take(draft.rows)
    late = {column: values[start:].copy() for column, values in raw.items()}
    if draft.relabel is not None:
        truth = np.concatenate([truth[:start], draft.relabel(late, truth[start:])])
    if draft.change is not None:
        draft.change(late)
    raw = {column: np.concatenate([values[:start], late[column]]) for column, values in raw.items()}
    answers, confidence = source.predict(raw)
    visible = start + (FEEDBACK_DELAY if draft.relabel is not None else 0)
    features = source.features(raw)
    return Stream(name, source.name, seed, start, features, answers, confidence, truth, draft.column, visible)


def quiet(source: Source, seed: int, windows: int) -> Stream:
    """A stream without a change."""
    return make("none", source, seed, quiet=windows, changed=0)


def _ranks(values: Array) -> Array:
    """Normal scores of numbers; zero for missing ones."""
    from scipy.stats import norm, rankdata

    known = ~np.isnan(values)
    scores = np.zeros(len(values))
    scores[known] = norm.ppf(rankdata(values[known]) / (known.sum() + 1))
    return scores


def _redraw(draft: Draft, scores: Array, strengths: Array) -> None:
    """Draw the changed rows anew, with weights exp(strength x score): real rows, in other proportions."""
    blocks = np.array_split(np.arange(draft.changed), max(draft.changed // 100, 1))
    for block in blocks:
        weights = np.exp(strengths[block].mean() * scores)
        drawn = draft.rng.choice(len(scores), size=len(block), p=weights / weights.sum())
        draft.rows[draft.start + block] = drawn


def _none(draft: Draft) -> None:
    del draft


def _covariates(draft: Draft, course: Callable[[Array], Array], low: float, high: float) -> None:
    column = draft.pick_column()
    strength = draft.rng.uniform(low, high) * draft.rng.choice([-1, 1])
    _redraw(draft, _ranks(draft.source.raw[column]), strength * course(np.arange(draft.changed)))


def _sudden(draft: Draft) -> None:
    _covariates(draft, lambda row: np.ones(len(row)), 0.3, 0.8)


def _gradual(draft: Draft) -> None:
    _covariates(draft, lambda row: np.minimum(row / RAMP, 1.0), 0.5, 1.0)


def _seasonal(draft: Draft) -> None:
    _covariates(draft, lambda row: np.sin(2 * np.pi * row / RAMP), 0.5, 1.0)


def _label_shift(draft: Draft) -> None:
    strength = draft.rng.uniform(0.5, 1.0)
    if draft.source.labels:
        classes = np.unique(draft.source.truth)
        scores = (draft.source.truth == draft.rng.choice(classes)).astype(float)
        strength = 2 * strength
    else:
        scores = _ranks(draft.source.truth)
        strength = strength * draft.rng.choice([-1, 1])
    _redraw(draft, scores, np.full(draft.changed, strength))


def _concept(draft: Draft) -> None:
    """Another truth for some of the rows in which a column is above its median; the features stay as they are."""
    column, rng = draft.pick_column(), draft.rng
    median, share = np.nanmedian(draft.source.raw[column]), rng.uniform(0.3, 0.6)
    classes = np.unique(draft.source.truth)

    def relabel(late: Features, truth: Array) -> Array:
        hit = (late[column] > median) & (rng.random(len(truth)) < share)
        if not draft.source.labels:
            return np.where(hit, truth * 1.5, truth)
        after = classes[(np.searchsorted(classes, truth) + 1) % len(classes)]
        return np.where(hit, after, truth)

    draft.relabel = relabel


def _stuck(draft: Draft) -> None:
    column = draft.pick_column()

    def change(late: Features) -> None:
        known = late[column][~np.isnan(late[column])]
        late[column][:] = known[0]

    draft.change = change


def _unit(draft: Draft) -> None:
    column, factor = draft.pick_column(), float(draft.rng.choice(UNITS))

    def change(late: Features) -> None:
        late[column] *= factor

    draft.change = change


def _new_category(draft: Draft) -> None:
    column, rng = draft.pick_column(category=True), draft.rng
    share = rng.uniform(0.02, 0.1)

    def change(late: Features) -> None:
        late[column][rng.random(len(late[column])) < share] = "a new category"

    draft.change = change


def _noise(draft: Draft) -> None:
    column, rng = draft.pick_column(), draft.rng
    size = rng.uniform(0.5, 1.0) * np.nanstd(draft.source.raw[column])

    def change(late: Features) -> None:
        late[column] += rng.normal(0, size, len(late[column]))

    draft.change = change


def _rotation(draft: Draft) -> None:
    angle = draft.rng.uniform(10, 30) * draft.rng.choice([-1, 1])

    def change(late: Features) -> None:
        late["pixels"] = rotated(late["pixels"], angle)

    draft.change = change


def _darkening(draft: Draft) -> None:
    factor = draft.rng.uniform(0.6, 0.85)

    def change(late: Features) -> None:
        late["pixels"] = (late["pixels"] * factor).astype(np.uint8)

    draft.change = change


def rotated(pixels: Array, degrees: float) -> Array:
    """Pictures [N, 28, 28] rotated about their middle, by bilinear interpolation; black comes in at the corners."""
    angle, middle = np.deg2rad(degrees), (PIXELS - 1) / 2
    rows, columns = np.mgrid[:PIXELS, :PIXELS] - middle
    y = np.cos(angle) * rows - np.sin(angle) * columns + middle
    x = np.sin(angle) * rows + np.cos(angle) * columns + middle
    padded = np.pad(pixels.astype(np.float32), ((0, 0), (8, 8), (8, 8)))
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    down, right = y - top, x - left
    corners = [(0, 0, (1 - down) * (1 - right)), (0, 1, (1 - down) * right), (1, 0, down * (1 - right)), (1, 1, down * right)]
    turned = [share * padded[:, top + 8 + j, left + 8 + i] for j, i, share in corners]
    return np.asarray(np.sum(turned, axis=0).astype(np.uint8))


# Each with the sources that it is run on in turn, by seed.
SCRIPTS: dict[str, tuple[Callable[[Draft], None], tuple[str, ...]]] = {
    "none": (_none, (*TABLES, *PICTURES)),
    "sudden covariate shift": (_sudden, TABLES),
    "gradual covariate shift": (_gradual, TABLES),
    "seasonal covariate shift": (_seasonal, TABLES),
    "label shift": (_label_shift, (*TABLES, *PICTURES)),
    "concept drift": (_concept, TABLES),
    "stuck sensor": (_stuck, TABLES),
    "unit change": (_unit, TABLES),
    "new category": (_new_category, TABLES),
    "noise": (_noise, TABLES),
    "rotation": (_rotation, PICTURES),
    "darkening": (_darkening, PICTURES),
}
