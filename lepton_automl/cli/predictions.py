"""Predictions in a file: CSV, or one JSON object per line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.deployment.predictor import Predictor
from lepton_automl.errors import ConfigError

ENDINGS = (".csv", ".jsonl")


def check_file(out: Path) -> None:
    """Check that predictions can be written to a file, before any are made.

    Raises:
        ConfigError: It has another ending, or its folder does not exist.
    """
    if out.suffix.lower() not in ENDINGS:
        what = f"{out} ends in {out.suffix}" if out.suffix else f"{out} has no ending"
        raise ConfigError(what, where="--out", fix=f"Give a name that ends in {' or '.join(ENDINGS)}.")
    if not out.parent.is_dir():
        raise ConfigError(f"there is no folder {out.parent}", where="--out", fix="Create it, or give another one.")


def save_predictions(
    out: Path, predictor: Predictor, raw: Any, names: list[str], *, proba: bool = False, coverage: float | None = None
) -> int:
    """Predict examples, and write the predictions to a file.

    Args:
        out: A `.csv` or `.jsonl` file.
        predictor: The model.
        raw: As for `Predictor.predict`.
        names: The name of each example's file; empty for rows, which are numbered from 1.
        proba: Whether to add the probability of every class.
        coverage: The coverage of sets of labels, or of intervals, to add.

    Returns:
        The number of predictions.

    Raises:
        ConfigError: The file cannot be written, or the model has no probabilities, sets or intervals.
    """
    records = _records(predictor, raw, names, proba=proba, coverage=coverage)
    try:
        with out.open("w", encoding="utf-8", newline="") as file:
            if out.suffix.lower() == ".csv":
                table = [_flat(record) for record in records]
                writer = csv.DictWriter(file, list(table[0]) if table else [])
                writer.writeheader()
                writer.writerows(table)
            else:
                file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    except OSError as error:
        what = f"{out} cannot be written: {error.strerror}"
        raise ConfigError(what, where="--out", fix="Give a file in a folder that you may write to.") from error
    return len(records)


def _records(predictor: Predictor, raw: Any, names: list[str], *, proba: bool, coverage: float | None) -> list[dict[str, Any]]:
    answers = np.atleast_1d(predictor.predict(raw))
    records: list[dict[str, Any]] = [
        {"file": names[number]} if names else {"row": number + 1} for number in range(len(answers))
    ]
    for record, answer in zip(records, answers.tolist(), strict=True):
        record["prediction"] = answer
    if proba:
        labels = [str(label) for label in predictor.classes]
        for record, row in zip(records, np.atleast_2d(predictor.predict_proba(raw)).tolist(), strict=True):
            record["probabilities"] = dict(zip(labels, row, strict=True))
    if coverage is not None:
        regions = predictor.predict(raw, coverage=coverage)
        for record, region in zip(records, [regions] if isinstance(regions, list) else regions.tolist(), strict=True):
            record["region"] = region
    return records


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """A record as the cells of a row: a column for each probability; a set or interval as JSON."""
    cells = {name: cell for name, cell in record.items() if name != "probabilities"}
    cells |= {f"probability {label}": share for label, share in record.get("probabilities", {}).items()}
    return {
        name: json.dumps(cell, ensure_ascii=False) if isinstance(cell, list | tuple | dict) else cell
        for name, cell in cells.items()
    }
