"""Any source as one of the few forms that modalities take, for `fit` and `predict` alike."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lepton_automl import plugins
from lepton_automl.errors import DataError, LeptonError
from lepton_automl.example_files import read_examples
from lepton_automl.modality import Preprocess, modality_named
from lepton_automl.source import Items, ReadRequest, SourceReader, shown_url

from .file_names import may_name_files, named_files
from .options import DataOptions

IN_MEMORY = ReadRequest(folder=Path(), labelled=False)  # to ask whether raw examples have to be read at all
DEEPEST = 6  # readers that read one source one after the other, such as a URL of a file of arrays


def read_source(source: Any, request: ReadRequest) -> Any:
    """A source as a path, a DataFrame, a dict of columns, a pair `(X, y)` or `Items`; what no reader recognises stays as it is.

    Args:
        source: What the user passed.
        request: The target, and where files may be put.

    Raises:
        DataError: It cannot be used as it is.
        ExtraError: A package that it needs is not installed.
    """
    where = source
    for _ in range(DEEPEST):
        reader = reader_of(source, request)
        if reader is None:
            return source
        try:
            source = reader.read(source, request)
        except LeptonError as error:
            raise _located(error, where, request.folder) from error
    raise DataError("it is nested too deeply", where="data", fix="Pass what it holds.")


def reader_of(source: Any, request: ReadRequest) -> SourceReader | None:
    """The reader that recognises a source; None if it stays as it is."""
    return next((reader for reader in _readers(plugins.names("readers")) if reader.recognize(source, request)), None)


@functools.lru_cache(1)
def _readers(names: tuple[str, ...]) -> tuple[SourceReader, ...]:
    return tuple(plugins.instance("readers", name) for name in names)


def _located(error: LeptonError, source: Any, folder: Path) -> LeptonError:
    """The error with the user's own name for a file that was downloaded."""
    if not isinstance(source, str) or not error.where.startswith(str(folder)):
        return error
    return type(error)(error.what, where=shown_url(source), fix=error.fix)


@contextmanager
def opened(source: Any, test: Any, options: DataOptions) -> Iterator[tuple[Any, Any]]:
    """A source and separate test data in a form that modalities take, while they are read.

    Raises:
        DataError: They cannot be used as they are.
        ExtraError: A package that they need is not installed.
    """
    target = options.target if isinstance(options.target, tuple) else (options.target,) if options.target else ()
    with tempfile.TemporaryDirectory(prefix="lepton-") as root:
        parts = []
        for name, part in (("data", source), ("test", test)):
            folder = Path(root) / name
            folder.mkdir()
            parts.append(None if part is None else read_source(part, ReadRequest(folder=folder, target=target)))
        try:
            yield parts[0], parts[1]
        except LeptonError as error:
            raise _located(_located(error, source, Path(root) / "data"), test, Path(root) / "test") from error


@contextmanager
def opened_examples(raw: Any, modality: str, preprocess: Preprocess) -> Iterator[Any]:
    """Raw examples as a model's preprocessing takes them, from any source that `fit` reads; labels are left out.

    Args:
        raw: One example or many, or a source of them.
        modality: The name of the model's modality.
        preprocess: The model's.

    Raises:
        DataError: The source cannot be used as it is.
        ExtraError: A package that it needs is not installed.
        InputError: A file cannot be read.
    """
    if _is_plain(raw, preprocess):  # as a single row, which takes microseconds
        yield raw
        return
    with tempfile.TemporaryDirectory(prefix="lepton-") as root:
        source = read_source(raw, ReadRequest(folder=Path(root), labelled=False))
        files = (
            source
            if isinstance(source, Items)
            else named_files(source, DataOptions(), modality_named(modality).recognize, labelled=False)
        )
        if files is not None:
            yield files.items if hasattr(files.items, "ndim") else list(files.items)
        elif isinstance(source, str | Path):
            yield read_examples(str(source), preprocess)
        else:
            yield source


def _is_plain(raw: Any, preprocess: Preprocess) -> bool:
    """Whether raw examples are for the preprocessing as they are."""
    if isinstance(raw, str | Path) or reader_of(raw, IN_MEMORY):
        return False
    if not hasattr(raw, "columns"):
        return True
    wanted = preprocess.request_columns
    return (len(wanted) > 1 and set(wanted) <= set(raw.columns)) or not may_name_files(raw)
