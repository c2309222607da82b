"""From whatever a user has to a prepared folder and its `DataSpec`. Loads no torch: tensors are read as arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lepton_automl import plugins
from lepton_automl.errors import ConfigError, DataError, did_you_mean
from lepton_automl.modality import Claim, Modality, Progress, modality_named
from lepton_automl.specs import DataSpec

from . import store
from .options import DataOptions
from .split_dataset import split_dataset
from .splits import TEST
from .targets import read_targets

KNOWN = (
    "Give a folder of class folders with pictures, a zip or tar of one, a folder with idx files, a CSV or Parquet file, "
    "a DataFrame, or (X, y)."
)


def prepare(
    source: Any,
    folder: Path,
    options: DataOptions | None = None,
    *,
    test: Any = None,
    progress: Progress | None = None,
) -> DataSpec:
    """Recognise a source, split it, fit its preprocessing on the training rows, and leave all in a folder.

    The folder then holds `spec.json`, `preprocess.json`, examples, `rows/` (to learn and choose from) and `test/`
    (sealed: nothing but `open_test` reads it).

    Args:
        source: An image folder, a zip or tar of one, an idx folder, a CSV or Parquet path, a DataFrame, a dict of columns, or
            (X, y) with X a table [N, F], images [N, H, W], [N, H, W, C], [N, C, H, W], or a DataFrame; and what other
            modalities recognise.
        folder: Where to prepare it; made if need be.
        options: What overrides the inferences.
        test: Test data kept apart, of the same kind as the source.
        progress: Called with how many of how many examples are read.

    Returns:
        What the data are; `notes` say what was inferred and why, `warnings` what looks wrong.

    Raises:
        DataError: The data cannot be used as they are; nothing is left behind.
        ConfigError: An option does not fit the source.
    """
    options = options or DataOptions()
    test = options.test if test is None else test
    folder = Path(folder)
    _check_exists(source)
    _check_exists(test)
    with store.writing(folder):
        modality = recognize(source, options.modality)
        options.check_others(modality)
        with modality.examples(source, test, folder, options, progress) as examples:
            decimal, sealed = examples.decimal, examples.roles == TEST
            targets = read_targets(
                examples.targets, options, examples.target, examples.most_classes, test=sealed, decimal=decimal
            )
            by = examples.split_by(targets.rows)
            split = split_dataset(targets, examples.roles, examples.target, options, **by)
            prepared = examples.prepare(split, folder)
            store.write_json(folder / store.PREPROCESS, prepared.preprocess.to_json())
            spec = split.write(prepared, folder, _name(source))
            store.write_examples(folder, prepared.examples)
            notes, warnings = (*examples.notes, *spec.notes), (*examples.warnings, *spec.warnings)
        spec = spec.replace(notes=notes, warnings=warnings, digest=store.digest(folder))
        store.save_spec(spec)
    return spec


def recognize(source: Any, modality: str | None = None) -> Modality:
    """The modality of a source: the one that is asked for, or that claims it with the most confidence.

    Args:
        source: It exists.
        modality: A modality's name; None to decide by the source.

    Raises:
        DataError: No modality knows such a source.
        ConfigError: Two modalities claim it alike.
    """
    if modality is not None:
        return modality_named(modality)
    claims: dict[str, Claim] = {
        name: claim for name in plugins.names("modalities") if (claim := modality_named(name).recognize(source))
    }
    best = sorted(claims, key=lambda name: -claims[name].confidence)
    if not best:
        raise _unknown(source)
    if len(best) > 1 and claims[best[0]].confidence == claims[best[1]].confidence:
        reasons = "; ".join(f"{name}: {claims[name].reason}" for name in best[:2])
        fix = f"Set modality to {best[0]!r} or {best[1]!r}."
        raise ConfigError(f"the data may be of two kinds ({reasons})", where="data", fix=fix)
    return modality_named(best[0])


def _unknown(source: Any) -> DataError:
    if isinstance(source, str | Path):
        return DataError("this kind of file is not known", where=str(source), fix=KNOWN)
    return DataError(f"a {type(source).__name__} is no source of data", where="data", fix=KNOWN)


def _check_exists(source: Any) -> None:
    if not isinstance(source, str | Path):
        return
    path = Path(source)
    try:
        there = path.exists()
        if path.is_dir():
            next(path.iterdir(), None)
        elif there:
            path.open("rb").close()
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror}", where=str(path), fix="Check its permissions.") from error
    if not there:
        beside = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"there is no such file or folder.{did_you_mean(path.name, beside)}", where=str(path), fix=KNOWN)


def _name(source: Any) -> str:
    """A short name for people."""
    if isinstance(source, str | Path):
        return Path(source).resolve().name.split(".")[0] or "data"
    return "data"
