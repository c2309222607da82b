"""What was inferred about the data: the task, the rows, the columns, the classes, and possible problems."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from lepton_automl.data.preview import DatasetPreview
from lepton_automl.modality import ColumnPreview
from lepton_automl.reporting.about_data import facts, title
from lepton_automl.reporting.labels import clean, html_text
from lepton_automl.specs import DataSpec
from lepton_automl.task import ClassPreview

from .cells import cell
from .drawing import DIM, INK, Drawing
from .errors import BASE64
from .preview_worker import Preview
from .style import ACCENT, COLOURS

LEFT_OUT = re.compile(r" (is|are) left out\b")  # in a note on something that networks do not learn from
COLUMNS = 200  # that are listed at most
DRAWN = 40  # columns in a static picture
SIDE = 64  # pixels of a class's example image
BLUE = COLOURS["complete"]


def inferred_html(preview: Preview) -> str:
    """A preview as HTML without scripts; an error with its fix if the data cannot be used."""
    if preview.error or not preview.spec or not preview.dataset:
        error = preview.error
        fix = f"<p>{html_text(error.fix, 600)}</p>" if error and error.fix else ""
        return f'<p class="l-warn">{html_text(error.what if error else "nothing was found", 1000)}</p>{fix}'
    return described_html(preview.spec, preview.dataset)


def described_html(spec: DataSpec, dataset: DatasetPreview, more: str = "") -> str:
    """Prepared data as HTML without scripts.

    Args:
        spec: The description.
        dataset: Its classes, columns and examples.
        more: HTML that follows the heading.
    """
    problems = _listed("Possible problems", [f"▲ {warning}" for warning in spec.warnings], ' class="l-warn"')
    dropped = [note for note in spec.notes if LEFT_OUT.search(note)]
    inferred = _listed("Detected", [note for note in spec.notes if note not in dropped])
    columns = f"{_columns(dataset)}{_listed('Left out', dropped)}"
    return f"{_head(spec)}{more}{problems}{_classes(spec, dataset)}{_histogram(spec, dataset)}{columns}{inferred}"


def _listed(heading: str, lines: Sequence[str], how: str = "") -> str:
    """A heading and a list; empty without lines."""
    items = "".join(f"<li{how}>{html_text(line, 400)}</li>" for line in lines)
    return f'<h4>{heading}</h4><ul class="l-said">{items}</ul>' if lines else ""


def draw_inferred(drawing: Drawing, preview: Preview) -> None:
    """Draw a preview in a static picture."""
    if preview.error or not preview.spec or not preview.dataset:
        drawing.paragraph(preview.error.what if preview.error else "nothing was found", colour=ACCENT)
        if preview.error and preview.error.fix:
            drawing.paragraph(preview.error.fix)
        return
    spec, dataset = preview.spec, preview.dataset
    drawing.flow([[(title(spec), {"size": 16, "bold": True})]], down=28)
    for fact in facts(spec).values():
        drawing.paragraph(fact, colour=DIM)
    for heading, lines, colour in (("Possible problems", spec.warnings, ACCENT), ("Detected", spec.notes, INK)):
        if lines:
            drawing.head(heading)
        for line in lines:
            drawing.paragraph(line, colour=colour, mark="•")
    if dataset.classes:
        _draw_classes(drawing, dataset)
    if dataset.columns:
        drawing.head("input columns")
        rows = [
            [clean(column.name, 40), column.kind, clean(column.details, 60), clean(cell(column.example), 30)]
            for column in dataset.columns[:DRAWN]
        ]
        drawing.table(["column", "kind", "", "example"], rows)
        rest = len(dataset.columns) - DRAWN
        if rest > 0:
            drawing.paragraph(f"and {rest} more", colour=DIM)


def _draw_classes(drawing: Drawing, dataset: DatasetPreview) -> None:
    drawing.head("classes, with their training and validation rows")
    pictured = any(group.picture for group in dataset.classes)
    if not pictured:
        most = max(group.rows for group in dataset.classes)
        for group in dataset.classes:
            drawing.y += 18
            drawing.text(drawing.left, drawing.y, clean(cell(group.label), 24))
            drawing.box(drawing.left + 190, drawing.y - 9, drawing.left + 190 + 120 * group.rows / most, drawing.y, fill=BLUE)
            drawing.text(drawing.left + 320, drawing.y, f"{group.rows:,}")
        return
    x = drawing.left
    drawing.y += 8
    for group in dataset.classes:
        if x + SIDE > drawing.right:
            x, drawing.y = drawing.left, drawing.y + SIDE + 30
        drawing.picture(group.picture, x, drawing.y, SIDE)
        drawing.text(x, drawing.y + SIDE + 14, f"{clean(cell(group.label), 9)} {group.rows:,}", size=10)
        x += SIDE + 16
    drawing.y += SIDE + 18


def inferred_text(preview: Preview) -> list[str]:
    """A preview as lines of text."""
    if preview.error or not preview.spec or not preview.dataset:
        return [clean(preview.error, 400)] if preview.error else []
    problems = [f"problem: {clean(problem, 200)}" for problem in preview.spec.warnings]
    return [f"{title(preview.spec)}: {clean(', '.join(facts(preview.spec).values()), 200)}", *problems]


def _head(spec: DataSpec) -> str:
    rows = "".join(f"<div>{html_text(fact)}</div>" for fact in facts(spec).values())
    return f'<div class="l-name">{html_text(title(spec))}</div><div class="l-dim">{rows}</div>'


def _classes(spec: DataSpec, dataset: DatasetPreview) -> str:
    if not dataset.classes:
        return ""
    most = max(group.rows for group in dataset.classes)
    if any(group.picture for group in dataset.classes):
        shown = f'<div class="l-examples">{"".join(map(_pictured, dataset.classes))}</div>'
    else:
        shown = f'<table class="l-plain">{"".join(_barred(group, most) for group in dataset.classes)}</table>'
    rest = len(spec.classes) - len(dataset.classes)
    more = f'<p class="l-dim">and {rest} classes with fewer rows</p>' if rest > 0 else ""
    return f"<h4>classes, with their training and validation rows</h4>{shown}{more}"


def _pictured(group: ClassPreview) -> str:
    label = cell(group.label)
    shown = (
        f'<img alt="an example of {escape(clean(label, 30))}" src="data:image/png;base64,{group.picture}">'
        if BASE64.fullmatch(group.picture)
        else ""
    )
    return f"<figure>{shown}<figcaption><b>{html_text(label, 30)}</b> {group.rows:,}</figcaption></figure>"


def _barred(group: ClassPreview, most: int) -> str:
    bar = f'<span class="l-share"><i style="width:{100 * group.rows / most:.1f}%"></i></span>'
    return f"<tr><td>{html_text(cell(group.label), 40)}</td><td>{bar}</td><td>{group.rows:,}</td></tr>"


def _histogram(spec: DataSpec, dataset: DatasetPreview) -> str:
    if not dataset.histogram:
        return ""
    most, wide = max(dataset.histogram), 12
    bars = "".join(
        f'<rect x="{wide * at}" width="{wide - 1}" y="{60 - 60 * count / most:.1f}" height="{60 * count / most:.1f}" '
        f'fill="#0072B2"><title>{count:,} rows</title></rect>'
        for at, count in enumerate(dataset.histogram)
    )
    low, high = (f"{end:.4g}" for end in dataset.ends)
    end = wide * len(dataset.histogram)
    return (
        f'<h4>{html_text(spec.target, 40)}: {escape(dataset.summary)}</h4><svg role="img" aria-label="histogram of the '
        f'target" viewBox="0 0 {end} 76" font-size="10" style="width:min(100%,{end}px)">{bars}<text x="0" y="73">{low}</text>'
        f'<text x="{end}" y="73" text-anchor="end">{high}</text></svg>'
    )


def _columns(dataset: DatasetPreview) -> str:
    if not dataset.columns:
        return ""
    rows = "".join(map(_column, dataset.columns[:COLUMNS]))
    rest = len(dataset.columns) - COLUMNS
    more = f'<p class="l-dim">and {rest} more</p>' if rest > 0 else ""
    head = "<tr><th>column</th><th>kind</th><th></th><th>example</th></tr>"
    return f'<h4>input columns</h4><table class="l-plain l-columns">{head}{rows}</table>{more}'


def _column(column: ColumnPreview) -> str:
    cells = (html_text(column.name, 40), column.kind, html_text(column.details, 60), html_text(cell(column.example), 30))
    return f"<tr>{''.join(f'<td>{text}</td>' for text in cells)}</tr>"
