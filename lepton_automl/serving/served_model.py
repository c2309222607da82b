"""One version of a model, opened, with its own measure of how long it takes."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.deployment.predictor import CHUNK, Predictor
from lepton_automl.errors import BundleError

from .limits import Limits
from .protocols import Columns, Row

COVERAGE = "coverage"  # the one parameter of a request
INLINE_SECONDS = 0.002  # what takes less is answered without a thread: to change threads twice costs 0.1 ms
WARM_UP, MEASURED = 5, 15  # calls when a model is opened
BULK_SECONDS = 0.05  # of a large request, after which requests of few rows may come between
POLITE = 0.0005  # seconds between two looks whether one does


class ServedModel:
    """A bundle that answers requests.

    Args:
        name: The model's name.
        version: Its version.
        folder: The bundle.
        limits: Of the server.
        threads: Threads that one call may use.

    Attributes:
        columns: The columns of a request.
        seconds: The median time of one row, measured when it was opened.
        inline_rows: Requests of at most so many rows are answered by the thread that receives them; 0 if none are.
        answer_columns: The columns of an answer, without those that a coverage adds.

    Raises:
        BundleError: The bundle is damaged.
    """

    def __init__(self, name: str, version: str, folder: Path, limits: Limits, threads: int = 1) -> None:
        self.name, self.version, self.folder = name, version, folder
        self.predictor = Predictor(folder, threads)
        self.opened_at = time.time()
        self.columns: tuple[str, ...] = tuple(self.predictor.preprocess.request_columns)
        decoder = self.predictor.decoder
        self.answer_columns = tuple(zip(decoder.columns, decoder.types(), strict=True))
        self._decode_limits = {"max_pixels": limits.pixels}
        self._lock = threading.Lock()  # an OpenVINO infer request runs one call at a time
        self._urgent = 0  # requests of few rows that wait for the lock
        self.sample = self._sample()
        self.seconds = self._measure()
        self.inline_rows = int(min(CHUNK, INLINE_SECONDS / self.seconds)) if self.seconds else 0
        self._bulk_rows = int(min(CHUNK, max(1, BULK_SECONDS / self.seconds))) if self.seconds else CHUNK

    def __repr__(self) -> str:
        return f"<{self.name} version {self.version}>"

    def _sample(self) -> dict[str, Any]:
        """A made-up row of a request; empty if the model needs a package that is not installed to make one."""
        with contextlib.suppress(ImportError):
            return self.predictor.preprocess.sample_request()
        return {}

    def _measure(self) -> float:
        if not self.sample:
            return 0.0
        times = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a made-up row
            for _ in range(WARM_UP + MEASURED):
                start = time.perf_counter()
                self.answer([self.sample], {})
                times.append(time.perf_counter() - start)
        return statistics.median(times[WARM_UP:])

    def answer(self, rows: Sequence[Row], params: Mapping[str, Any], *, wait: bool = True) -> Columns | None:
        """The columns of an answer.

        Args:
            rows: Cells by column.
            params: `coverage`, or nothing.
            wait: Whether to wait while the model is in use.

        Returns:
            The columns; None if the model is in use.

        Raises:
            ValueError: A row does not fit the model, or it was not calibrated for the coverage.
        """
        coverage = _coverage(params)
        raw = self.predictor.preprocess.from_request(rows, self._decode_limits)
        if not self._lock.acquire(blocking=wait):
            return None
        try:
            return self.predictor.table(raw, coverage=coverage)
        finally:
            self._lock.release()

    def prepared(self, rows: Sequence[Row], params: Mapping[str, Any]) -> Prepared:
        """A request as the network's arrays, to be answered together with others.

        Raises:
            ValueError: As for `answer`.
        """
        coverage = _coverage(params)
        raw = self.predictor.preprocess.from_request(rows, self._decode_limits)
        return Prepared(raw, self.predictor.preprocess.arrays(raw), len(rows), coverage)

    def answers(
        self, requests: Sequence[Prepared], *, bulk: bool = False, wait: bool = True
    ) -> list[Columns | Exception] | None:
        """Answers to several requests from one call of the network, or several calls of at most `CHUNK` rows.

        Args:
            requests: Their arrays differ in their first axis only; see `Prepared.shape`.
            bulk: Whether others come first: between two calls, those that wait are answered.
            wait: Whether to wait while the model is in use.

        Returns:
            For each request its columns, or why it cannot be answered; None if the model is in use.
        """
        if len(requests) == 1:
            joined = requests[0].arrays
        else:
            joined = {name: np.concatenate([request.arrays[name] for request in requests]) for name in requests[0].arrays}
        rows = sum(request.rows for request in requests)
        size = self._bulk_rows if bulk else CHUNK
        parts = []
        for start in range(0, rows, size):
            chunk = joined if rows <= size else {name: part[start : start + size] for name, part in joined.items()}
            outputs = self._call(chunk, bulk=bulk, wait=wait)
            if outputs is None:
                return None
            parts.append(outputs)
        outputs = np.concatenate(parts) if len(parts) > 1 else parts[0]
        found: list[Columns | Exception] = []
        start = 0
        for request in requests:
            found.append(self._columns(outputs[start : start + request.rows], request))
            start += request.rows
        return found

    def _call(self, arrays: dict[str, NDArray[Any]], *, bulk: bool, wait: bool) -> NDArray[Any] | None:
        """The network's outputs for some rows; None if it is in use and is not to be waited for."""
        if bulk:
            while self._urgent:  # a lock is not fair: it would be taken again before another thread wakes up
                time.sleep(POLITE)
        else:
            self._urgent += 1
        try:
            if not self._lock.acquire(blocking=wait):
                return None
            try:
                return self.predictor.model(arrays)
            except Exception as error:  # a runtime's exceptions have no common base; the input fitted, so it is not at fault
                raise BundleError(f"the model cannot predict: {error}", where=str(self.folder)) from error
            finally:
                self._lock.release()
        finally:
            self._urgent -= not bulk

    def _columns(self, outputs: NDArray[Any], request: Prepared) -> Columns | Exception:
        decoder = self.predictor.decoder
        try:
            context = self.predictor.preprocess.context(request.raw)
            columns = dict(zip(decoder.columns, decoder.table(outputs, context), strict=True))
            if request.coverage is not None:
                regions, names = decoder.regions(outputs, context, request.coverage), decoder.region_columns
                parts = [regions.tolist()] if len(names) == 1 else regions.T.tolist()
                columns |= dict(zip(names, parts, strict=True))
        except Exception as error:
            return error
        return columns


