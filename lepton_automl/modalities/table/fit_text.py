"""Fit a column of free text on the training rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.modalities.table.preprocess.texts import TextColumn, hashed_terms

from .findings import Findings, constant_note
from .target_features import FOLDS, columns_of_targets

Array = NDArray[Any]
MANY_TEXTS = 20  # different texts from which on a column may be free text
LEAST_WORDS = 3.0  # on average, in free text
LEAST_DIFFERENT = 0.3  # share of the rows that have a text of their own
MOST_TERMS = 4096
LEAST_OF_TERM = 2  # texts
MOST_FEATURES = 32
TOPICS = 16  # features of a projection that does not use the targets, beside those that do
PENALTY = 1.0  # of the ridge regression


def is_free_text(counts: Mapping[str, int]) -> bool:
    """Whether texts, with the number of rows of each, are sentences rather than categories or identifiers."""
    rows = sum(counts.values())
    if len(counts) <= MANY_TEXTS or len(counts) < LEAST_DIFFERENT * rows:
        return False
    words = sum(len(text.split()) * count for text, count in counts.items()) / rows
    return words >= LEAST_WORDS


def fit_text(name: str, texts: list[str | None], findings: Findings) -> TextColumn | None:
    """The column, with a projection of its terms' TF-IDF weights that is solved in closed form.

    The projection has the ridge regression of the targets, where fitting may use them, and the directions in which texts differ
    most (latent semantic analysis: Deerwester et al., 1990). The former is what a linear model of all terms would answer; training
    rows get the answers of a regression on the other folds.

    Args:
        name: The column's name.
        texts: The training texts; None if missing.
        findings: What is known about the table; notes and held-out features are added.
    """
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import TruncatedSVD

    documents = Counter(term for text in texts if text for term in set(hashed_terms(text)))
    chosen = sorted(term for term, count in documents.most_common(MOST_TERMS) if count >= LEAST_OF_TERM)
    if not chosen:
        findings.notes.append(
            f"{name!r} is left out: its texts have no words in common" if documents else constant_note(name, empty=True)
        )
        return None
    weights = [float(f"{1 + np.log((1 + len(texts)) / (1 + documents[term])):.4g}") for term in chosen]
    settings: dict[str, Any] = {"flag": None in texts, "tokens": sorted(findings.options.missing_in(name))}
    column = TextColumn(name, chosen, weights, np.zeros((len(chosen), 0)), (), **settings)
    rows = [column.weighted(text or "") for text in texts]
    starts = np.cumsum([0, *(len(places) for places, _ in rows)])
    places = np.concatenate([np.array(places, np.int32) for places, _ in rows])
    values = np.concatenate([np.array(values) for _, values in rows])
    matrix = csr_matrix((values, places, starts), shape=(len(texts), len(chosen)))
    targets = (None if findings.targets is None else columns_of_targets(findings.targets)) or []
    parts = [_regression(matrix, target) for target in targets]
    topics = min(MOST_FEATURES - len(parts), TOPICS if parts else MOST_FEATURES, *(size - 1 for size in matrix.shape))
    directions = [part for part, _ in parts]
    if topics > 0:
        directions += list(TruncatedSVD(topics, random_state=0).fit(matrix).components_)
    products = np.stack([matrix @ direction for direction in directions], 1) if directions else np.zeros((len(texts), 0))
    empty = np.diff(starts) == 0
    middle, spread = products[~empty].mean(0), products[~empty].std(0)
    kept = np.flatnonzero(spread > 1e-9).tolist()
    if not kept:
        findings.notes.append(f"{name!r} is left out: its texts do not differ")
        return None
    projection = np.stack([directions[at] / spread[at] for at in kept], 1)
    shift = [float(f"{middle[at] / spread[at]:.5g}") for at in kept]
    column = TextColumn(name, chosen, weights, projection, shift, **settings)
    for feature, at in zip(column.features, kept, strict=False):
        if at < len(parts):
            findings.held_out[feature] = np.where(empty, 0.0, (parts[at][1] - middle[at]) / spread[at])
    findings.missing[name] = texts.count(None)
    findings.notes.append(f"{name!r} is free text: {len(chosen):,} words and pairs of words, in {len(kept)} features")
    return column


def _regression(matrix: Any, target: Array) -> tuple[Array, Array]:
    """Coefficients of the ridge regression of a target, and the answers for each row by a regression on the other folds."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold, cross_val_predict

    scaled = (target - target.mean()) / (target.std() or 1.0)
    model = Ridge(PENALTY, solver="sparse_cg", tol=1e-3, fit_intercept=False)
    folds = KFold(min(FOLDS, len(target)), shuffle=True, random_state=0)
    answers = cross_val_predict(model, matrix, scaled, cv=folds)
    return np.asarray(model.fit(matrix, scaled).coef_), np.asarray(answers)
