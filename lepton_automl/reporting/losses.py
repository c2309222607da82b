"""The losses of a trial: training beside validation, epoch by epoch, as a small picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lepton_automl.state import StudyState
from lepton_automl.task import task_of
from lepton_automl.trial import Trial

from .theme import BLUE, GREY, ORANGE, linear_ends

TRAIN = "train_loss"
WIDE, TALL, LEFT, RIGHT, TOP, BOTTOM = 380.0, 150.0, 44.0, 78.0, 10.0, 22.0  # pixels: the picture and its margins
APART = 12.0  # pixels between two labels at least
Point = tuple[int, float]


@dataclass(frozen=True)
class Losses:
    """The losses of a trial.

    Args:
        train: Epoch and mean training loss, as it is minimised: with augmentation, smoothing and weights.
        validation: Epoch and loss on the validation rows, of the averaged weights.
    """

    train: tuple[Point, ...]
    validation: tuple[Point, ...]


def losses_of(state: StudyState, trial: Trial) -> Losses:
    """The reported losses of a trial; a user's own network may report none."""
    data = state.settings.data
    train, validation = [], []
    for report in trial.reports:
        loss = report.scores.get(TRAIN)
        if loss is not None and math.isfinite(loss):
            train.append((report.epoch, loss))
        try:
            loss = task_of(data).validation_loss(report.scores, data.output)
        except KeyError:  # it was not scored after this epoch
            continue
        if math.isfinite(loss):
            validation.append((report.epoch, loss))
    return Losses(tuple(train), tuple(validation))


def losses_svg(state: StudyState, trial: Trial) -> str:
    """The losses as SVG without scripts; empty with fewer than two epochs."""
    losses = losses_of(state, trial)
    points = [*losses.train, *losses.validation]
    epochs = [epoch for epoch, _ in points]
    if len(set(epochs)) < 2:
        return ""
    first, last = min(epochs), max(epochs)
    low, high = linear_ends(loss for _, loss in points)

    def place(point: Point) -> tuple[float, float]:
        x = LEFT + (WIDE - LEFT - RIGHT) * (point[0] - first) / (last - first)
        return x, TALL - BOTTOM - (TALL - BOTTOM - TOP) * (point[1] - low) / (high - low)

    lines, ends = [], []
    for name, known, colour, dash in (("training", losses.train, BLUE, ""), ("validation", losses.validation, ORANGE, "4 2")):
        if known:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, known))
            lines.append(
                f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.7" stroke-dasharray="{dash}"/>'
            )
            ends.append((place(known[-1])[1], name, colour))
    if len(ends) > 1 and abs(ends[0][0] - ends[1][0]) < APART:  # labels that would overlap
        middle = (ends[0][0] + ends[1][0]) / 2
        above = ends[0][0] <= ends[1][0]
        ends = [(middle + (-1 if (at == 0) == above else 1) * APART / 2, *end[1:]) for at, end in enumerate(ends)]
    names = "".join(
        f'<text x="{WIDE - RIGHT + 5}" y="{y + 3:.1f}"><tspan fill="{colour}">●</tspan> {name}</text>'
        for y, name, colour in ends
    )
    best = min(losses.validation, key=lambda point: point[1], default=None)
    dot = ""
    if best:
        x, y = place(best)
        dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{ORANGE}"><title>lowest at epoch {best[0]}: {best[1]:.4g}</title></circle>'
    shown = [loss for _, loss in points]
    scale = "".join(
        f'<line x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GREY}" stroke-opacity=".3"/>'
        f'<text x="{LEFT - 5}" y="{y + 3:.1f}" text-anchor="end">{value:.3g}</text>'
        for value in (min(shown), max(shown))
        for _, y in [place((first, value))]
    )
    return (
        f'<svg role="img" aria-label="training and validation loss by epoch" viewBox="0 0 {WIDE:.0f} {TALL:.0f}" font-size="10" '
        f'fill="currentColor" style="width:min(100%,{WIDE:.0f}px)">{scale}{"".join(lines)}{dot}{names}'
        f'<text x="{LEFT}" y="{TALL - 6}">epoch {first}</text>'
        f'<text x="{WIDE - RIGHT}" y="{TALL - 6}" text-anchor="end">{last}</text></svg>'
    )


def losses_sentence(state: StudyState, trial: Trial) -> str:
    """What the losses show, in a sentence; empty if there is nothing to compare."""
    losses = losses_of(state, trial)
    if len(losses.validation) < 2:
        return ""
    epoch, loss = min(losses.validation, key=lambda point: point[1])
    return (
        f"The validation loss is lowest after epoch {epoch}: {loss:.4g}. "
        "The training loss is the one that is minimised, with augmentation and smoothing, so it may lie above."
    )
