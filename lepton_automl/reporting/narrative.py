"""The results of a study in sentences. No markup; names from data are not escaped."""

from __future__ import annotations

import math
from collections import Counter

from lepton_automl.choice import LEAST_GAIN, POINTS, SHARE
from lepton_automl.corrected import corrected_score
from lepton_automl.error_analysis import ErrorAnalysis
from lepton_automl.metric import share_interval
from lepton_automl.resampled import paired_error
from lepton_automl.state import StudyState
from lepton_automl.texts import join_words, many
from lepton_automl.trial import Trial

from .cost_axes import LATENCY, other_costs
from .hypervolume import growth
from .labels import clean
from .latency import latency_text
from .tables import chosen_trial, default_choice, network, score_interval, tested_interval

PAIR = 2
USUAL_COVERAGE = 0.9
SHARES = {"accuracy", "balanced_accuracy", "f1", "auroc", "average_precision", "r2"}  # differences are shown in points
PER_CENT = {"accuracy", "balanced_accuracy", "f1", "mape"}
METRIC_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "mcc": "MCC",
    "log_loss": "log loss",
    "f1": "F1",
    "rmse": "RMSE",
    "mae": "mean absolute error",
    "r2": "R²",
    "mape": "MAPE",
    "rmsle": "RMSLE",
}
STATUSES = {"complete": "trained to the end", "stopped": "stopped early", "infeasible": "over a hard limit", "failed": "failed", "running": "still running"}  # fmt: skip
FOLDS = "Scores were cross-validated: each row was predicted by a network that was not trained on it."


def chosen_model(state: StudyState) -> Trial | None:
    """The model that the study chooses by default."""
    number = chosen_trial(state)
    return None if number is None else state.trials.get(number)


def metric(state: StudyState) -> str:
    """The display name of the metric."""
    return METRIC_NAMES.get(state.settings.metric, state.settings.metric)


def format_score(state: StudyState, value: float) -> str:
    """A score as text: some shares in per cent."""
    return f"{100 * value:.1f} %" if state.settings.metric in PER_CENT else f"{value:.4g}"


def summary(state: StudyState) -> list[str]:
    """The main results, in a few sentences."""
    model = chosen_model(state)
    if model is None or model.profile is None:
        return [_tried(state), "No model is finished yet."]
    refit = [sentence for sentence in (refit_sentence(state),) if sentence]
    return [_tried(state), _front_size(state), _chosen_sentence(state, model), *refit, *_ends_of_front(state, model)]


def _tried(state: StudyState) -> str:
    counts = Counter(trial.status for trial in state.trials.values())
    phrases = [f"{counts[status]} {words}" for status, words in STATUSES.items() if counts[status]]
    minutes = state.spent(state.last_at) / 60
    return (
        f"{many(len(state.trials), 'network')} {'were' if len(state.trials) != 1 else 'was'} tried in {minutes:.1f} minutes"
        f" ({join_words(phrases) or 'none has started'})."
    )


def _front_size(state: StudyState) -> str:
    count = len(state.front())
    if count == 1:
        return "One is on the Pareto front: no other is credibly better in anything."
    merged = len(state.merged)
    kept = f" {many(merged, 'more network')} differ{'s' * (merged == 1)} too little from one of these." if merged else ""
    return f"{count} are on the Pareto front: each is credibly better in something than each other one.{kept}"


def _chosen_sentence(state: StudyState, model: Trial) -> str:
    assert model.profile is not None
    rows = state.settings.deployment.batch_size
    subject = "The chosen network" if state.shown is None else "The network of this report"
    return (
        f"{subject}, trial {model.number}, reaches {format_score(state, state.score(model))} {metric(state)} on "
        f"{_scored_rows(state)} and takes {latency_text(model.profile.latency_ms)} per call of {many(rows, 'row')} in "
        f"{model.variant.name}; its file is {format_size(model.profile.size_bytes)}"
        + "".join(f", its {clean(cost.label)} {cost.show(model)}" for cost in other_costs(state) if cost.show(model))
        + "."
    )


