"""The report: one page for a reader who was not there, that needs no network and no notebook."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from lepton_automl.examined import Examined, Example
from lepton_automl.state import StudyState
from lepton_automl.values import Portrait

from . import words
from .curves import curves_figure
from .ends import ends_figure, reasons
from .front import front_figure
from .hypervolume import hypervolume_figure
from .importance import FEW, NAMES, importance_figure, shown_knobs
from .labels import clean
from .mistakes import calibration_figure, confusion_figure, residuals_figure
from .models import cards, picker
from .page import Html, code, facts, folded, listed, page, paragraph, plot, section, table, text
from .parallel import parallel_figure
from .speed import batches_figure, variants_figure
from .tables import chosen_trial, front_table
from .timeline import timeline_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go

Figures = dict[str, "go.Figure"]
COLUMNS = {"latency_ms": "ms a call", "size_bytes": "bytes", "parameters": "weights", "variant": "runs in"}


@dataclass(frozen=True)
class Told:
    """What a report is made of.

    Args:
        state: The study, at any time.
        examined: What the chosen model gets wrong, where that was looked at.
        portrait: What it costs beside its latency, where that was measured.
        missing: Why nothing is known of its errors, where nothing is.
    """

    state: StudyState
    examined: Examined | None = None
    portrait: Portrait | None = None
    missing: str = ""


def report_html(told: Told) -> str:
    """The report as one HTML file."""
    state, figures = told.state, Figures()
    parts = [make(told, figures) for make in SECTIONS]
    titles = (("asked", "asked"), ("front", "the front"), ("why", "why this one"), ("errors", "its errors"), ("speed", "its speed"),
              ("knobs", "knobs"), ("stopped", "stopped"), ("cost", "time and cost"), ("again", "again"), ("run", "run it"))  # fmt: skip
    there = [(name, title) for name, title in titles if any(f'<section id="{name}"' in part for part in parts)]
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title in there)
    return page(
        state.settings.name, f'{_head(told)}<nav aria-label="Parts of this page">{links}</nav>{"".join(parts)}', figures
    )


def front_html(state: StudyState) -> str:
    """The front alone, on a page of its own: cheap enough to be drawn anew while the search runs."""
    figures = Figures()
    return page(state.settings.name, f"<h1>{text(state.settings.name)}</h1>{_front(Told(state), figures)}", figures)


def plots_html(state: StudyState) -> str:
    """All pictures of a study on one page that needs no network, for whoever only wants to look."""
    figures = Figures()
    told = Told(state)
    parts = [_front(told, figures), _knobs(told, figures), _stopped(told, figures), _cost(told, figures)]
    return page(f"{state.settings.name}: plots", f"<h1>{text(state.settings.name)}</h1>{''.join(parts)}", figures)


def _head(told: Told) -> str:
    state = told.state
    data, model = state.settings.data, words.chosen(state)
    told_apart = (
        f"{clean(data.target, 60)!r}, one of {len(data.classes)} classes"
        if data.classes
        else f"the number {clean(data.target, 60)!r}"
    )
    given = "a picture" if data.modality == "image" else "the other columns of a table"
    lead = paragraph(
        f"A search for networks that tell {told_apart}, from {given}: well, and fast on the machine that they must run on."
    )
    found = listed([*words.in_short(state), words.tested(state)])
    return f"<header><h1>{text(state.settings.name)}</h1>{lead}{_cards(told) if model else ''}{found}</header>"


def _cards(told: Told) -> Html:
    state, model = told.state, words.chosen(told.state)
    assert model is not None and model.profile is not None
    tested = state.tested.scores.get(model.number, {}).get(state.settings.metric) if state.tested else None
    latency = model.profile.latency
    rows = state.settings.target.batch_size
    shown = [
        (words.scored(state, state.score(model)), f"{words.metric(state)}, validation"),
        (words.scored(state, tested) if tested is not None else "sealed", f"{words.metric(state)}, test")
        if state.settings.data.test
        else ("", ""),
        (f"{latency.median:.3g} ms", f"a call of {rows:,} row{'s' * (rows > 1)} ({latency.low:.3g} to {latency.high:.3g})"),
        (words.size(model.profile.size_bytes), f"{model.profile.parameters:,} weights"),
        (str(len(state.front())), f"models worth having, of {len(state.trials):,} tried"),
    ]
    made = "".join(
        f'<div class="card"><b>{text(figure)}</b><span>{text(under)}</span></div>' for figure, under in shown if figure
    )
    return Html(f'<div class="cards">{made}</div>')


def _asked(told: Told, figures: Figures) -> Html:
    del figures
    settings = told.state.settings
    data, target = settings.data, settings.target
    limits = [
        f"{target.max_latency_ms:g} ms a call" if target.max_latency_ms else "",
        words.size(target.max_size_bytes) if target.max_size_bytes else "",
    ]
    better = [
        f"{'more' if goal.direction == 'maximize' else 'less'} {settings.metric if goal.name == 'score' else NAMES.get(goal.name, goal.name)}"
        for goal in settings.objectives
    ]
    classes = f"{len(data.classes)} classes: {', '.join(clean(one, 24) for one in data.classes[:12])}{', …' * (len(data.classes) > 12)}"
    known = facts(
        [
            ("data", f"{data.name}: {data.train:,} rows to learn from, {data.validation:,} to choose by, {data.test:,} sealed"),
            (
                "one row",
                f"a picture of {data.shape[1]} x {data.shape[2]} pixels in {'grey' if data.shape[0] == 1 else 'colour'}"
                if data.modality == "image"
                else f"{words.many(len(data.cardinalities), 'categorical column')}, {words.many(data.shape[0] - data.plain, 'column')} of numbers",
            ),
            ("to predict", f"{clean(data.target)}: {classes if data.classes else f'a number around {data.target_mean:.4g}'}"),
            ("to make better", words.joined(better)),
            (
                "on",
                f"{target.device}, {target.threads} thread{'s' * (target.threads > 1)}, {target.batch_size:,} row{'s' * (target.batch_size > 1)} a call",
            ),
            ("hard limits", " and ".join(filter(None, limits)) or "none"),
            ("budget", words.budget(told.state)),
        ]
    )
    warned = listed([*data.warnings, *(note.text for note in told.state.notes if note.level != "info")][:12])
    return section("asked", "What was asked", known, folded("What was inferred from the data", listed(data.notes)) if data.notes else "",
                   f"<h3>What looks wrong</h3>{warned}" if warned else "")  # fmt: skip


def _front(told: Told, figures: Figures) -> Html:
    state = told.state
    figures["front-plot"] = front_figure(state)
    rows = front_table(state)
    names = [name for name in rows[0] if name not in {"chosen", "latency_ms_low", "latency_ms_high"}] if rows else []
    shown = table(
        [COLUMNS.get(name, name.replace("test_", "test ")) for name in names],
        ([row[name] for name in names] for row in rows),
        caption="Every model worth having, best score first; the marked one is handed over.",
        marked_row=next((at for at, row in enumerate(rows) if row["chosen"]), None),
    )
    return section(
        "front",
        "The front, to explore",
        plot(
            "front-plot",
            "Score against latency of every trial; the table below has the models of the front.",
            "Every point is a network. The line joins what nothing else beats; point at one to see what it is, click to see all about it below.",
        ),
        picker(state),
        cards(state),
        shown if rows else paragraph("No model is ready yet."),
    )


def _why(told: Told, figures: Figures) -> Html:
    del figures
    reasons_why = words.why(told.state)
    return section("why", "Why this model", listed(reasons_why), paragraph(words.doubt(told.state)) if reasons_why else "")


def _errors(told: Told, figures: Figures) -> Html:
    found = told.examined
    if found is None:
        return section("errors", "What it gets wrong", paragraph(told.missing))
    return section(
        "errors",
        "What it gets wrong",
        listed(words.errors(found)),
        *(_numbers if found.task == "regression" else _classes)(found, figures),
        _worst(found),
    )


def _classes(found: Examined, figures: Figures) -> list[str]:
    figures["confusion"], figures["calibration"] = confusion_figure(found), calibration_figure(found)
    scores = table(
        ["class", "rows", "said", "right", "precision", "recall"],
        ([clean(one.label), one.rows, one.answered, one.right, one.precision, one.recall] for one in found.classes[:200]),
        caption="Of what it calls so, how much is (precision); of what is so, how much it finds (recall).",
    )
    pairs = table(
        ["it is", "the model says", "rows"],
        found.mixed_up(30),
        caption="All mix-ups." if len(found.mixed_up(31)) < 31 else "The most frequent mix-ups.",
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
        folded("The mix-ups as a table", pairs) if found.wrong else "",
        "<h3>Whether its probabilities can be believed</h3>",
        plot(
            "calibration",
            "Calibration curve; the table below holds its numbers.",
            "Points on the dotted line: as often right as it is sure. Above it is too modest, below too bold. Bars: rows.",
        ),
        folded("The curve as a table", bins),
    ]


def _numbers(found: Examined, figures: Figures) -> list[str]:
    figures["residuals"] = residuals_figure(found)
    return [
        plot(
            "residuals",
            "Answer against truth, and a histogram of how far the answers are off.",
            "On the dotted line the answer is the truth.",
        )
    ]


def _worst(found: Examined) -> str:
    """The examples with the highest loss."""
    if not found.worst:
        return ""
    head = "<h3>Its worst examples</h3>"
    if found.worst[0].picture:
        under = paragraph("Those with the highest loss: where it is wrong, or right and least sure.")
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
    last = "sure" if found.task != "regression" else "off by"
    return head + table(
        ["row", "it is", "the model says", last, *columns],
        rows,
        caption="In the units of the source; a dash is a cell that the model does not know: missing, rare or new.",
    )


def _value(found: Examined, value: object) -> object:
    """A number as a number; a class by its name, also where that is a number."""
    return value if found.task == "regression" else clean(value)


def _picture(found: Examined, one: Example) -> str:
    missed = found.task != "regression" and one.truth != one.answer
    sure = "" if one.sure is None else f", {100 * one.sure:.0f} % sure"
    words_under = f"{'<b>wrong:</b> ' * missed}is {text(clean(one.truth, 40))}, said {text(clean(one.answer, 40))}{sure}"
    kind = ' class="missed"' * missed
    shown = f'<img alt="{found.split} row {one.row}" src="data:image/png;base64,{escape(one.picture)}">'
    return f"<figure{kind}>{shown}{words_under}</figure>"


def _speed(told: Told, figures: Figures) -> Html:
    state, model = told.state, words.chosen(told.state)
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
        marked_row=next((at for at, one in enumerate(tried) if one.said == "chosen"), None),
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
        *_larger(told, figures),
    )


def _larger(told: Told, figures: Figures) -> list[str]:
    portrait = told.portrait
    if portrait is None:
        return []
    figures["batches"] = batches_figure(portrait)
    rows = table(
        ["rows in a call", "ms a call", "rows a second"],
        ([rows, one.median, portrait.throughput[rows]] for rows, one in portrait.batches.items()),
    )
    return [
        "<h3>Larger calls, memory and cold start</h3>",
        plot("batches", "Latency and throughput by rows in a call; the table below holds its numbers."),
        folded("As a table", rows),
        listed(str(portrait).splitlines()),
    ]


def _knobs(told: Told, figures: Figures) -> Html:
    state, ranked = told.state, told.state.ranked
    figures["importance"], figures["parallel"] = importance_figure(ranked), parallel_figure(state)
    few = ranked is not None and min(ranked.trials.values(), default=FEW) < FEW
    goals = list(ranked.shares) if ranked else []
    rows = [
        [knob, *((ranked.shares[goal].get(knob, 0.0) if ranked else 0.0) for goal in goals)] for knob in shown_knobs(ranked)
    ]
    return section(
        "knobs",
        "Which knobs mattered",
        paragraph(
            "The share of the differences between trials that each knob explains, for the score and for the costs on their own.",
            "So few trials only hint at it." if few else "",
        ),
        plot("importance", "Importance of the knobs; the table below holds its numbers."),
        folded("The shares as a table", table(["knob", *(NAMES.get(goal, goal) for goal in goals)], rows)) if rows else "",
        plot(
            "parallel",
            "Each trial as a line through its knobs, its latency and its score.",
            "Each line is a trial, amber the best-scored ones, blue the worst. Drag along an axis to pick lines out, drag an axis's name to move it.",
        ),
    )


def _stopped(told: Told, figures: Figures) -> Html:
    state = told.state
    figures["ends"], figures["curves"] = ends_figure(state), curves_figure(state)
    return section(
        "stopped",
        "What was stopped, and why",
        plot("ends", "Trials by how they ended; the table below holds its numbers."),
        folded(
            "As a table", table(["trials", "status", "why"], ([count, status, why] for status, why, count in reasons(state)))
        ),
        plot(
            "curves",
            "The score of each trial after each epoch.",
            "Fainter curves end where a trial was stopped; dotted lines are the epochs at which it was decided who goes on.",
        ),
    )


def _cost(told: Told, figures: Figures) -> Html:
    state = told.state
    figures["hypervolume"], figures["timeline"] = hypervolume_figure(state), timeline_figure(state)
    return section(
        "cost",
        "Time and cost",
        facts(words.cost(state)),
        plot(
            "timeline",
            "Which trial ran when, on which worker.",
            "Before the first trial the machine is weighed, after the last the models of the front get their runtimes. Lines lead from a network to those that were cut out of it.",
        ),
        plot(
            "hypervolume",
            "The hypervolume of the front over time and over epochs.",
            "How much of the space between the worst and the best the front beats. Flat at the end: more time would have added little.",
        ),
        paragraph(words.progress(state)),
    )


def _again(told: Told, figures: Figures) -> Html:
    del figures
    state = told.state
    settings, started = state.settings, state.started
    knobs = table(
        ["knob", "range", "usual"],
        ([name, clean(knob.describe(), 80), str(knob.default)] for name, knob in settings.space.items()),
    )
    return section(
        "again",
        "To do it again",
        facts(
            [
                ("data, by its content", settings.data.digest),
                ("seed", str(settings.seed)),
                ("sampler", settings.sampler),
                ("epochs of a trial", settings.train.epochs),
                ("host", state.weighed.weighed.host if state.weighed else ""),
                ("versions", ", ".join(f"{name} {version}" for name, version in started.versions.items()) if started else ""),
            ]
        ),
        folded(f"The {len(settings.space)} knobs and their ranges", knobs),
        folded("Everything that was asked, as JSON", code(_settings(state))),
    )


def _settings(state: StudyState) -> str:
    asked = state.settings.to_json()
    return json.dumps({name: asked[name] for name in asked if name not in {"space", "precedents"}}, indent=1, ensure_ascii=True)


def _run(told: Told, figures: Figures) -> Html:
    del figures
    state = told.state
    if chosen_trial(state) is None:
        return Html("")
    name, image = state.settings.name, state.settings.data.modality == "image"
    shell, given = ("photo.jpg", '"photo.jpg"') if image else ("rows.csv", "dataframe")
    registered = next((one for one in reversed(state.registered)), None)
    mlflow = (
        f'import mlflow\n\nmodel = mlflow.pyfunc.load_model("models:/{registered.model}@{registered.alias}")\nmodel.predict({given})'
        if registered
        else ""
    )
    return section(
        "run",
        "How to run it",
        "<h3>Python</h3>",
        code(f'from lepton_automl import AutoML\n\nmodel = AutoML.attach("{name}").best()\nmodel.predict({given})'),
        "<h3>Shell</h3>",
        code(f"lepton predict {name} {shell}"),
        "<h3>Anywhere, without this package and without torch</h3>",
        code(f"lepton export {name} --out my-model\ncd my-model\npip install -r requirements.txt\npython predict.py {shell}"),
        *(["<h3>MLflow</h3>", code(mlflow)] if mlflow else []),
        paragraph("The bundle's own card (README.md in it) says what the model is for and what it is not."),
    )


SECTIONS: tuple[Callable[[Told, Figures], Html], ...] = (
    _asked,
    _front,
    _why,
    _errors,
    _speed,
    _knobs,
    _stopped,
    _cost,
    _again,
    _run,
)
