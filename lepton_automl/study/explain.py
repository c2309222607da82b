"""Explanations of single answers of a study's models, against a sample of the rows that they learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_automl import families
from lepton_automl.data.open import open_data
from lepton_automl.deployment.explain import BACKGROUND, explain, explainable
from lepton_automl.deployment.shapley import EVALUATIONS
from lepton_automl.reporting.explanation import ExplanationReport

if TYPE_CHECKING:
    from lepton_automl.arrays import Array

    from .model import StudyModel

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
    single, background = predictor.preprocess.is_single(examples), learned_rows(model)
    limits = {"evaluations": evaluations or EVALUATIONS} | ({} if seconds is None else {"seconds": seconds})

    def one(example: Any) -> ExplanationReport:
        return ExplanationReport(**vars(explain(predictor, example, background, **limits, seed=SEED)))  # type: ignore[arg-type]  # mypy does not follow the names

    if single:
        return one(examples)
    each = examples.to_dict("records") if hasattr(examples, "to_dict") else list(examples)
    return [one(example) for example in each]


def learned_rows(model: StudyModel) -> dict[str, Array]:
    """A sample of a model's training rows, as its network takes them."""
    state = model.study.state
    spec = families.trial_spec(state.trial(model.number).proposed.config, state.settings.data)
    train = open_data(spec).train
    chosen = np.random.default_rng(SEED).permutation(len(train))[:BACKGROUND]
    return {name: part[np.sort(chosen)].numpy() for name, part in train.inputs.items()}
