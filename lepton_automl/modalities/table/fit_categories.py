"""Fit a column of categories, or of free text, on the training rows."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.cells import to_text
from lepton_automl.data.reader import is_blank
from lepton_automl.data.typed import MISSING_TEXTS
from lepton_automl.modalities.table.preprocess.columns import CategoryColumn
from lepton_automl.modalities.table.preprocess.texts import TextColumn

from .findings import Findings, constant_note
from .fit_text import fit_text, is_free_text
from .options import table_options
from .target_features import columns_of_targets, level_means

Array = NDArray[Any]
MOST_CATEGORIES = 255  # that have a code
LEAST_OF_CATEGORY = 2  # rows; nothing reliable can be learned from a category that occurs once
ROWS_PER_LEAST = 5_000  # in larger tables a category needs one row in this many, as rarer ones are pooled
MANY_CATEGORIES = 20  # from this number on, the targets of a category's rows are a feature, too
MOST_ENCODED = 20_000  # categories that have such features


def fit_categories(name: str, cells: Array, findings: Findings) -> CategoryColumn | TextColumn | None:
    """The column; None with a note if nothing can be learned from it.

    Rare categories share the code of unseen ones; missing cells have a code of their own if training rows show what they mean.

    Args:
        name: The column's name.
        cells: Its training cells.
        findings: What is known about the table; notes and held-out features are added.
    """
    empty, options = findings.options.missing_in(name), table_options(findings.options)
    texts = [None if is_blank(cell, empty) else to_text(cell) for cell in cells.tolist()]
    counts = Counter(text for text in texts if text is not None)
    if len(counts) + (None in texts) < 2:
        findings.notes.append(constant_note(name, empty=not counts))
        return None
    forced = name in options.categorical
    if name in options.text or (not forced and is_free_text(counts)):
        return fit_text(name, texts, findings)
    if not forced and len(counts) > MANY_CATEGORIES and len(counts) > 0.9 * counts.total():
        findings.notes.append(f"{name!r} is left out: nearly every row has its own value, as in an identifier")
        return None
    least = max(LEAST_OF_CATEGORY, len(texts) // ROWS_PER_LEAST)
    frequent = [text for text, count in counts.items() if count >= least]
    categories = sorted(sorted(frequent, key=lambda text: (-counts[text], text))[:MOST_CATEGORIES])
    encodings = _encodings(name, texts, counts, findings)
    if len(categories) < len(counts):
        by_target = ", and what is known about the target of each is a feature" if encodings else ""
        findings.notes.append(
            f"{name!r} has {len(counts):,} values; only the {len(categories):,} most frequent are kept as categories{by_target}"
        )
    if not categories and not encodings:
        findings.notes.append(f"{name!r} is left out: no value occurs twice")
        return None
    missing = texts.count(None)
    findings.missing[name] = missing
    encoded = len(next(iter(encodings.values()), ()))
    # A file's column of numbers was read with the usual texts for missing ones; a bundle gets these texts as they are.
    usual = () if any(isinstance(cell, str) for cell in cells.tolist()) else MISSING_TEXTS
    tokens = sorted({*empty, *usual} - {"", *categories})
    return CategoryColumn(name, categories, missing=missing >= least, tokens=tokens, encodings=encodings, encoded=encoded)


def _encodings(name: str, texts: list[str | None], counts: Counter[str], findings: Findings) -> dict[str, list[float]]:
    """What the targets say about each category that occurs twice, by its text; empty if there are few categories.

    Training rows get the means of other rows, or networks would trust a category of few rows too much.
    """
    targets = None if findings.targets is None else columns_of_targets(findings.targets)
    levels = {text: level for level, (text, count) in enumerate(counts.most_common(MOST_ENCODED), 1) if count > 1}
    if targets is None or len(counts) <= MANY_CATEGORIES or not levels:
        return {}
    codes = np.array([levels.get(text, 0) if text is not None else 0 for text in texts])
    features, values = [], []
    for target in targets:
        means, other = level_means(codes, target, len(levels) + 1)
        other[codes == 0] = 0.0
        scale = float(other.std()) or 1.0
        features.append(other / scale)
        values.append(means / scale)
    encodings = {text: [float(f"{value[level]:.5g}") for value in values] for text, level in levels.items()}
    column = CategoryColumn(name, (), encodings=encodings, encoded=len(values))
    findings.held_out |= dict(zip(column.features, features, strict=True))
    return encodings
