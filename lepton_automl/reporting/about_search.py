"""Parts of the report about the search: its front, its knobs, what it stopped, what it cost."""

from __future__ import annotations

from . import narrative
from .context import Figures, ReportContext
from .curves import curves_figure
from .ends import ends_figure, reasons
from .front import front_figure
from .hypervolume import hypervolume_figure
from .importance import FEW, NAMES, importance_figure, shown_knobs
from .models import cards, picker
from .page import Html, collapsible, facts, paragraph, plot, section, table
from .parallel import parallel_figure
from .tables import front_table
from .timeline import timeline_figure

COLUMNS = {"latency_ms": "ms a call", "size_bytes": "bytes", "parameters": "weights", "variant": "runs in"}


def front(context: ReportContext, figures: Figures) -> Html:
    """Every network as a point, all about the one that is pointed at, and the front as a table."""
    state = context.state
    figures["front-plot"] = front_figure(state)
    rows = front_table(state)
    names = [name for name in rows[0] if name not in {"chosen", "latency_ms_low", "latency_ms_high"}] if rows else []
    shown = table(
        [COLUMNS.get(name, name.replace("test_", "test ")) for name in names],
        ([row[name] for name in names] for row in rows),
        caption="Every model worth having, best score first; the marked one is handed over.",
        highlighted_row=next((at for at, row in enumerate(rows) if row["chosen"]), None),
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


def knobs(context: ReportContext, figures: Figures) -> Html:
    """Which knobs mattered."""
    state, ranked = context.state, context.state.ranked
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
        collapsible("The shares as a table", table(["knob", *(NAMES.get(goal, goal) for goal in goals)], rows)) if rows else "",
        plot(
            "parallel",
            "Each trial as a line through its knobs, its latency and its score.",
            "Each line is a trial, amber the best-scored ones, blue the worst. Drag along an axis to pick lines out, drag an axis's name to move it.",
        ),
    )


def stopped(context: ReportContext, figures: Figures) -> Html:
    """What was stopped, and why."""
    state = context.state
    figures["ends"], figures["curves"] = ends_figure(state), curves_figure(state)
    return section(
        "stopped",
        "What was stopped, and why",
        plot("ends", "Trials by how they ended; the table below holds its numbers."),
        collapsible(
            "As a table", table(["trials", "status", "why"], ([count, status, why] for status, why, count in reasons(state)))
        ),
        plot(
            "curves",
            "The score of each trial after each epoch.",
            "Fainter curves end where a trial was stopped; dotted lines are the epochs at which it was decided who goes on.",
        ),
    )


def cost(context: ReportContext, figures: Figures) -> Html:
    """When which trial ran, and what it all took."""
    state = context.state
    figures["hypervolume"], figures["timeline"] = hypervolume_figure(state), timeline_figure(state)
    return section(
        "cost",
        "Time and cost",
        facts(narrative.cost(state)),
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
        paragraph(narrative.progress(state)),
    )
