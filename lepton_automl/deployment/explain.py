"""Explains single answers of a bundle; needs NumPy and the bundle's runtime only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import ConfigError, InputError
from lepton_automl.explanation import ExplainableModality, Explanation, PartContribution
from lepton_automl.modality import modality_named

from .predictor import Predictor
from .shapley import EVALUATIONS, Contributions, contributions

BACKGROUND = 64  # examples that unknown parts are taken from, at most
Arrays = Mapping[str, NDArray[Any]]


def explain(
    predictor: Predictor,
    raw: Any,
    background: Arrays | None = None,
    *,
    evaluations: int = EVALUATIONS,
    seconds: float = math.inf,
    seed: int = 0,
) -> Explanation:
    """Explain the answer for one example by the contributions of its parts.

    Args:
        predictor: The model.
        raw: One example, as for `Predictor.predict`.
        background: Arrays of other examples, as the model's preprocessing gives them; unknown parts have their values. Pictures need
            none: their regions are covered.
        evaluations: How often the model may be asked.
        seconds: Time after which no more is asked; some evaluations are always made.
        seed: Of the sampling.

    Raises:
        InputError: The input does not fit the model, or is not one example.
        ConfigError: Answers of this modality are not explained, or a background is needed.
    """
    modality, preprocess = explainable(predictor), predictor.preprocess
    inputs = preprocess.arrays(raw)
    if len(next(iter(inputs.values()))) != 1:
        raise InputError("an explanation is of one example; this is a list of them")
    cells = modality.cells(preprocess, raw)
    context = preprocess.context(raw)
    return explain_arrays(predictor, inputs, background, cells, context, evaluations=evaluations, seconds=seconds, seed=seed)


def explain_arrays(
    predictor: Predictor,
    inputs: Arrays,
    background: Arrays | None = None,
    cells: Sequence[str] = (),
    context: Mapping[str, Any] | None = None,
    *,
    evaluations: int = EVALUATIONS,
    seconds: float = math.inf,
    seed: int = 0,
) -> Explanation:
    """Explain the answer for one example that is stored as arrays of one row; for the rest see `explain`.

    Args:
        predictor: The model.
        inputs: The example, as the model's preprocessing gives it.
        background: Other examples, likewise.
        cells: What stands in each part, as text; empty if it is not known.
        context: What decoding needs of the raw example, as `preprocess.context` gives it; mostly nothing.
        evaluations: How often the model may be asked.
        seconds: Time after which no more is asked.
        seed: Of the sampling.
    """
    modality, preprocess = explainable(predictor), predictor.preprocess
    cover = modality.cover(preprocess, inputs)
    known = background if cover is None else cover
    if known is None or not len(next(iter(known.values()))):
        what = "the parts of this example have no values of their own to be replaced with"
        raise ConfigError(what, where="explain", fix="Pass background=, some rows like those that the model learned from.")
    parts, count = modality.explained_parts(preprocess, inputs), len(next(iter(known.values())))
    names, _, are_probabilities = predictor.numbers(dict(inputs))

    def answers(masks: NDArray[np.bool_], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return predictor.numbers(modality.mixtures(preprocess, inputs, known, masks, rows)).values

    found = contributions(answers, len(parts.names), count, evaluations=evaluations, seconds=seconds, seed=seed)
    prediction = np.ravel(predictor.decoded(dict(inputs), context or {})).tolist()
    main = _main(prediction, names, found)
    each = [
        PartContribution(
            name=name,
            value=cell,
            contributions=dict(zip(names, value.tolist(), strict=True)),
            errors=dict(zip(names, error.tolist(), strict=True)),
        )
        for name, cell, value, error in zip(
            parts.names, cells or [""] * len(parts.names), found.values, found.errors, strict=True
        )
    ]
    if not parts.grid:
        each.sort(key=lambda part: -abs(part.contributions[main]))
    return Explanation(
        prediction=", ".join(f"{item:.5g}" if isinstance(item, float) else str(item) for item in prediction),
        main=main,
        is_probability=are_probabilities,
        base=dict(zip(names, found.base.tolist(), strict=True)),
        answer=dict(zip(names, found.answer.tolist(), strict=True)),
        parts=tuple(each),
        background=count if cover is None else 0,
        evaluations=found.evaluations,
        grid=parts.grid,
        picture=parts.picture,
    )


def explainable(predictor: Predictor) -> ExplainableModality:
    """The modality of a bundle, if its answers can be explained.

    Raises:
        ConfigError: They cannot.
    """
    modality = modality_named(predictor.modality)
    if not isinstance(modality, ExplainableModality):
        what = f"answers for the modality {predictor.modality!r} are not explained"
        raise ConfigError(what, where="explain", fix="Its plug-in does not define the parts of an example.")
    return modality


def _main(prediction: Sequence[Any], names: Sequence[str], found: Contributions) -> str:
    """The number that the prediction is about: that of its class, else the one that moved most."""
    for item in prediction:
        if str(item) in names:
            return str(item)
    return names[int(np.abs(found.answer - found.base).argmax())]
