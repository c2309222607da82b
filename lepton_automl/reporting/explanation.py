"""The explanation of one answer, as sentences, as a drawing without scripts, and as a table."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from lepton_automl.explanation import Explanation, PartContribution
from lepton_automl.texts import join_words, many

from .drawing import drawn_picture, svg_of
from .labels import clean
from .theme import BLUE, ORANGE

if TYPE_CHECKING:
    import pandas as pd

MOST = 15  # columns drawn: those with the largest contributions
NAMED = 3  # parts in a sentence
CLEAR = 2.0  # standard errors that a contribution exceeds where it is named
WIDTH, NAMES, ROW, MAP = 640, 260, 20, 280  # pixels: of the drawing, its names, a bar's row, and a map of regions
CAUTION = "This is what the model uses, not what causes the outcome; parts that tell the same share their contribution."


class ExplanationReport(Explanation):
    """An `Explanation` that can be read and shown."""

    def __str__(self) -> str:
        return "\n".join(explanation_sentences(self))

    __repr__ = __str__

    @property
    def frame(self) -> pd.DataFrame:
        """One row per part: its value, and the contribution to `main` with its standard error."""
        import pandas as pd

        rows = [(part.name, part.value, part.contributions[self.main], part.errors[self.main]) for part in self.parts]
        return pd.DataFrame(rows, columns=["part", "value", "contribution", "error"]).set_index("part")

    def _repr_html_(self) -> str:
        return explanation_html(self)


def explanation_html(explanation: Explanation) -> str:
    """The drawing and the sentences."""
    return (
        f"{explanation_drawing(explanation)}{''.join(f'<p>{escape(line)}</p>' for line in explanation_sentences(explanation))}"
    )


def explanation_drawing(explanation: Explanation) -> str:
    """Bars for columns, a map over the image for regions."""
    return _map(explanation) if explanation.grid else _bars(explanation)


def explanation_sentences(explanation: Explanation) -> list[str]:
    """The prediction, how it differs from the mean answer, what contributes most, and what to bear in mind."""
    main = explanation.main
    base, answer = explanation.base[main], explanation.answer[main]
    usual = (
        f"on average over {many(explanation.background, 'other example')}"
        if explanation.background
        else "with all regions covered"
    )
    about = f"The probability of {clean(main, 40)}" if explanation.is_probability else clean(main, 40)
    first = f"Predicted: {clean(explanation.prediction, 80)}. {about} is {answer:.3g}; {usual} it is {base:.3g}."
    clear = [part for part in _ranked(explanation) if abs(part.contributions[main]) > max(1e-9, CLEAR * part.errors[main])][
        :NAMED
    ]
    kind = "region" if explanation.grid else "column"
    if not clear:
        return [first, f"No single {kind} makes a clear difference.", CAUTION]
    told = [f"{_name(part, 40)} ({part.contributions[main]:+.3g})" for part in clear]
    return [first, f"The largest contributions: {join_words(told)}.", CAUTION]


def _ranked(explanation: Explanation) -> list[PartContribution]:
    return sorted(explanation.parts, key=lambda part: -abs(part.contributions[explanation.main]))


def _name(part: PartContribution, length: int) -> str:
    return clean(f"{part.name} = {part.value}" if part.value else part.name, length)


def _bars(explanation: Explanation) -> str:
    """A bar for each column, to the right if it raises the number, with a line of one standard error to each side."""
    main, shown = explanation.main, _ranked(explanation)[:MOST]
    values = [(part.contributions[main], part.errors[main]) for part in shown]
    low, high = min([0.0, *(value - error for value, error in values)]), max([0.0, *(value + error for value, error in values)])
    room = (WIDTH - NAMES - 70) / ((high - low) or 1.0)

    def x(value: float) -> float:
        return NAMES + (value - low) * room

    def bar(at: int, part: PartContribution, value: float, error: float) -> str:
        (left, right), middle = sorted((x(0.0), x(value))), ROW * at + ROW / 2
        return (
            f"<g><title>{escape(_name(part, 80))}: {value:+.3g}, standard error {error:.2g}</title>"
            f'<text x="{NAMES - 8}" y="{middle + 4}" text-anchor="end">{escape(_name(part, 36))}</text>'
            f'<rect x="{left:.1f}" y="{middle - 6}" width="{max(right - left, 0.5):.1f}" height="12" '
            f'fill="{BLUE if value > 0 else ORANGE}"/>'
            f'<line x1="{x(value - error):.1f}" x2="{x(value + error):.1f}" y1="{middle}" y2="{middle}" stroke="currentColor"/>'
            f'<text x="{max(x(value + error), right) + 6:.1f}" y="{middle + 4}">{value:+.3g}</text></g>'
        )

    bars = "".join(bar(at, part, *values[at]) for at, part in enumerate(shown))
    more = len(explanation.parts) - len(shown)
    under = f"contribution to {clean(main, 40)}" + (f"; {more:,} smaller ones not shown" if more else "")
    height = ROW * len(shown) + 26
    axis = f'<line x1="{x(0.0):.1f}" x2="{x(0.0):.1f}" y1="0" y2="{ROW * len(shown)}" stroke="currentColor" opacity="0.4"/>'
    label = f'<text x="0" y="{height - 8}" opacity="0.75">{escape(under)}</text>'
    return svg_of("Contributions of columns", WIDTH, height, f"{axis}{bars}{label}")


def _map(explanation: Explanation) -> str:
    """The image under its regions: blue where they raise the number, orange where they lower it."""
    rows, columns = explanation.grid
    main = explanation.main
    most = max(abs(part.contributions[main]) for part in explanation.parts)
    picture, height = drawn_picture(explanation.picture, MAP)
    wide, tall = MAP / columns, height / rows

    def region(at: int, part: PartContribution) -> str:
        value = part.contributions[main]
        strength = 0.7 * abs(value) / most if most > 0 else 0.0
        return (
            f'<rect x="{wide * (at % columns):.1f}" y="{tall * (at // columns):.1f}" width="{wide:.1f}" height="{tall:.1f}" '
            f'fill="{BLUE if value > 0 else ORANGE}" fill-opacity="{strength:.2f}"><title>{escape(clean(part.name))}: {value:+.3g}</title></rect>'
        )

    regions = "".join(region(at, part) for at, part in enumerate(explanation.parts))
    label = f'<text y="{height + 18}">blue regions raise {escape(clean(main, 30))}, orange ones lower it</text>'
    return svg_of("Contributions of regions", MAP, height + 26, f"{picture}{regions}{label}")