def _ends_of_front(state: StudyState, model: Trial) -> list[str]:
    front = state.front()
    if len(front) < 3:
        return []
    best, fastest = front[0], min(front, key=_ms)
    sentences = []
    if best.number != model.number:
        sentences.append(
            f"The network with the best score, trial {best.number}, reaches {format_score(state, state.score(best))} in {latency_text(_ms(best))}."
        )
    if fastest.number != model.number:
        sentences.append(
            f"The fastest network, trial {fastest.number}, takes {latency_text(_ms(fastest))} and reaches {format_score(state, state.score(fastest))}."
        )
    return sentences


def refit_sentence(state: StudyState) -> str:
    """On how many rows the chosen model was trained again; empty if it was not."""
    model = chosen_model(state)
    if model is None or model.refitted is None:
        return ""
    return (
        f"After it was chosen it was trained again on {model.refitted.result.learned:,} rows, the validation rows among them; "
        "its scores are those before that."
    )


def test_result(state: StudyState) -> str:
    """The test score, or why there is none."""
    model, data = chosen_model(state), state.settings.data
    if not data.test:
        return "There is no test split. The scores here were used to choose the model, so they may be optimistic."
    if state.tested is None or model is None or model.number not in state.tested.scores:
        return (
            f"The test split ({data.test:,} rows) has not been used yet. The scores here were used to choose the model, so they may be optimistic; "
            "evaluate_test() gives an unbiased score, once."
        )
    name = state.settings.metric
    value = state.tested.scores[model.number].get(name, math.nan)
    before = ", before it was trained again," if model.refitted and model.refitted.at > state.tested.at else ""
    return f"On the held-out test split ({data.test:,} rows, evaluated once) it reaches{before} {format_score(state, value)}{_within(state, model, value)}."


def score_uncertainty(state: StudyState) -> list[str]:
    """How far the chosen model's score is known, and what it would be without the luck of having been chosen."""
    model, rows = chosen_model(state), state.settings.data.validation or state.settings.data.train
    if model is None:
        return []
    ends = score_interval(state, model)
    if ends is None and state.settings.metric == "accuracy":
        ends = share_interval(state.score(model), rows)
    known = (
        f"On {rows:,} rows the {metric(state)} of this model is only known to lie between {format_interval(state, ends, 'and')} "
        "(95 % interval): smaller differences may be chance, and models that differ by less than one standard error are merged."
        if ends
        else ""
    )
    return [sentence for sentence in (known, "" if state.shown is not None else corrected_sentence(state)) if sentence]


def corrected_sentence(state: StudyState) -> str:
    """The score that the default choice is expected to have on new rows; empty if it is not known."""
    corrected = corrected_score(state)
    if corrected is None or corrected.models < PAIR:
        return ""
    ends = format_interval(state, (corrected.low, corrected.high), "to")
    return (
        f"It was chosen among {corrected.models} models by the same rows. Corrected for that, {metric(state)} on new rows is expected "
        f"to be {format_score(state, corrected.score)} ({ends}; bootstrap bias correction, Tsamardinos et al., 2018). "
        f"On {100 * corrected.kept:.0f} % of the resamples of the rows the same model is chosen."
    )


def format_interval(state: StudyState, ends: tuple[float, float], between: str) -> str:
    """An interval of scores as text: `"94.1 and 97.8 %"`."""
    low, high = (format_score(state, end) for end in ends)
    return f"{low.removesuffix(' %')} {between} {high}"


def why(state: StudyState) -> list[str]:
    """Why this model was chosen and not its neighbours on the front."""
    model, front = chosen_model(state), state.front()
    if state.shown is not None:
        return [
            f"This report is about trial {state.shown}, as requested. The study itself chooses trial {default_choice(state)}."
        ]
    if model is None or model not in front or len(front) < 2:
        return []
    at = front.index(model)
    sentences = [_rule(state, model)]
    if at > 0:
        sentences.append(_step(state, model, front[at - 1], "The next model with a better score"))
    if at + 1 < len(front):
        sentences.append(_step(state, model, front[at + 1], "The next model with a worse score"))
    return sentences