class Prepared:
    """A request as the network's arrays.

    Args:
        raw: The raw examples.
        arrays: The network's arrays, each [rows, ...].
        rows: Number of rows.
        coverage: The coverage that was asked for.
    """

    __slots__ = ("arrays", "coverage", "raw", "rows")

    def __init__(self, raw: Any, arrays: dict[str, NDArray[Any]], rows: int, coverage: float | None) -> None:
        self.raw, self.arrays, self.rows, self.coverage = raw, arrays, rows, coverage

    @property
    def shape(self) -> tuple[Any, ...]:
        """What must be equal for requests to be answered together: names, types, and all axes but the first."""
        return tuple((name, part.dtype.str, part.shape[1:]) for name, part in self.arrays.items())


def _coverage(params: Mapping[str, Any]) -> float | None:
    """The coverage among a request's parameters.

    Raises:
        ValueError: It is not a number, or there are other parameters.
    """
    if not params:
        return None
    unknown = [name for name in params if name != COVERAGE]
    if unknown:
        raise ValueError(f"the parameter {unknown[0]!r} is not known; a request takes {COVERAGE!r} only")
    coverage = params.get(COVERAGE)
    if coverage is None:
        return None
    if isinstance(coverage, bool) or not isinstance(coverage, int | float):
        raise ValueError(f"{COVERAGE} is {coverage!r:.50}; it takes a number such as 0.9")  # noqa: TRY004  # one type of error for all
    return float(coverage)
