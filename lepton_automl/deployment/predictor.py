"""Predict with a finished model; needs NumPy and ONNX Runtime, but neither torch nor the rest of this package."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import BundleError, ConfigError, InputError
from lepton_automl.generation import Generation, State
from lepton_automl.shipped import artifact_loader, load_decoder, load_preprocess

from .integrity import EXPORT_AGAIN, MANIFEST, MODEL, PREPROCESS, program_files, read_bundle
from .open_artifact import RUNTIME, open_programs

OPERATIONS = "operations"  # in the manifest: the model's operations beyond plain arithmetic
MAX_THREADS = 1024
CHUNK = 256  # rows in one call of the runtime: more would take memory and save no time


class Numbers(NamedTuple):
    """Answers as numbers.

    Args:
        names: Their K names: the classes, the target, or what the decoder calls its columns.
        values: [N, K]: probabilities, or numbers in the target's unit.
        are_probabilities: Which of the two.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    are_probabilities: bool


class Predictor:
    """Predicts for raw examples.

    Args:
        folder: A bundle.
        threads: Threads that one call may use.
        public_key: A PEM or OpenSSH file with the Ed25519 key that must have signed the bundle; None to require no signature.

    Raises:
        BundleError: A file of the bundle is missing or was changed, its parts do not fit together, or the signature is missing
            or wrong.
        ConfigError: The public key cannot be read, or `threads` is out of range.
        ExtraError: A public key is given, and the package `cryptography` is not installed.
    """

    def __init__(
        self, folder: str | os.PathLike[str], threads: int = 1, *, public_key: str | os.PathLike[str] | None = None
    ) -> None:
        if not isinstance(threads, int) or not 1 <= threads <= MAX_THREADS:
            raise ConfigError(f"threads is {threads!r}; it must be an integer from 1 to {MAX_THREADS}", where="Predictor")
        self.folder = Path(folder)
        contents = read_bundle(self.folder, (MODEL, PREPROCESS), public_key, optional=(RUNTIME, MANIFEST))
        variant = self._runtime(contents.get(RUNTIME, b"{}"))
        programs = {name: contents[file] for name, file in program_files(contents[MANIFEST]).items()}
        self._check_operations(programs.values(), variant, contents[MANIFEST])
        row = self._describe(contents[PREPROCESS])
        self.model = open_programs(programs, variant, threads, decoder=self.decoder, rows=variant["batch_size"], strict=False)
        self._dry_run(row)

    def _check_operations(self, programs: Iterable[bytes], variant: dict[str, Any], manifest: bytes) -> None:
        """Refuse control flow and custom operations that the manifest does not list: they could run forever or run other code.

        Raises:
            BundleError: The model has such operations.
        """
        known = json.loads(manifest).get(OPERATIONS, [])
        loader = artifact_loader(variant)
        unknown = [name for program in programs for name in loader.operations(program) if name not in known]
        if unknown:
            what = f"the model contains operations that its manifest does not name: {', '.join(unknown[:5])}"
            raise BundleError(what, where=str(self.folder), fix="Do not use it: it may never return. Ask its author.")

    def _describe(self, content: bytes) -> dict[str, NDArray[Any]]:
        """Read the description of the model's inputs and outputs; return a row of zeros as its input.

        Raises:
            BundleError: It cannot be read.
        """
        try:
            description = json.loads(content)
            self.preprocess = load_preprocess(description)
            self.modality: str = description["input"]["modality"]
            self.task: str = description["output"]["task"]
            self.target: str = description["output"]["target"]
            self.decoder = load_decoder(description["output"])
            self.classes: list[Any] = self.decoder.classes
            no_rows = self.preprocess.arrays([])
            return {name: np.zeros((1, *part.shape[1:]), part.dtype) for name, part in no_rows.items()}
        except Exception as error:  # the file may hold anything
            raise BundleError(f"{PREPROCESS} cannot be used: {error}", where=str(self.folder), fix=EXPORT_AGAIN) from error

    def _runtime(self, content: bytes) -> dict[str, Any]:
        """The runtime that the model was measured with, and its settings.

        Raises:
            BundleError: It cannot be read.
        """
        try:
            settings = json.loads(content)
            options, rows = dict(settings.get("options", {})), int(settings.get("batch_size", 0))
            return {**settings, "options": options, "batch_size": rows}
        except (ValueError, TypeError, AttributeError) as error:
            raise BundleError(f"{RUNTIME} cannot be used: {error}", where=str(self.folder), fix=EXPORT_AGAIN) from error

    def _dry_run(self, row: dict[str, NDArray[Any]]) -> None:
        """Predict one row, so that a model that does not fit its description is refused when it is opened.

        Raises:
            BundleError: The model has other inputs, or its output has another shape.
        """
        shape, expected = self._run(row).shape, self.decoder.shape(1)
        if shape != expected:
            what = f"the model's output for one row has the shape {shape}, and its description says {expected}"
            raise BundleError(what, where=str(self.folder), fix=EXPORT_AGAIN)
        self.streams = isinstance(self.model, Generation) and bool(self._advance(row, {})[1])

    def __repr__(self) -> str:
        return f"<Predictor of {self.target!r} ({self.task}) from {str(self.folder)!r}>"

    def predict(self, raw: Any, *, coverage: float | None = None) -> Any:
        """Labels, or numbers in the target's own unit; with a coverage, sets of labels or intervals.

        Args:
            raw: One example (a dict, a Series, a path, a Pillow image, an array) or many (a DataFrame, a list, a dict of
                columns, an array with one axis more).
            coverage: The share of rows whose set or interval holds the truth, such as 0.9; None for single labels or numbers. It
                holds on average over rows like the validation rows, not for each kind of row.

        Returns:
            One prediction for one example, an array [N] for many. With a coverage, for labels: a list of labels, the most probable
            first, or for many examples an array [N] of such lists; a list may be empty. If a row may have several labels, the list
            holds all of them. For numbers: `[low, high]`, or for many examples an array [N, 2].

        Raises:
            InputError: The input does not fit the model.
            ConfigError: The model was not calibrated for this coverage.
        """
        outputs, single = self._outputs(raw)
        answers = self._answers(outputs, raw, coverage)
        return answers.tolist()[0] if single else answers

    def _answers(self, outputs: NDArray[Any], raw: Any, coverage: float | None) -> NDArray[Any]:
        context = self.preprocess.context(raw)
        return self.decoder.decode(outputs, context) if coverage is None else self.decoder.regions(outputs, context, coverage)

    def predict_proba(self, raw: Any) -> NDArray[np.float32]:
        """Probabilities of the classes, calibrated on the validation rows, in the order of `classes`.

        Args:
            raw: As for `predict`.

        Returns:
            An array [classes] for one example, [N, classes] for many.

        Raises:
            InputError: The input does not fit the model.
            ConfigError: The model predicts numbers, not classes.
        """
        self.decoder.probabilities(np.empty(self.decoder.shape(0), np.float32))  # raises for a task without probabilities
        outputs, single = self._outputs(raw)
        probabilities: NDArray[np.float32] = self.decoder.probabilities(outputs)
        first: NDArray[np.float32] = probabilities[0] if single else probabilities
        return first

    def decoded(self, arrays: dict[str, NDArray[Any]], context: Mapping[str, Any]) -> NDArray[Any]:
        """Labels or numbers for arrays of N rows.

        Args:
            arrays: As `preprocess.arrays` gives them.
            context: As `preprocess.context` gives it.

        Raises:
            BundleError: The runtime failed.
        """
        return self.decoder.decode(self._in_chunks(arrays), context)

    def numbers(self, arrays: dict[str, NDArray[Any]]) -> Numbers:
        """The numbers of the answers for arrays of the preprocessing.

        Args:
            arrays: Arrays of N rows, as `preprocess.arrays` gives them.

        Raises:
            InputError: The answers are not numbers.
            BundleError: The runtime failed.
        """
        outputs = self._in_chunks(arrays)
        try:
            names = tuple(str(label) for label in self.classes)
            return Numbers(names, self.decoder.probabilities(outputs).astype(np.float64), are_probabilities=True)
        except ConfigError:  # a task without probabilities
            columns = self.decoder.table(outputs, {})
        try:
            names = (self.target,) if len(columns) == 1 else tuple(self.decoder.columns)
            return Numbers(names, np.array(columns, np.float64).T, are_probabilities=False)
        except ValueError as error:
            raise InputError(f"the answers of this model ({self.task}) are not numbers") from error

    def stream(self) -> Stream:
        """Return a stream for an example that arrives in pieces, or for several at once; it keeps the model's state in between.

        Raises:
            ConfigError: The model keeps no state between calls.
        """
        self._check_streams()
        return Stream(self)

    def advance(self, raw: Any, state: State) -> tuple[Any, State]:
        """Predict from the pieces so far; the caller keeps the state, as a server's client may. `stream` keeps it itself.

        Args:
            raw: The next piece of an example, in the form of an example; or a list with the next piece of each of several.
            state: What the previous call returned; empty for the first piece.

        Returns:
            The prediction, as `predict` returns it, and the new state.

        Raises:
            InputError: The piece does not fit the model, or the state is for another number of examples.
            ConfigError: The model keeps no state between calls.
        """
        self._check_streams()
        arrays, rows = self._arrays(raw)
        before = {len(part) for part in state.values()}
        if before - {rows}:
            raise InputError(
                f"these are pieces of {rows} examples, but the state is for {max(before)}; start with an empty state"
            )
        outputs, after = self._advance(arrays, state)
        answers = self.decoder.decode(outputs, self.preprocess.context(raw))
        return answers.tolist()[0] if rows == 1 and self.preprocess.is_single(raw) else answers, after

    def _check_streams(self) -> None:
        if not self.streams:
            what = "this model keeps no state between calls"
            raise ConfigError(what, where="stream", fix="Use predict() for whole examples.")

    def table(self, raw: Any, *, coverage: float | None = None) -> dict[str, list[Any]]:
        """Predictions for many examples as columns, the form of a response over HTTP.

        Args:
            raw: As for `predict`.
            coverage: As for `predict`; adds a column `prediction_set`, or columns `low` and `high`.

        Raises:
            InputError: The input does not fit the model.
            ConfigError: The model was not calibrated for this coverage.
        """
        outputs, _ = self._outputs(raw)
        table = dict(zip(self.decoder.columns, self.decoder.table(outputs, self.preprocess.context(raw)), strict=True))
        if coverage is None:
            return table
        regions, names = self._answers(outputs, raw, coverage), self.decoder.region_columns
        return table | dict(zip(names, [regions.tolist()] if len(names) == 1 else regions.T.tolist(), strict=True))

    def _outputs(self, raw: Any) -> tuple[NDArray[Any], bool]:
        """The model's outputs, and whether the input is one example rather than a list of examples."""
        arrays, rows = self._arrays(raw)
        if not rows:
            return np.empty(self.decoder.shape(0), np.float32), False
        return self._in_chunks(arrays), rows == 1 and self.preprocess.is_single(raw)

    def _in_chunks(self, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The model's outputs for any number of rows."""
        rows = len(next(iter(arrays.values())))
        if rows <= CHUNK:
            return self._run(arrays)
        parts = [{name: part[n : n + CHUNK] for name, part in arrays.items()} for n in range(0, rows, CHUNK)]
        return np.concatenate([self._run(part) for part in parts])

    def _arrays(self, raw: Any) -> tuple[dict[str, NDArray[Any]], int]:
        """The network's arrays, and their number of rows.

        Raises:
            InputError: The input cannot be used: it may be of any type, and fail in any way.
        """
        try:
            arrays = self.preprocess.arrays(raw)
            return arrays, len(next(iter(arrays.values())))
        except InputError:
            raise
        except Exception as error:
            what = f"a {type(raw).__name__} cannot be read as {self.modality} input"
            raise InputError(f"{what}: {type(error).__name__}: {error}") from error

    def _run(self, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The model's output.

        Raises:
            BundleError: The runtime failed; its exceptions have no common public base class.
        """
        try:
            return self.model(arrays)
        except Exception as error:
            raise self._failure(error) from error

    def _advance(self, arrays: dict[str, NDArray[Any]], state: State) -> tuple[NDArray[Any], State]:
        """The model's output for the next pieces, given the state after the previous ones; and the new state.

        Raises:
            BundleError: As for `_run`.
        """
        assert isinstance(self.model, Generation)
        try:
            return self.model.advance(arrays, state)
        except Exception as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> BundleError:
        return BundleError(f"the model cannot predict: {error}", where=str(self.folder), fix=EXPORT_AGAIN)


class Stream:
    """An example that arrives in pieces, or several at once; see `Predictor.stream`.

    Args:
        predictor: A model that keeps its state between calls.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.state: State = {}

    def reset(self) -> None:
        """Forget all pieces: the next one starts another example."""
        self.state = {}

    def feed(self, raw: Any) -> Any:
        """Predict from all pieces so far.

        Args:
            raw: The next piece of the example, in the form of an example; or a list with the next piece of each of several.

        Returns:
            What `Predictor.predict` returns for all pieces together.

        Raises:
            InputError: The piece does not fit the model, or the number of examples is not the same as before.
        """
        answer, self.state = self.predictor.advance(raw, self.state)
        return answer