def _rule(state: StudyState, model: Trial) -> str:
    """The rule of the default choice, with this study's numbers."""
    goal, *costs = state.settings.objectives
    if not costs:
        return "It has the best score, which is the only objective."
    timed = costs[0].name == LATENCY
    cheaper, cost = ("faster", "time") if timed else ("cheaper", clean(costs[0].title))
    error = goal.direction == "minimize" or abs(state.score(model)) > 1
    most = f"{100 * SHARE:g} % of it" if error else _points(100 * POINTS)
    best = state.front(merged=True)[0]
    if best is model:
        return (
            f"It has the best score. A {cheaper} model is chosen in its place if its score is behind by no more than one standard "
            f"error of the difference and no more than {most}, and if it saves {100 * LEAST_GAIN:g} % of the {cost}; there is none."
        )
    bags = [trial.resampled.in_bag if trial.resampled else "" for trial in (best, model)]
    behind, spread = abs(state.score(best) - state.score(model)), paired_error(*bags)
    gap, doubt = (f"{behind:.3g}", f"{spread:.3g}") if error else (_points(100 * behind), _points(100 * spread))
    return (
        f"No limit was set, so the {'fastest' if timed else f'best by {cost}'} model was chosen whose score is as good as the best "
        f"one, as far as that is known: trial {best.number} is ahead by {gap} ({format_score(state, state.score(best))}), and one "
        f"standard error of that difference is {doubt}. A model may be behind by that much, and by no more than {most}; a {cheaper} "
        f"one must save {100 * LEAST_GAIN:g} % of the {cost}."
    )


def _step(state: StudyState, model: Trial, other: Trial, name: str) -> str:
    ratio, gain = _ms(other) / _ms(model), state.score(other) - state.score(model)
    times = f"{ratio:.2g} times the time" if ratio >= 1 else f"{1 / ratio:.2g} times as fast"
    takes = "takes as long" if f"{ratio:.2g}" == "1" else f"takes {times}" if ratio >= 1 else f"is {times}"
    points = _points(abs(100 * gain)) if state.settings.metric in SHARES else f"{abs(gain):.3g}"
    better = (gain > 0) == (state.settings.objectives[0].direction == "maximize")
    if state.settings.metric in SHARES:
        change = f"{'gains' if better else 'loses'} {points} of {metric(state)}"
    else:
        change = f"has {points} {'more' if gain > 0 else 'less'} {metric(state)}"
    change = change if gain else "scores the same"
    count = _rows_of(state, gain)
    return f"{name}, trial {other.number} ({network(other)}), {takes} and {change}{count}."


def _rows_of(state: StudyState, gain: float) -> str:
    rows = state.settings.data.validation
    if state.settings.metric != "accuracy" or not rows or not gain:
        return ""
    return f", which is {many(round(abs(gain) * rows), 'row')} of {rows:,}"


def errors(analysis: ErrorAnalysis) -> list[str]:
    """The errors of the model, in sentences."""
    return [*filter(None, (*_errors(analysis), regions(analysis))), *([FOLDS] if analysis.split == "held-out" else [])]


def regions(analysis: ErrorAnalysis) -> str:
    """How large prediction sets or intervals are for a coverage of 90 %, or the highest below it; empty if there are none."""
    shown = [region for region in analysis.regions if region.level <= USUAL_COVERAGE]
    if not shown:
        return ""
    region = shown[-1]
    size = f"intervals are {region.size:.4g} wide" if analysis.spread else f"sets have {region.size:.2f} labels"
    covered = f" and hold the truth in {100 * region.covered:.1f} % of the rows" if analysis.split == "test" else ""
    return f"With coverage={region.level:g} its {size} on average{covered}."


