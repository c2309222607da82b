"""The command line of a bundle, and its `predict` function: read the given input, and predict."""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.errors import ConfigError, InputError, LeptonError
from lepton_automl.example_files import read_examples

from .predictor import Predictor


def example_names(source: str, raw: Any) -> list[str]:
    """The names of the files that were read from a folder, relative to it; empty if the examples are not files of a folder.

    Args:
        source: The name that was read.
        raw: The examples that were read.
    """
    if not isinstance(raw, list) or not raw or not all(isinstance(item, Path) for item in raw):
        return []
    return [str(path.relative_to(source)) if path.is_relative_to(source) else str(path) for path in raw]


def answer_lines(predictor: Predictor, raw: Any, *, proba: bool = False, coverage: float | None = None) -> list[str]:
    """Predictions as lines of text: a label or number each; or JSON with the probability of every class, or a set or interval.

    Args:
        predictor: The model.
        raw: As for `Predictor.predict`.
        proba: Whether to return probabilities.
        coverage: The coverage of sets of labels, or of intervals `[low, high]`; None for single predictions.

    Raises:
        ConfigError: Both are given, or the model has neither.
    """
    if proba and coverage is not None:
        raise ConfigError("both proba and coverage are given", fix="Give one of them.")
    if coverage is not None:
        regions = predictor.predict(raw, coverage=coverage)
        single = isinstance(regions, list)
        return [json.dumps(region, ensure_ascii=False) for region in ([regions] if single else regions.tolist())]
    if not proba:
        return [str(answer) for answer in np.atleast_1d(predictor.predict(raw))]
    rows = np.atleast_2d(predictor.predict_proba(raw)).tolist()
    labels = [str(label) for label in predictor.classes]
    return [json.dumps({label: round(p, 6) for label, p in zip(labels, row, strict=True)}) for row in rows]


@functools.cache
def _own_predictor() -> Predictor:
    """The model in the folder of this file, opened once."""
    return Predictor(Path(__file__).resolve().parent)


def predict(raw: Any, *, coverage: float | None = None) -> Any:
    """Predict labels or numbers with the model in the folder of this file; `Predictor` offers more.

    Args:
        raw: One example or many, as for `Predictor.predict`; or the name of a file, as for the command line.
        coverage: As for `Predictor.predict`: sets of labels, or intervals.

    Raises:
        BundleError: The model's folder is damaged.
        InputError: The input does not fit the model.
        ConfigError: The model was not calibrated for this coverage.
    """
    model = _own_predictor()
    is_path = isinstance(raw, str | os.PathLike)
    examples = read_examples(os.fspath(raw), model.preprocess) if is_path else raw
    return model.predict(examples, coverage=coverage)


def main(arguments: list[str] | None = None) -> None:
    """The command line: prints one prediction per line."""
    parser = argparse.ArgumentParser(description="Predict with this model.")
    parser.add_argument("input", nargs="+", help="a file or folder of examples, or arrays in a .npy or .json file")
    parser.add_argument("--proba", action="store_true", help="print the probability of every class, as JSON")
    coverage_help = "print sets of labels, or intervals [low, high], that hold the truth in this share of rows, such as 0.9"
    parser.add_argument("--coverage", type=float, help=coverage_help)
    parser.add_argument("--threads", type=int, default=1, help="threads that one call may use (default: 1)")
    key_help = "refuse a folder that is not signed with this Ed25519 key (a PEM or OpenSSH file; needs cryptography)"
    parser.add_argument("--public-key", metavar="FILE", help=key_help)
    options = parser.parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # the terminal's encoding may lack a label's characters
    try:
        predictor = Predictor(Path(__file__).resolve().parent, options.threads, public_key=options.public_key)
        for source in options.input:
            examples = read_examples(source, predictor.preprocess)
            for line in answer_lines(predictor, examples, proba=options.proba, coverage=options.coverage):
                print(line)  # noqa: T201  # it is a command line
    except (LeptonError, InputError) as error:
        parser.exit(1, f"{error}\n")
