"""Sections of the report about the search: the front, the hyperparameters, stopped trials, time and cost."""

from __future__ import annotations

from lepton_automl.state import StudyState
from lepton_automl.texts import many

from . import narrative
from .context import Figures, ReportContext
from .cost_axes import colour_axis, front_axis, is_plane, shown_front
from .curves import curves_figure
from .ends import ends_figure, reasons
from .front import front_caption, front_figure
from .hypervolume import hypervolume_figure
from .importance import FEW, goal_name, importance_figure, shown_hyperparameters
from .labels import clean
from .models import cards, picker
from .page import Html, collapsible, facts, paragraph, plot, section, table
from .parallel import parallel_figure
from .tables import Row, merged_table, with_interval
from .timeline import timeline_figure


def front(context: ReportContext, figures: Figures) -> Html:
    """Every network as a point, details of the selected one, and the front as a table."""
    state = context.state
    figures["front-plot"] = front_figure(state)
    titles, rows = shown_front(state)
    names = [name for name in rows[0] if name != "chosen" and not name.endswith(("_low", "_high"))] if rows else []
    shown = table(
        [titles.get(name, name.replace("test_", "test ")) for name in names],
        ([_with_ends(row, name) for name in names] for row in rows),
        caption="Every model on the Pareto front, best score first, with 95 % intervals; the chosen one is highlighted.",
        highlighted_row=next((at for at, row in enumerate(rows) if row["chosen"]), None),
    )
    return section(
        "front",
        "The Pareto front",
        plot(
            "front-plot",
            f"Error against {clean(front_axis(state).label)} of every trial; the table below lists the models on the front.",
            f"Every point is a network. {_joined(state)} {front_caption(state)} Hover over a point for a summary; click it to see its details below.",
        ),
        picker(state),
        cards(state),
        shown if rows else paragraph("No model is finished yet."),
        _merged(state),
    )


def _with_ends(row: Row, name: str) -> object:
    """A value of the front's table, with its interval if it has one."""
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return row[name] if low is None or high is None else with_interval(f"{row[name]:.4g}", (low, high))


def _merged(state: StudyState) -> str:
    """The models that only chance may tell from one of the front."""
    rows = merged_table(state)
    if not rows:
        return ""
    shown = table(
        ["trial", "merged into", state.settings.metric, "difference", "standard error", "times its latency"],
        (
            [
                row["trial"],
                row["into"],
                row[state.settings.metric],
                row["score_difference"],
                row["standard_error"],
                row["latency_ratio"],
            ]
            for row in rows
        ),
        caption=(
            "No other model dominates these, but they are not better than the model that they are merged into by more than one "
            "standard error of the score, or by more than 3 % of a cost."
        ),
    )
    return collapsible(f"{many(len(rows), 'model')} that differ too little from one of these", shown)


def _joined(state: StudyState) -> str:
    """How the front is marked in the plot."""
    if is_plane(state):
        return "The line joins the models that are credibly better in something than each other one."
    return (
        "The large points are the models that are credibly better in something than each other one; "
        f"their colour is the {clean(colour_axis(state).label)}."
    )


def hyperparameters(context: ReportContext, figures: Figures) -> Html:
    """The importance of the hyperparameters, and all trials in parallel coordinates."""
    state, ranked = context.state, context.state.ranked
    figures["importance"], figures["parallel"] = importance_figure(ranked), parallel_figure(state)
    few = ranked is not None and min(ranked.trials.values(), default=FEW) < FEW
    goals = list(ranked.shares) if ranked else []
    rows = [
        [hyperparameter, *((ranked.shares[goal].get(hyperparameter, 0.0) if ranked else 0.0) for goal in goals)]
        for hyperparameter in shown_hyperparameters(ranked)
    ]
    return section(
        "hyperparameters",
        "Which hyperparameters mattered",
        paragraph(
            "How much of the variation between trials each hyperparameter explains, separately for the score and for each cost.",
            "With so few trials this is only a hint." if few else "",
        ),
        plot("importance", "Importance of the hyperparameters; the table below lists its numbers."),
        collapsible("Importance as a table", table(["hyperparameter", *(goal_name(goal) for goal in goals)], rows))
        if rows
        else "",
        plot(
            "parallel",
            "Each trial as a line through its hyperparameters, its costs and its score.",
            "Each line is a trial: amber for the best scores, blue for the worst. Drag along an axis to select lines; drag an axis's name to move it.",
        ),
    )


def stopped(context: ReportContext, figures: Figures) -> Html:
    """Trials by status and reason, and the learning curves."""
    state = context.state
    figures["ends"], figures["curves"] = ends_figure(state), curves_figure(state)
    return section(
        "stopped",
        "Which trials were stopped, and why",
        plot("ends", "Trials by how they ended; the table below lists the numbers."),
        collapsible(
            "As a table", table(["trials", "status", "why"], ([count, status, why] for status, why, count in reasons(state)))
        ),
        plot(
            "curves",
            "The score of each trial after each epoch.",
            "Faint curves end where a trial was stopped early; dotted lines mark the epochs at which trials are compared.",
        ),
    )


def cost(context: ReportContext, figures: Figures) -> Html:
    """The timeline, the growth of the front, and the time and cost."""
    state = context.state
    figures["hypervolume"], figures["timeline"] = hypervolume_figure(state), timeline_figure(state)
    return section(
        "cost",
        "Time and cost",
        facts(narrative.cost(state)),
        plot(
            "timeline",
            "Which trial ran when, on which worker.",
            "Before the first trial the machine is benchmarked; after the last, a runtime is chosen for each model on the front. Lines lead from a network to the smaller networks pruned from it.",
        ),
        plot(
            "hypervolume",
            "The hypervolume of the front over time and over epochs.",
            "The share of the space between the worst and the best values that the front dominates. If it is flat at the end, more time would have added little.",
        ),
        paragraph(narrative.progress(state)),
    )
