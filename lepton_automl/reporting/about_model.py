"""Parts of the report about the chosen model: why this one, what it gets wrong, how fast it is."""

from __future__ import annotations

from html import escape

from lepton_automl.error_analysis import ErrorAnalysis, Example

from . import narrative
from .context import Figures, ReportContext
from .error_plots import calibration_figure, confusion_figure, residuals_figure
from .labels import clean
from .page import Html, bullet_list, collapsible, facts, paragraph, plot, section, table, text
from .speed import batches_figure, variants_figure


def why(context: ReportContext, figures: Figures) -> Html:
    """Why the model that is handed over, and not its neighbours."""
    del figures
    reasons_why = narrative.why(context.state)
    return section(
        "why",
        "Why this model",
        bullet_list(reasons_why),
        paragraph(narrative.score_uncertainty(context.state)) if reasons_why else "",
    )


def errors(context: ReportContext, figures: Figures) -> Html:
    """What it gets wrong."""
    found = context.analysis
    if found is None:
        return section("errors", "What it gets wrong", paragraph(context.missing))
    return section(
        "errors",
        "What it gets wrong",
        bullet_list(narrative.errors(found)),
        *(_numbers if found.pairs else _classes)(found, figures),
        _worst(found),
    )


def _classes(found: ErrorAnalysis, figures: Figures) -> list[str]:
    figures["confusion"], figures["calibration"] = confusion_figure(found), calibration_figure(found)
    scores = table(
        ["class", "rows", "said", "right", "precision", "recall"],
        ([clean(one.label), one.rows, one.answered, one.right, one.precision, one.recall] for one in found.classes[:200]),
        caption="Of what it calls so, how much is (precision); of what is so, how much it finds (recall).",
    )
    pairs = table(
        ["it is", "the model says", "rows"],
        found.confusions(30),
        caption="All mix-ups." if len(found.confusions(31)) < 31 else "The most frequent mix-ups.",
    )
    bins = table(
        ["probability", "rows", "sure", "right"],
        ([f"{one.low:.2f} to {one.high:.2f}", one.rows, one.sure, one.right] for one in found.calibration),
    )
    return [
        "<h3>Which classes it mixes up</h3>",
        plot(
            "confusion",
            "Confusion matrix; the tables below hold its numbers.",
            "A row is what it is, a column what the model says. Blue is right, orange is wrong; the darker, the larger the share of the class.",
        ),
        scores,
        collapsible("The mix-ups as a table", pairs) if found.wrong else "",
        "<h3>Whether its probabilities can be believed</h3>",
        plot(
            "calibration",
            "Calibration curve; the table below holds its numbers.",
            "Points on the dotted line: as often right as it is sure. Above it is too modest, below too bold. Bars: rows.",
        ),
        collapsible("The curve as a table", bins),
    ]


def _numbers(found: ErrorAnalysis, figures: Figures) -> list[str]:
    figures["residuals"] = residuals_figure(found)
    return [
        plot(
            "residuals",
            "Answer against truth, and a histogram of how far the answers are off.",
            "On the dotted line the answer is the truth.",
        )
    ]


def _worst(found: ErrorAnalysis) -> str:
    """The wrong answers with the highest loss."""
    head = "<h3>Its worst examples</h3>"
    if not found.worst:
        return head + paragraph("None: all its answers on these rows are right.")
    if found.worst[0].picture:
        under = paragraph("Wrong answers, the surest first." if not found.pairs else "The answers that are furthest off.")
        return f'{head}{under}<div class="worst">{"".join(_picture(found, one) for one in found.worst)}</div>'
    columns = list(found.worst[0].cells)
    rows = [
        [
            one.row,
            _value(found, one.truth),
            _value(found, one.answer),
            one.sure if one.sure is not None else one.loss,
            *(one.cells.get(name) for name in columns),
        ]
        for one in found.worst
    ]
    last = "sure" if not found.pairs else "off by"
    return head + table(
        ["row", "it is", "the model says", last, *columns],
        rows,
        caption="In the units of the source; a dash is a cell that the model does not know: missing, rare or new.",
    )


def _value(found: ErrorAnalysis, value: object) -> object:
    """A number as a number; a class by its name, also where that is a number."""
    return value if found.pairs else clean(value)


def _picture(found: ErrorAnalysis, one: Example) -> str:
    sure = "" if one.sure is None else f", {100 * one.sure:.0f} % sure"
    words_under = f"is {text(clean(one.truth, 40))}, said {text(clean(one.answer, 40))}{sure}"
    shown = f'<img alt="{found.split} row {one.row}" src="data:image/png;base64,{escape(one.picture)}">'
    return f"<figure>{shown}{words_under}</figure>"


def speed(context: ReportContext, figures: Figures) -> Html:
    """How fast it is, and how that is known."""
    state, model = context.state, narrative.chosen_model(context.state)
    if model is None or model.profile is None:
        return Html("")
    latency, wall = model.profile.latency, model.profile.wall
    reference = state.weighed.weighed.reference.median if state.weighed else None
    figures["variants"] = variants_figure(model)
    evidence = facts(
        [
            (
                "latency",
                f"{latency.median:.4g} ms a call, 95 % interval {latency.low:.4g} to {latency.high:.4g} ({latency.n} rounds)",
            ),
            ("by the wall clock", f"p50 {wall.median:.4g} ms, p95 {wall.p95:.4g} ms, as it was"),
            ("clock", {"thread_cpu": "CPU time of the calling thread"}.get(latency.clock, latency.clock)),
            (
                "reference",
                f"{latency.ratio:.3g} times a fixed network that takes {reference:.3g} ms on this host when it is quiet"
                if latency.ratio and reference
                else "",
            ),
            ("host", latency.host),
            *(("warning", warning) for warning in latency.warnings),
        ]
    )
    tried = model.accelerated.tried if model.accelerated else ()
    ways = table(
        ["runtime and precision", "ms a call", "from", "to", state.settings.metric, "size, kB", "what became of it"],
        (
            [
                one.variant.name,
                *([one.latency.median, one.latency.low, one.latency.high] if one.latency else [None] * 3),
                one.scores.get(state.settings.metric),
                one.size_bytes / 1e3 or None,
                one.said,
            ]
            for one in tried
        ),
        highlighted_row=next((at for at, one in enumerate(tried) if one.said == "chosen"), None),
    )
    return section(
        "speed",
        "How fast it is, and how that is known",
        paragraph(
            "A call counts from the decoded row or picture to the answer, preprocessing included; it is timed beside a fixed reference network, so that a busy machine slows both."
        ),
        evidence,
        *(
            [
                "<h3>Every way to run it that was tried</h3>",
                plot("variants", "Latency by runtime and precision; the table below holds its numbers."),
                ways,
            ]
            if tried
            else [paragraph("No other runtime or precision was tried for it: the time did not allow it.")]
        ),
        *_larger(context, figures),
    )


def _larger(context: ReportContext, figures: Figures) -> list[str]:
    profile = context.profile
    if profile is None:
        return []
    figures["batches"] = batches_figure(profile)
    rows = table(
        ["rows in a call", "ms a call", "rows a second"],
        ([rows, one.median, profile.throughput[rows]] for rows, one in profile.batches.items()),
    )
    return [
        "<h3>Larger calls, memory and cold start</h3>",
        plot("batches", "Latency and throughput by rows in a call; the table below holds its numbers."),
        collapsible("As a table", rows),
        bullet_list(str(profile).splitlines()),
    ]
