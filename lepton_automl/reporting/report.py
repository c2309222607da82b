"""The report of a study as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Callable

from lepton_automl.modality import modality_of
from lepton_automl.state import StudyState
from lepton_automl.task import task_of
from lepton_automl.texts import many

from . import about_model, about_search, about_study, narrative
from .context import Figures, ReportContext
from .labels import clean
from .latency import latency_range, latency_text
from .page import Html, bullet_list, page, paragraph, text
from .references import is_network_worth_it
from .tables import score_interval, tested_interval


def report_html(context: ReportContext) -> str:
    """The report as one HTML file."""
    state, figures = context.state, Figures()
    parts = [make(context, figures) for make in SECTIONS]
    titles = (("asked", "request"), ("front", "Pareto front"), ("why", "why this model"), ("errors", "its errors"), ("importance", "what matters"), ("speed", "its speed"),
              ("hyperparameters", "hyperparameters"), ("stopped", "stopped trials"), ("cost", "time and cost"), ("notes", "notes"), ("again", "reproduce it"), ("run", "run it"))  # fmt: skip
    there = [(name, title) for name, title in titles if any(f'<section id="{name}"' in part for part in parts)]
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title in there)
    return page(
        state.settings.name, f'{_head(context)}<nav aria-label="Parts of this page">{links}</nav>{"".join(parts)}', figures
    )


def front_html(state: StudyState) -> str:
    """The front alone as an HTML page: cheap enough to be redrawn while the search runs."""
    figures = Figures()
    return page(
        state.settings.name, f"<h1>{text(state.settings.name)}</h1>{about_search.front(ReportContext(state), figures)}", figures
    )


def plots_html(state: StudyState) -> str:
    """All figures of a study as one self-contained HTML page."""
    figures = Figures()
    context = ReportContext(state)
    parts = [
        about_search.front(context, figures),
        about_search.hyperparameters(context, figures),
        about_search.stopped(context, figures),
        about_search.cost(context, figures),
    ]
    return page(f"{state.settings.name}: plots", f"<h1>{text(state.settings.name)}</h1>{''.join(parts)}", figures)


def _head(context: ReportContext) -> str:
    state = context.state
    data, model = state.settings.data, narrative.chosen_model(state)
    prediction = task_of(data).what(data, repr(clean(data.target, 60)))
    example = modality_of(data).usage.example
    lead = paragraph(f"A search for networks that predict {prediction} from {example}, optimized for the objectives below.")
    results = bullet_list([*narrative.summary(state), narrative.test_result(state), *is_network_worth_it(state)])
    return f"<header><h1>{text(state.settings.name)}</h1>{lead}{_cards(context) if model else ''}{results}</header>"


def _cards(context: ReportContext) -> Html:
    state, model = context.state, narrative.chosen_model(context.state)
    assert model is not None and model.profile is not None
    tested = state.tested.scores.get(model.number, {}).get(state.settings.metric) if state.tested else None
    latency = model.profile.latency
    rows = state.settings.deployment.batch_size
    shown = [
        (
            narrative.format_score(state, state.score(model)),
            f"{narrative.metric(state)}, validation{_ends(state, score_interval(state, model))}",
        ),
        (
            narrative.format_score(state, tested) if tested is not None else "not yet used",
            f"{narrative.metric(state)}, test{_ends(state, tested_interval(state, model))}",
        )
        if state.settings.data.test
        else ("", ""),
        (
            latency_text(latency.median),
            f"per call of {many(rows, 'row')} ({latency_range(latency.low, latency.high)})",
        ),
        (narrative.format_size(model.profile.size_bytes), f"{model.profile.parameters:,} parameters"),
        (str(len(state.front())), f"models on the Pareto front, of {len(state.trials):,} networks tried"),
    ]
    inner = "".join(
        f'<div class="card"><b>{text(figure)}</b><span>{text(under)}</span></div>' for figure, under in shown if figure
    )
    return Html(f'<div class="cards">{inner}</div>')


def _ends(state: StudyState, ends: tuple[float, float] | None) -> str:
    """An interval of scores in brackets; empty if it is not known."""
    return f" ({narrative.format_interval(state, ends, 'to')})" if ends else ""


SECTIONS: tuple[Callable[[ReportContext, Figures], Html], ...] = (
    about_study.request,
    about_search.front,
    about_model.why,
    about_model.errors,
    about_model.importance,
    about_model.speed,
    about_search.hyperparameters,
    about_search.stopped,
    about_search.cost,
    about_study.notes,
    about_study.reproduction,
    about_study.usage,
)
