"""Sections of the report about the chosen model: why it was chosen, its errors, its speed."""

from __future__ import annotations

from html import escape

from lepton_automl.error_analysis import ErrorAnalysis, Example

from . import narrative
from .context import Figures, ReportContext
from .error_plots import calibration_figure, confusion_figure, residuals_figure
from .explanation import CAUTION, explanation_drawing, explanation_sentences
from .labels import clean
from .page import Html, bullet_list, collapsible, facts, paragraph, plot, section, table, text
from .permutation_importance import importance_rows, importance_sentences, importance_svg
from .speed import batches_figure, variants_figure


def why(context: ReportContext, figures: Figures) -> Html:
    """Why this model was chosen, and not its neighbours."""
    del figures
    reasons_why = narrative.why(context.state)
    return section(
        "why",
        "Why this model",
        bullet_list(reasons_why),
        *map(paragraph, narrative.score_uncertainty(context.state)),
    )


def errors(context: ReportContext, figures: Figures) -> Html:
    """The errors of the model."""
    analysis = context.analysis
    if analysis is None:
        return section("errors", "What it gets wrong", paragraph(context.missing))
    return section(
        "errors",
        "What it gets wrong",
        bullet_list(narrative.errors(analysis)),
        *(_numbers if analysis.pairs else _classes)(analysis, figures),
        _regions(analysis),
        _worst(analysis),
        _explained(context),
    )


def importance(context: ReportContext, figures: Figures) -> Html:
    """What matters to the model; empty if that was not measured."""
    del figures
    if context.importance is None:
        return Html("")
    rows = table(
        ["region" if context.importance.grid else "column", "drop", "standard deviation"],
        ([clean(row["part"]), row["drop"], row["deviation"]] for row in importance_rows(context.importance)[:200]),
        caption=f"Drop: how much worse {context.importance.metric} is without it.",
    )
    return section(
        "importance",
        "What matters to it",
        bullet_list(importance_sentences(context.importance)),
        f"<figure>{importance_svg(context.importance)}</figure>",
        collapsible("As a table", rows),
    )


def _classes(analysis: ErrorAnalysis, figures: Figures) -> list[str]:
    scores = table(
        ["class", "rows", "predicted", "correct", "precision", "recall"],
        ([clean(row.label), row.rows, row.answered, row.right, row.precision, row.recall] for row in analysis.classes[:200]),
        caption="Precision: share of the predictions of this class that are correct. Recall: share of the rows of this class that are found.",
    )
    confused = _confusion(analysis, figures) if analysis.confusion else []
    calibrated = _calibration(analysis, figures) if analysis.calibration else []
    return [*confused[:2], "" if confused else "<h3>Results by label</h3>", scores, *confused[2:], *calibrated]


def _confusion(analysis: ErrorAnalysis, figures: Figures) -> list[str]:
    """The confusion matrix and the confused pairs."""
    figures["confusion"] = confusion_figure(analysis)
    pairs = table(
        ["true class", "predicted", "rows"],
        analysis.confusions(30),
        caption="All pairs of classes that are confused."
        if len(analysis.confusions(31)) < 31
        else "The pairs of classes confused most often.",
    )
    return [
        "<h3>Which classes it confuses</h3>",
        plot(
            "confusion",
            "Confusion matrix; the tables below list its numbers.",
            "Rows: true class; columns: predicted class. Blue is correct, orange is wrong; the darker, the larger the share of the class.",
        ),
        collapsible("The confused pairs as a table", pairs) if analysis.wrong else "",
    ]


def _calibration(analysis: ErrorAnalysis, figures: Figures) -> list[str]:
    """Whether predictions are correct as often as their probability says."""
    figures["calibration"] = calibration_figure(analysis)
    bins = table(
        ["probability", "rows", "mean probability", "share correct"],
        ([f"{band.low:.2f} to {band.high:.2f}", band.rows, band.sure, band.right] for band in analysis.calibration),
    )
    return [
        "<h3>Whether its probabilities can be trusted</h3>",
        plot(
            "calibration",
            "Calibration curve; the table below lists its numbers.",
            "On the dotted line, predictions are correct as often as their probability says. Above it the model is underconfident, below it overconfident. Bars: number of rows.",
        ),
        collapsible("The curve as a table", bins),
    ]


def _numbers(analysis: ErrorAnalysis, figures: Figures) -> list[str]:
    figures["residuals"] = residuals_figure(analysis)
    return [
        plot(
            "residuals",
            "Predicted against true values, and a histogram of the errors.",
            "On the dotted line the prediction equals the true value.",
        ),
        _coverage(analysis),
    ]


def _coverage(analysis: ErrorAnalysis) -> str:
    """How many true values lie below each predicted quantile."""
    if not analysis.coverage:
        return ""
    rows = ([f"{100 * quantile:g} %", f"{100 * share:.1f} %"] for quantile, share in analysis.coverage)
    caption = "A good 10 % quantile has 10 % of the true values below it, and so on."
    return table(["predicted quantile", "true values below it"], rows, caption=caption)


def _regions(analysis: ErrorAnalysis) -> str:
    """How large prediction sets or intervals are, by the requested coverage."""
    if not analysis.regions:
        return ""
    head, kind = ["coverage", "truth covered", "labels per set", "empty sets"], "Sets of labels"
    if analysis.pairs:
        head, kind = [*head[:2], "width"], "Intervals"
    rows = (
        [
            f"{100 * region.level:g} %",
            f"{100 * region.covered:.1f} %",
            region.size,
            *([] if analysis.pairs else [f"{100 * region.empty:.1f} %"]),
        ]
        for region in analysis.regions
    )
    caption = "Means over the rows. "
    if analysis.split != "test":
        caption += (
            "They are calibrated on these rows, so that the truth is covered as requested; the test rows show whether it holds."
        )
    return f"<h3>{kind} that hold the truth</h3>" + table(head, rows, caption=caption.strip())


