"""What matters to a model, as sentences, as a drawing without scripts, and as a table."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from lepton_automl.permutation_importance import PartImportance, PermutationImportance
from lepton_automl.texts import join_words, many

from .drawing import drawn_picture, svg_of
from .labels import clean
from .theme import BLUE, ORANGE

if TYPE_CHECKING:
    import pandas as pd

MOST = 20  # columns drawn: the most important ones
NAMED = 3  # parts in a sentence
CLEAR = 2.0  # standard deviations over repeats that a drop exceeds where it is named
WIDTH, NAMES, ROW, MAP = 640, 200, 20, 280  # pixels: of the drawing, its names, a bar's row, and a map of regions
CORRELATED = (
    "Columns that tell the same share their importance: each may seem unimportant, as the model still has the other. "
    "Permuted columns also make rows that do not occur, which can exaggerate."
)
LEARNED = "The model has learned from these rows, so this is what it relies on, not what helps on new rows."


class ImportanceReport(PermutationImportance):
    """A `PermutationImportance` that can be read and shown."""

    def __str__(self) -> str:
        return "\n".join(importance_sentences(self))

    __repr__ = __str__

    @property
    def frame(self) -> pd.DataFrame:
        """One row per part, the most important first: `drop`, the mean over repeats, and `deviation`, the standard deviation."""
        import pandas as pd

        return pd.DataFrame(importance_rows(self), columns=["part", "drop", "deviation"]).set_index("part")

    def _repr_html_(self) -> str:
        return importance_html(self)


def importance_rows(importance: PermutationImportance) -> list[dict[str, Any]]:
    """One row per part, the most important first."""
    return [{"part": part.name, "drop": part.drop, "deviation": part.deviation} for part in importance.ranked]


def importance_html(importance: PermutationImportance) -> str:
    """The drawing and the sentences."""
    return f"{importance_svg(importance)}{''.join(f'<p>{escape(line)}</p>' for line in importance_sentences(importance))}"


def importance_sentences(importance: PermutationImportance) -> list[str]:
    """What was measured, what matters most, and what to bear in mind."""
    kind = "region" if importance.grid else "column"
    of_all = f" of {importance.split_rows:,}" if importance.rows < importance.split_rows else ""
    done = "covered with the mean pixel" if importance.grid else f"permuted among these rows {many(importance.repeats, 'time')}"
    scored = f"On {importance.rows:,}{of_all} {importance.split} rows {importance.metric} is {importance.score:.4g}"
    sentences = [f"{scored}; each {kind} was {done}.", _most_important(importance, kind)]
    if importance.left_out_drop is not None:
        count = many(len(importance.left_out), kind)
        sentences.append(
            f"There was no time for {count}; without all of these {importance.metric} is {_worse(importance.left_out_drop)}."
        )
    return [*sentences, *([] if importance.grid else [CORRELATED]), *([LEARNED] if importance.split == "train" else [])]


def _most_important(importance: PermutationImportance, kind: str) -> str:
    named = [part for part in importance.ranked if part.drop > CLEAR * part.deviation and part.drop > 0][:NAMED]
    if not named:
        return f"No single {kind} makes a clear difference."
    parts = [f"{clean(part.name, 40)} ({_worse(part.drop)} without it)" for part in named]
    return f"The most important: {join_words(parts)}."


def _worse(drop: float) -> str:
    return f"{'worse' if drop >= 0 else 'better'} by {abs(drop):.3g}"


def importance_svg(importance: PermutationImportance) -> str:
    """Bars for columns, with a line of one standard deviation to each side; a map over the mean image for regions."""
    return _map(importance) if importance.grid else _bars(importance)


def _bars(importance: PermutationImportance) -> str:
    shown = importance.ranked[:MOST]
    low = min([0.0, *(part.drop - part.deviation for part in shown)])
    high = max([0.0, *(part.drop + part.deviation for part in shown)])
    room = (WIDTH - NAMES - 70) / ((high - low) or 1.0)

    def x(value: float) -> float:
        return NAMES + (value - low) * room

    def bar(at: int, part: PartImportance) -> str:
        left, right = sorted((x(0.0), x(part.drop)))
        ends = x(part.drop - part.deviation), x(part.drop + part.deviation)
        middle = ROW * at + ROW / 2
        name = escape(clean(part.name, 24))
        return (
            f"<g><title>{escape(clean(part.name))}: {_worse(part.drop)}, standard deviation {part.deviation:.2g}</title>"
            f'<text x="{NAMES - 8}" y="{middle + 4}" text-anchor="end">{name}</text>'
            f'<rect x="{left:.1f}" y="{middle - 6}" width="{max(right - left, 0.5):.1f}" height="12" fill="{BLUE}"/>'
            f'<line x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{middle}" y2="{middle}" stroke="{ORANGE}" stroke-width="2"/>'
            f'<text x="{max(ends[1], right) + 6:.1f}" y="{middle + 4}">{part.drop:.3g}</text></g>'
        )

    more = len(importance.parts) - len(shown)
    under = f"how much worse {importance.metric} is without the column" + (f"; {more:,} more columns not shown" if more else "")
    height = ROW * len(shown) + 26
    axis = f'<line x1="{x(0.0):.1f}" x2="{x(0.0):.1f}" y1="0" y2="{ROW * len(shown)}" stroke="currentColor" opacity="0.4"/>'
    bars = "".join(bar(at, part) for at, part in enumerate(shown))
    label = f'<text x="0" y="{height - 8}" opacity="0.75">{escape(clean(under, 120))}</text>'
    return svg_of("Importance of columns", WIDTH, height, f"{axis}{bars}{label}")


def _map(importance: PermutationImportance) -> str:
    rows, columns = importance.grid
    known = {part.name: part for part in importance.parts}
    names = [f"row {row}, column {column}" for row in range(1, rows + 1) for column in range(1, columns + 1)]
    most = max([part.drop for part in importance.parts], default=0.0)
    picture, height = drawn_picture(importance.picture, MAP)
    cell = MAP / columns, height / rows

    def region(at: int, name: str) -> str:
        part = known.get(name)
        strength = 0.85 * max(part.drop, 0.0) / most if part and most > 0 else 0.0
        told = _worse(part.drop) if part else "not measured"
        return (
            f'<rect x="{cell[0] * (at % columns):.1f}" y="{cell[1] * (at // columns):.1f}" width="{cell[0]:.1f}" '
            f'height="{cell[1]:.1f}" fill="{ORANGE}" fill-opacity="{strength:.2f}"><title>{name}: {told}</title></rect>'
        )

    regions = "".join(region(at, name) for at, name in enumerate(names))
    label = f'<text y="{height + 18}">orange: {escape(clean(importance.metric, 30))} is worse without it,</text>'
    label += f'<text y="{height + 34}">by up to {max(most, 0.0):.3g}; below, the mean image</text>'
    return svg_of("Importance of regions", MAP, height + 42, f"{picture}{regions}{label}")
