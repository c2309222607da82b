"""Preparation of any supported source as a folder and its `DataSpec`. Does not load torch: tensors are read as arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lepton_automl import plugins
from lepton_automl.errors import ConfigError, DataError, did_you_mean
from lepton_automl.modality import Claim, Modality, Progress, modality_named
from lepton_automl.source import Items, shown_url
from lepton_automl.specs import DataSpec

from . import store
from .file_names import named_files
from .options import DataOptions
from .sources import opened
from .split_dataset import split_dataset
from .splits import TEST
from .targets import read_targets

KNOWN = (
    "Give a folder of class folders with images, a zip or tar of one, a folder with idx files, a CSV, Parquet, Feather, Excel or "
    "JSON Lines file, a DataFrame, (X, y), a Dataset or a URL; the documentation lists all (Give it your data)."
)


def prepare(
    source: Any,
    folder: Path,
    options: DataOptions | None = None,
    *,
    test: Any = None,
    progress: Progress | None = None,
) -> DataSpec:
    """Recognise a source, split it, fit its preprocessing on the training rows, and write everything to a folder.

    The folder then holds `spec.json`, `preprocess.json`, examples, `rows/` (training and validation) and `test/` (read
    only by `open_test`).

    Args:
        source: An image folder, a zip or tar of one, an idx folder, the path of a table's file, a DataFrame, a dict of columns, or
            (X, y) with X a table [N, F], images [N, H, W], [N, H, W, C], [N, C, H, W], or a DataFrame; what a reader reads, see
            `lepton_automl.source`; or what another modality recognises.
        folder: Where to prepare it; created if missing.
        options: Options that override what is inferred.
        test: Separate test data of the same kind as the source.
        progress: Called with the number of examples read so far, and of all.

    Returns:
        The spec of the data; `notes` explain what was inferred, `warnings` what looks wrong.

    Raises:
        DataError: The data cannot be used as they are; nothing is left behind.
        ConfigError: An option does not fit the source.
    """
    options = options or DataOptions()
    test = options.test if test is None else test
    folder, name = Path(folder), shown_name(source)
    with opened(source, test, options) as (data, test_data):
        _check_exists(data)
        _check_exists(test_data)
        return _write((data, test_data), folder, options, name, progress)


def _write(sources: tuple[Any, Any], folder: Path, options: DataOptions, name: str, progress: Progress | None) -> DataSpec:
    """Prepare a source that a modality takes, and test data or None; see `prepare`."""
    source, test = sources
    with store.writing(folder):
        modality, source = choose(source, options)
        options.check_modality(modality)
        if test is not None:
            test = seen_by(modality, test, options)
        with modality.examples(source, test, folder, options, progress) as examples:
            decimal, is_test = examples.decimal, examples.roles == TEST
            targets = read_targets(
                examples.targets, options, examples.target, examples.most_classes, test=is_test, decimal=decimal
            )
            by = examples.split_by(targets.rows)
            split = split_dataset(targets, examples.roles, examples.target, options, **by)
            prepared = examples.prepare(split, folder)
            store.write_json(folder / store.PREPROCESS, prepared.preprocess.to_json())
            spec = split.write(prepared, folder, name)
            store.write_examples(folder, prepared.examples)
            notes, warnings = (*examples.notes, *spec.notes), (*examples.warnings, *spec.warnings)
        spec = spec.replace(notes=notes, warnings=warnings, digest=store.digest(folder))
        store.save_spec(spec)
    return spec


def choose(source: Any, options: DataOptions) -> tuple[Modality, Any]:
    """The modality of a source, and the form in which it takes it: files that a table names, or the source as it is.

    Raises:
        DataError: No modality recognises the source.
        ConfigError: Two modalities claim it with equal confidence.
    """
    allowed = plugins.names("modalities") if options.modality is None else (options.modality,)

    def claimed(files: Items) -> bool:
        return any(modality_named(name).recognize(files) for name in allowed)

    files = named_files(source, options, claimed)
    form = source if files is None else files
    return recognize(form, options.modality), form


def seen_by(modality: Modality, source: Any, options: DataOptions) -> Any:
    """The form in which a modality takes test data."""
    files = named_files(source, options.replace(modality=modality.name), modality.recognize)
    return source if files is None else files


def recognize(source: Any, modality: str | None = None) -> Modality:
    """The modality of a source: the requested one, or the one that claims the source with the most confidence.

    Args:
        source: The source; a path must exist.
        modality: A modality's name; None to decide by the source.

    Raises:
        DataError: No modality recognises the source.
        ConfigError: Two modalities claim it with equal confidence.
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
        raise ConfigError(f"two modalities fit the data equally well ({reasons})", where="data", fix=fix)
    return modality_named(best[0])


def _unknown(source: Any) -> DataError:
    if isinstance(source, str | Path):
        return DataError("this kind of file is not supported", where=str(source), fix=KNOWN)
    return DataError(f"a {type(source).__name__} is not a supported data source", where="data", fix=KNOWN)


def _check_exists(source: Any) -> None:
    if not isinstance(source, str | Path):
        return
    path = Path(source)
    try:
        exists = path.exists()
        if path.is_dir():
            next(path.iterdir(), None)
        elif exists:
            path.open("rb").close()
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror}", where=str(path), fix="Check its permissions.") from error
    if not exists:
        siblings = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"there is no such file or folder.{did_you_mean(path.name, siblings)}", where=str(path), fix=KNOWN)


def shown_name(source: Any) -> str:
    """A short display name of a source."""
    if isinstance(source, str | Path):
        source = shown_url(str(source)).rstrip("/")
        return Path(source).resolve().name.split(".")[0] or "data"
    return "data"