def _worst(analysis: ErrorAnalysis) -> str:
    """The wrong predictions with the highest loss."""
    head = "<h3>Its worst predictions</h3>"
    if not analysis.worst:
        return head + paragraph("None: every prediction on these rows is correct.")
    if analysis.worst[0].picture:
        under = paragraph(
            "Wrong predictions, the most confident first." if not analysis.pairs else "The predictions with the largest errors."
        )
        return f'{head}{under}<div class="worst">{"".join(_picture(analysis, example) for example in analysis.worst)}</div>'
    columns = list(analysis.worst[0].cells)
    rows = [
        [
            example.row,
            _value(analysis, example.truth),
            _value(analysis, example.answer),
            example.sure if example.sure is not None else example.loss,
            *(example.cells.get(name) for name in columns),
        ]
        for example in analysis.worst
    ]
    last = "confidence" if not analysis.pairs else "error"
    return head + table(
        ["row", "true", "predicted", last, *columns],
        rows,
        caption="In the units of the source. A dash is a cell that the model cannot use: missing, or a rare or unseen value.",
    )


def _explained(context: ReportContext) -> str:
    """Why the model gave the worst answers."""
    found = context.explained
    if found is None or not found.rows or context.analysis is None:
        return ""
    truths = {example.row: example.truth for example in context.analysis.worst}
    each = (
        f"<figure>{explanation_drawing(one)}<figcaption>"
        f"Row {row}, true: {text(clean(truths.get(row), 40))}. {text(' '.join(explanation_sentences(one)[:-1]))}</figcaption></figure>"
        for row, one in zip(found.rows, found.explanations, strict=True)
    )
    return f"<h3>Why it predicted so</h3>{''.join(each)}{paragraph(CAUTION)}"


def _value(analysis: ErrorAnalysis, value: object) -> object:
    """A target as a number; a class as text, even if its name is a number."""
    return value if analysis.pairs else clean(value)


def _picture(analysis: ErrorAnalysis, example: Example) -> str:
    sure = "" if example.sure is None else f", {100 * example.sure:.0f} %"
    words_under = f"true: {text(clean(example.truth, 40))}, predicted: {text(clean(example.answer, 40))}{sure}"
    shown = f'<img alt="{analysis.split} row {example.row}" src="data:image/png;base64,{escape(example.picture)}">'
    return f"<figure>{shown}{words_under}</figure>"


def speed(context: ReportContext, figures: Figures) -> Html:
    """The speed of the model, and how it was measured."""
    state, model = context.state, narrative.chosen_model(context.state)
    if model is None or model.profile is None:
        return Html("")
    latency, wall = model.profile.latency, model.profile.wall
    reference = state.host_benchmark.benchmark.reference.median if state.host_benchmark else None
    figures["variants"] = variants_figure(model)
    evidence = facts(
        [
            (
                "latency",
                f"{latency.median:.4g} ms per call, 95 % interval {latency.low:.4g} to {latency.high:.4g} ({latency.n} rounds)",
            ),
            ("wall-clock time", f"p50 {wall.median:.4g} ms, p95 {wall.p95:.4g} ms, not corrected for load"),
            ("clock", {"thread_cpu": "CPU time of the calling thread"}.get(latency.clock, latency.clock)),
            (
                "reference",
                f"{latency.ratio:.3g} times the reference network, which takes {reference:.3g} ms on this machine when idle"
                if latency.ratio and reference
                else "",
            ),
            ("host", latency.host),
            *(("warning", warning) for warning in latency.warnings),
        ]
    )
    tried = model.accelerated.tried if model.accelerated else ()
    ways = table(
        ["runtime and precision", "ms per call", "low", "high", state.settings.metric, "size, kB", "result"],
        (
            [
                variant.variant.name,
                *([variant.latency.median, variant.latency.low, variant.latency.high] if variant.latency else [None] * 3),
                variant.scores.get(state.settings.metric),
                variant.size_bytes / 1e3 or None,
                variant.outcome,
            ]
            for variant in tried
        ),
        highlighted_row=next((at for at, variant in enumerate(tried) if variant.outcome == "chosen"), None),
    )
    return section(
        "speed",
        "How fast it is, and how that was measured",
        paragraph(
            "A call is timed from the decoded row or image to the prediction, preprocessing included. A fixed reference network is timed in turn with it, and the latency is corrected by how much the reference is slowed by other load."
        ),
        evidence,
        *(
            [
                "<h3>Runtimes and precisions that were tried</h3>",
                plot("variants", "Latency by runtime and precision; the table below lists its numbers."),
                ways,
            ]
            if tried
            else [paragraph("No other runtime or precision was tried: the budget left no time for it.")]
        ),
        *_larger(context, figures),
    )


def _larger(context: ReportContext, figures: Figures) -> list[str]:
    profile = context.profile
    if profile is None:
        return []
    figures["batches"] = batches_figure(profile)
    rows = table(
        ["rows per call", "ms per call", "rows per second"],
        ([rows, latency.median, profile.throughput[rows]] for rows, latency in profile.batches.items()),
    )
    return [
        "<h3>Larger batches, memory and cold start</h3>",
        plot("batches", "Latency and throughput by rows per call; the table below lists its numbers."),
        collapsible("As a table", rows),
        bullet_list(str(profile).splitlines()),
    ]
