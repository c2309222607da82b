"""What was inferred about data, as a person checks it: the task, the rows, the columns, the classes, and what looks wrong."""

from __future__ import annotations

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

COLUMNS = 200  # that are listed
DRAWN = 40  # of them in a picture
SIDE = 64  # pixels of an example of a class
BLUE = COLOURS["complete"]


def inferred_html(preview: Preview) -> str:
    """What was seen, as HTML without scripts; what cannot be used says why and what to do."""
    if preview.error or not preview.spec or not preview.dataset:
        error = preview.error
        fix = f"<p>{html_text(error.fix, 600)}</p>" if error and error.fix else ""
        return f'<p class="l-warn">{html_text(error.what if error else "nothing was found", 1000)}</p>{fix}'
    spec, found = preview.spec, preview.dataset
    warnings = "".join(f'<li class="l-warn">▲ {html_text(said, 400)}</li>' for said in spec.warnings)
    notes = "".join(f"<li>{html_text(said, 400)}</li>" for said in spec.notes)
    problems = f'<h4>Possible problems</h4><ul class="l-said">{warnings}</ul>' if warnings else ""
    inferred = f'<h4>Detected</h4><ul class="l-said">{notes}</ul>' if notes else ""
    return f"{_head(spec)}{problems}{_classes(spec, found)}{_histogram(spec, found)}{_columns(found)}{inferred}"


def draw_inferred(drawing: Drawing, preview: Preview) -> None:
    """The same in a picture."""
    if preview.error or not preview.spec or not preview.dataset:
        drawing.paragraph(preview.error.what if preview.error else "nothing was found", colour=ACCENT)
        if preview.error and preview.error.fix:
            drawing.paragraph(preview.error.fix)
        return
    spec, found = preview.spec, preview.dataset
    drawing.flow([[(title(spec), {"size": 16, "bold": True})]], down=28)
    for told in facts(spec).values():
        drawing.paragraph(told, colour=DIM)
    for heading, lines, colour in (("Possible problems", spec.warnings, ACCENT), ("Detected", spec.notes, INK)):
        if lines:
            drawing.head(heading)
        for line in lines:
            drawing.paragraph(line, colour=colour, mark="•")
    if found.classes:
        _draw_classes(drawing, found)
    if found.columns:
        drawing.head("input columns")
        rows = [
            [clean(one.name, 40), one.kind, clean(one.details, 60), clean(cell(one.example), 30)]
            for one in found.columns[:DRAWN]
        ]
        drawing.table(["column", "kind", "", "example"], rows)
        rest = len(found.columns) - DRAWN
        if rest > 0:
            drawing.paragraph(f"and {rest} more", colour=DIM)


def _draw_classes(drawing: Drawing, found: DatasetPreview) -> None:
    drawing.head("classes, with their training and validation rows")
    pictured = any(one.picture for one in found.classes)
    if not pictured:
        most = max(one.rows for one in found.classes)
        for one in found.classes:
            drawing.y += 18
            drawing.text(drawing.left, drawing.y, clean(cell(one.label), 24))
            drawing.box(drawing.left + 190, drawing.y - 9, drawing.left + 190 + 120 * one.rows / most, drawing.y, fill=BLUE)
            drawing.text(drawing.left + 320, drawing.y, f"{one.rows:,}")
        return
    x = drawing.left
    drawing.y += 8
    for one in found.classes:
        if x + SIDE > drawing.right:
            x, drawing.y = drawing.left, drawing.y + SIDE + 30
        drawing.picture(one.picture, x, drawing.y, SIDE)
        drawing.text(x, drawing.y + SIDE + 14, f"{clean(cell(one.label), 9)} {one.rows:,}", size=10)
        x += SIDE + 16
    drawing.y += SIDE + 18


def inferred_text(preview: Preview) -> list[str]:
    """The same in lines of text."""
    if preview.error or not preview.spec or not preview.dataset:
        return [clean(preview.error, 400)] if preview.error else []
    problems = [f"problem: {clean(said, 200)}" for said in preview.spec.warnings]
    return [f"{title(preview.spec)}: {clean(', '.join(facts(preview.spec).values()), 200)}", *problems]


def _head(spec: DataSpec) -> str:
    told = "".join(f"<div>{html_text(said)}</div>" for said in facts(spec).values())
    return f'<div class="l-name">{html_text(title(spec))}</div><div class="l-dim">{told}</div>'


def _classes(spec: DataSpec, found: DatasetPreview) -> str:
    if not found.classes:
        return ""
    most = max(one.rows for one in found.classes)
    if any(one.picture for one in found.classes):
        shown = f'<div class="l-examples">{"".join(map(_pictured, found.classes))}</div>'
    else:
        shown = f'<table class="l-plain">{"".join(_barred(one, most) for one in found.classes)}</table>'
    rest = len(spec.classes) - len(found.classes)
    more = f'<p class="l-dim">and {rest} classes with fewer rows</p>' if rest > 0 else ""
    return f"<h4>classes, with their training and validation rows</h4>{shown}{more}"


def _pictured(one: ClassPreview) -> str:
    label = cell(one.label)
    shown = (
        f'<img alt="an example of {escape(clean(label, 30))}" src="data:image/png;base64,{one.picture}">'
        if BASE64.fullmatch(one.picture)
        else ""
    )
    return f"<figure>{shown}<figcaption><b>{html_text(label, 30)}</b> {one.rows:,}</figcaption></figure>"


def _barred(one: ClassPreview, most: int) -> str:
    bar = f'<span class="l-share"><i style="width:{100 * one.rows / most:.1f}%"></i></span>'
    return f"<tr><td>{html_text(cell(one.label), 40)}</td><td>{bar}</td><td>{one.rows:,}</td></tr>"


def _histogram(spec: DataSpec, found: DatasetPreview) -> str:
    if not found.histogram:
        return ""
    most, wide = max(found.histogram), 12
    bars = "".join(
        f'<rect x="{wide * at}" width="{wide - 1}" y="{60 - 60 * count / most:.1f}" height="{60 * count / most:.1f}" '
        f'fill="#0072B2"><title>{count:,} rows</title></rect>'
        for at, count in enumerate(found.histogram)
    )
    low, high = (f"{end:.4g}" for end in found.ends)
    end = wide * len(found.histogram)
    return (
        f'<h4>{html_text(spec.target, 40)}: {escape(found.summary)}</h4><svg role="img" aria-label="histogram of the '
        f'target" viewBox="0 0 {end} 76" font-size="10" style="width:min(100%,{end}px)">{bars}<text x="0" y="73">{low}</text>'
        f'<text x="{end}" y="73" text-anchor="end">{high}</text></svg>'
    )


def _columns(found: DatasetPreview) -> str:
    if not found.columns:
        return ""
    rows = "".join(map(_column, found.columns[:COLUMNS]))
    rest = len(found.columns) - COLUMNS
    more = f'<p class="l-dim">and {rest} more</p>' if rest > 0 else ""
    head = "<tr><th>column</th><th>kind</th><th></th><th>example</th></tr>"
    return f'<h4>input columns</h4><table class="l-plain l-columns">{head}{rows}</table>{more}'


def _column(one: ColumnPreview) -> str:
    cells = (html_text(one.name, 40), one.kind, html_text(one.details, 60), html_text(cell(one.example), 30))
    return f"<tr>{''.join(f'<td>{text}</td>' for text in cells)}</tr>"