def _errors(analysis: ErrorAnalysis) -> list[str]:
    if analysis.spread:
        half, most, _ = analysis.spread
        side = "too high" if (analysis.bias or 0) > 0 else "too low"
        error_sentence = (
            f"On {analysis.rows:,} {analysis.split} rows, half of the predictions are within {half:.4g} of the true value and 90 % within "
            f"{most:.4g}; on average they are {abs(analysis.bias or 0):.3g} {side}."
        )
        return [error_sentence, *_interval(analysis)]
    if not analysis.wrong:
        return [f"On {analysis.rows:,} {analysis.split} rows it makes no errors.", analysis.calibration_verdict]
    sentences = [
        f"On {analysis.rows:,} {analysis.split} rows it makes {many(analysis.wrong, 'error')} ({100 * analysis.wrong / analysis.rows:.1f} %)."
    ]
    pairs = [
        f"{clean(answer, 40)} instead of {clean(truth, 40)} ({many(count, 'row')})"
        for truth, answer, count in analysis.confusions(3)
    ]
    sentences += [f"Most often it predicts {join_words(pairs)}."] if pairs else []
    return [*sentences, analysis.calibration_verdict]


def _interval(analysis: ErrorAnalysis) -> list[str]:
    """How many true values lie within the widest predicted interval."""
    if len(analysis.coverage) < PAIR:
        return []
    (low, below), (high, above) = analysis.coverage[0], analysis.coverage[-1]
    return [f"Its {100 * (high - low):g} % interval holds {100 * (above - below):.1f} % of the true values."]


def progress(state: StudyState) -> str:
    """When the front stopped growing."""
    steps = growth(state)
    if len(steps) < 3:
        return ""
    near = next(trial for trial, volume in steps if volume >= 0.95 * steps[-1][1])
    return (
        f"The front reached 95 % of its final hypervolume after {near.spent[0] / 60:.1f} minutes and "
        f"{near.spent[1]:,} epochs of {state.epochs:,}."
    )


def cost(state: StudyState) -> list[tuple[str, str]]:
    """The time and cost of the search, by name."""
    settings, seconds = state.settings, state.spent(state.last_at)
    hours = seconds * settings.workers / 3600
    price = settings.budget.prices.get(settings.deployment.device)
    trained = sum(trial.result.seconds for trial in state.trials.values() if trial.result)
    wasted = sum(trial.epochs for trial in state.trials.values() if trial.status != "complete")
    return [
        ("time", f"{seconds / 60:.1f} minutes on {many(settings.workers, 'worker')}, {hours:.3g} device-hours"),
        ("price", f"{hours * price:.3g}, at {price:g} per hour" if price else ""),
        (
            "training",
            f"{state.epochs:,} epochs in {trained / 60:.1f} worker-minutes; {wasted:,} of them on trials that were not completed",
        ),
        ("budget", budget(state)),
    ]


def budget(state: StudyState) -> str:
    """The budget as text."""
    limits = state.settings.budget
    units = (("minutes", limits.minutes), ("trials", limits.trials), ("epochs", limits.epochs), ("cost", limits.cost))
    return ", ".join(
        f"{value:g} {unit.removesuffix('s') if value == 1 else unit}" for unit, value in units if value is not None
    )


def format_size(count: int) -> str:
    """A number of bytes in kB or MB."""
    return f"{count / 1e6:.3g} MB" if count >= 1e6 else f"{count / 1e3:.3g} kB"


def _within(state: StudyState, model: Trial, value: float) -> str:
    """The 95 % interval of a test score; empty if it is not known."""
    ends = tested_interval(state, model)
    if ends is None and state.settings.metric == "accuracy" and not math.isnan(value):
        ends = share_interval(value, state.settings.data.test)
    if ends is None:
        return ""
    half = f", ±{_points(50 * (ends[1] - ends[0]))}" if state.settings.metric in SHARES else ""
    return f" (95 % interval {format_interval(state, ends, 'to')}{half})"


def _scored_rows(state: StudyState) -> str:
    data = state.settings.data
    return (
        f"{data.validation:,} validation rows"
        if data.validation
        else f"{data.folds}-fold cross-validation of {data.train:,} rows"
    )


def _points(count: float) -> str:
    number = f"{count:.2g}"
    return f"{number} point{'s' * (number != '1')}"


def _ms(trial: Trial) -> float:
    return trial.profile.latency_ms if trial.profile else math.inf
