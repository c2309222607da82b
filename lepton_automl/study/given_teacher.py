"""The user's teacher: its answers for the rows of a study, stored beside the journal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.data.reading import as_array
from lepton_automl.data.store import SOURCE_ROWS
from lepton_automl.errors import ConfigError, in_one_line
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

WHERE = "teacher"


def save_answers(teacher: Any, source: Any, spec: DataSpec, path: Path) -> None:
    """Store a teacher's answers for the training and validation rows.

    Args:
        teacher: A model with `predict` or `predict_proba`, the folder of a bundle, a function of the rows, or answers.
        source: The data as the user gave them.
        spec: The prepared data.
        path: Where to write the answers.

    Raises:
        ConfigError: It has no usable answer for each row.
    """
    rows = _without_target(source, spec)
    if isinstance(rows, str | Path) and Path(rows).suffix not in {".csv", ".gz", ".parquet", ".tsv"}:
        what = "a teacher's answers belong to rows in order, which the files of a folder or an archive have not"
        raise ConfigError(what, where=WHERE, fix="Pass the data as arrays or as a table.")
    answers = as_array(_answers(teacher, rows, spec))
    stored = np.load(Path(spec.folder) / SOURCE_ROWS, allow_pickle=False)
    if answers.ndim == 0 or len(answers) <= stored.max(initial=0):
        count = len(answers) if answers.ndim else 1
        what = f"the teacher gives {count:,} answers, and the data have a row {stored.max(initial=0) + 1:,}"
        raise ConfigError(what, where=WHERE, fix="Give one answer for each row of the data, test rows included.")
    np.save(path, _as_outputs(answers[stored], spec).astype(np.float32), allow_pickle=False)


def _without_target(data: Any, spec: DataSpec) -> Any:
    """The rows without targets: of a pair its first part, of a table the other columns."""
    if isinstance(data, tuple | list):
        return data[0]
    names = [spec.target]
    if isinstance(data, Mapping):
        return {name: column for name, column in data.items() if name not in names}
    return data.drop(columns=names, errors="ignore") if hasattr(data, "drop") else data


def _answers(teacher: Any, rows: Any, spec: DataSpec) -> Any:
    if isinstance(teacher, str | Path):
        from .model import load_bundle

        teacher = load_bundle(teacher)
    try:
        if task_of(spec).probabilities and hasattr(teacher, "predict_proba"):
            return _in_order(teacher, as_array(teacher.predict_proba(rows)), spec)
        if hasattr(teacher, "predict"):
            return teacher.predict(rows)
        return teacher(rows) if callable(teacher) else teacher
    except Exception as error:
        raise ConfigError(f"the teacher fails: {in_one_line(error)}", where=WHERE, fix="Try it on the same rows.") from error


def _in_order(teacher: Any, probabilities: Array, spec: DataSpec) -> Array:
    """Probabilities in the order of the data's classes."""
    names = getattr(teacher, "classes", getattr(teacher, "classes_", None))
    if names is None:
        return probabilities
    place = {str(name): number for number, name in enumerate(names)}
    missing = [label for label in map(str, spec.output.classes) if label not in place]
    if missing:
        raise ValueError(f"it knows no class {missing[0]!r}")
    return probabilities[:, [place[str(label)] for label in spec.output.classes]]


def _as_outputs(answers: Array, spec: DataSpec) -> Array:
    """Answers as those of a network: probabilities for each class, or numbers; labels become probabilities of 1."""
    size = spec.output.size
    if spec.output.classes and answers.ndim == 1:
        place = {str(label): number for number, label in enumerate(spec.output.classes)}
        try:
            return np.eye(size)[[place[str(label)] for label in answers]]
        except KeyError as error:
            raise ConfigError(f"there is no class {error}", where=WHERE, fix="Give labels of the data.") from error
    if answers.size != len(answers) * size:
        what = f"the teacher's answers have shape {list(answers.shape[1:])} by row, not [{size}]"
        raise ConfigError(what, where=WHERE, fix="Give a probability for each class, or the numbers to predict.")
    if not np.issubdtype(answers.dtype, np.number) or not np.isfinite(answers).all():
        what = "the teacher's answers are not all finite numbers"
        raise ConfigError(what, where=WHERE, fix="Give one for every row that is not a test row.")
    return answers
