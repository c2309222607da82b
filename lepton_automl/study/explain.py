"""Explanations of single answers of a study's models, against a sample of the rows that they learned from."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_automl import families
from lepton_automl.data.open import Split, open_data, open_test
from lepton_automl.deployment.explain import BACKGROUND, explain, explain_arrays, explainable
from lepton_automl.deployment.predictor import Predictor
from lepton_automl.deployment.shapley import EVALUATIONS
from lepton_automl.explanation import ExplainedRows
from lepton_automl.reporting.explanation import ExplanationReport
from lepton_automl.study_store import model_folder, trial_folder

from .result_cache import save_result

if TYPE_CHECKING:
    from lepton_automl.arrays import Array
    from lepton_automl.error_analysis import ErrorAnalysis
    from lepton_automl.specs import DataSpec

    from .client import StudyClient
    from .model import StudyModel

WORST = 2  # answers that the report explains
SECONDS = 1.0  # for each of them
SEED = 0  # of the sample and of the permutations: equal questions have equal answers


def explain_examples(
    model: StudyModel, examples: Any, *, evaluations: int | None = None, seconds: float | None = None
) -> ExplanationReport | list[ExplanationReport]:
    """Explain a model's answers; `StudyModel.explain` is the usual way.

    Args:
        model: The model.
        examples: One raw example or many, as `Predictor.predict` takes them.
        evaluations: How often the model may be asked for each example.
        seconds: Seconds for each example.
    """
    predictor = model.predictor
    explainable(predictor)
    rows = len(next(iter(predictor.preprocess.arrays(examples).values())))
    single = rows == 1 and predictor.preprocess.is_single(examples)  # [N, H, W] may be several grey images
    background = sample_of(_spec(model.study, model.number))
    limits = {"evaluations": EVALUATIONS if evaluations is None else evaluations} | (
        {} if seconds is None else {"seconds": seconds}
    )

    def one(example: Any) -> ExplanationReport:
        return ExplanationReport(**vars(explain(predictor, example, background, **limits, seed=SEED)))  # type: ignore[arg-type]  # mypy does not follow the names

    if single:
        return one(examples)
    return [one(example) for example in each_of(examples)]


def each_of(examples: Any) -> list[Any]:
    """Many examples one by one: rows of any table, or items of a list or an array."""
    if hasattr(examples, "to_pandas"):  # polars, Arrow
        examples = examples.to_pandas()
    elif isinstance(examples, Mapping):  # columns
        import pandas as pd

        examples = pd.DataFrame(examples)
    rows: list[Any] = examples.to_dict("records") if hasattr(examples, "columns") else list(examples)
    return rows


def explain_worst(study: StudyClient, trial: int, analysis: ErrorAnalysis) -> ExplainedRows:
    """Explain the worst answers in a model's error analysis, and cache that beside its bundle.

    Raises:
        ConfigError: Answers of this modality are not explained.
        DataError: The prepared data were removed.
    """
    predictor = Predictor(model_folder(study.folder, trial, refitted=False))  # whose answers were analyzed
    spec = _spec(study, trial)
    data = open_data(spec)
    rows = open_test(spec) if analysis.split == "test" else data.validation if analysis.split == "validation" else data.train
    background, explanations = sample(data.train), []
    for example in analysis.worst[:WORST]:
        inputs = {name: part[example.row : example.row + 1].numpy() for name, part in rows.inputs.items()}
        cells = [_text(example.cells.get(column)) for column in _columns(predictor, inputs)] if example.cells else ()
        explanations.append(explain_arrays(predictor, inputs, background, cells, seconds=SECONDS, seed=SEED))
    chosen = tuple(example.row for example in analysis.worst[: len(explanations)])
    found = ExplainedRows(rows=chosen, explanations=tuple(explanations))
    return save_result(trial_folder(study.folder, trial), f"explained-{analysis.split}", found)


def _text(cell: object) -> str:
    return "?" if cell is None else f"{cell:.6g}" if isinstance(cell, float) else str(cell)


def _columns(predictor: Predictor, inputs: dict[str, Array]) -> tuple[str, ...]:
    return explainable(predictor).explained_parts(predictor.preprocess, inputs).names


def _spec(study: StudyClient, trial: int) -> DataSpec:
    """The data as a trial's network takes them."""
    state = study.state
    return families.trial_spec(state.network_config(state.trial(trial)), state.settings.data, state.settings.factory)


@functools.lru_cache(maxsize=4)  # a notebook explains one example after another
def sample_of(spec: DataSpec) -> dict[str, Array]:
    """`sample` of the training rows of prepared data."""
    return sample(open_data(spec).train)


def sample(train: Split) -> dict[str, Array]:
    """A sample of training rows, of which unknown parts are taken."""
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(train))[:BACKGROUND])
    return {name: part[chosen].numpy() for name, part in train.inputs.items()}
