"""A bundle: one self-contained folder with a model, its preprocessing, its documentation and the code that runs it."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
from collections.abc import Container, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lepton_automl.errors import BundleError
from lepton_automl.modality import Modality, modality_named
from lepton_automl.shipped import artifact_loader
from lepton_automl.task import Task, task_named
from lepton_automl.variant import Variant

from .container import containerfile, requirements
from .integrity import (
    FORMAT,
    MANIFEST,
    MODEL,
    MODEL_KEY,
    PREPROCESS,
    PROGRAMS,
    SIGNATURE,
    is_plain_name,
    read_bundle,
)
from .open_artifact import RUNTIME
from .predictor import OPERATIONS
from .runtime import Runtime, get_runtime

RECIPE, WEIGHTS, CARD, PROVENANCE, PREDICT, REQUIREMENTS, CONTAINER = (
    "recipe.json",
    "model.safetensors",
    "README.md",
    "provenance.json",
    "predict.py",
    "requirements.txt",
    "Dockerfile",
)
# The sources of predict.py, in the order of their imports; between them come those of the model's modality, task and runtime.
FIRST_SOURCES = (
    "lepton_automl.errors",
    "lepton_automl.arrays",
    "lepton_automl.generation",
    "lepton_automl.units",
    "lepton_automl.notation",
    "lepton_automl.cells",
    "lepton_automl.memory",
    "lepton_automl.unpacked",
    "lepton_automl.delimited",
    "lepton_automl.example_files",
    "lepton_automl.table_files",
)
LAST_SOURCES = (
    "lepton_automl.deployment.integrity",
    "lepton_automl.deployment.open_artifact",
    "lepton_automl.deployment.predictor",
    "lepton_automl.deployment.command",
)
VERSIONED = ("lepton-automl", "torch", "pytorch-lightning", "torch-pruning", "onnx", "onnxruntime", "numpy", "optuna")


def write_bundle(
    folder: Path,
    *,
    model: Path | bytes,
    weights: Path | bytes,
    recipe: Mapping[str, Any],
    preprocess: Mapping[str, Any],
    provenance: Mapping[str, Any],
    card: str,
    runtime: Mapping[str, Any] = MappingProxyType({}),
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """Write a bundle atomically.

    Args:
        folder: Where to write; a bundle that is there is replaced.
        model: The model's file, as its runtime wrote it, or its content; or a folder with one file per program.
        weights: The network's weights as safetensors: a file or its content.
        recipe: The network's recipe as JSON.
        preprocess: The preprocessing's JSON, with its `"input"` and `"output"`.
        provenance: Where the model comes from (see `provenance_of`).
        card: The model card in Markdown (see `card.model_card`).
        runtime: The runtime that the model was measured with, and its settings; see `open_artifact.open_model`.
        files: Further files by name.

    Raises:
        BundleError: The folder holds something other than a bundle, or a name in `files` is not a plain file name or is taken.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
        raise BundleError("the folder is not empty and is not a bundle", where=str(folder), fix="Pass a new folder.")
    modality, task = modality_named(preprocess["input"]["modality"]), task_named(preprocess["output"]["task"])
    model_runtime = get_runtime(runtime.get("runtime", Variant.runtime))
    name, several = f"model{model_runtime.suffix}", isinstance(model, Path) and model.is_dir()
    programs = _programs(model) if isinstance(model, Path) and several else {name: _content(model)}
    content = {
        **programs,
        WEIGHTS: _content(weights),
        RECIPE: _json(recipe),
        PREPROCESS: _json(preprocess),
        PROVENANCE: _json(provenance),
        CARD: card.encode(),
        PREDICT: predict_source(modality, task, model_runtime).encode(),
        REQUIREMENTS: requirements(modality.usage, model_runtime.packages).encode(),
        RUNTIME: _json(dict(runtime)),
        CONTAINER: containerfile(modality.usage).encode(),
    }
    for other in files:
        _check_name(folder, other, content)
    content |= files
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for file, part in content.items():
        (partial / file).write_bytes(part)
    loader = artifact_loader(runtime)
    entries = {
        OPERATIONS: sorted({operation for program in programs.values() for operation in loader.operations(program)}),
        MODEL_KEY: "" if name == MODEL or several else name,
        PROGRAMS: {Path(program).stem: program for program in programs} if several else {},
    }
    _write_manifest(partial, content, entries)
    _swap(partial, folder)


def _swap(new: Path, folder: Path) -> None:
    """Put a finished folder in the place of another; the old one is only removed when the new one is there."""
    old = new.with_suffix(".old")
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def add_file(folder: Path, name: str, content: bytes) -> None:
    """Add a file to a bundle, or replace one; a signature becomes invalid and is removed.

    Raises:
        BundleError: The bundle is damaged, or the name is not a plain file name.
    """
    _check_name(folder, name)
    check_bundle(folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / name).write_bytes(content)
    files = {other: (folder / other).read_bytes() for other in {*manifest["files"], name}}
    _write_manifest(folder, files, {key: manifest.get(key) for key in (OPERATIONS, MODEL_KEY, PROGRAMS)})


def check_bundle(folder: Path) -> None:
    """Check that a bundle has not changed since it was written; none of its code is run.

    Raises:
        BundleError: A file is missing or was changed; the error names it.
    """
    read_bundle(folder, (MODEL, PREPROCESS))


def provenance_of(**entries: Any) -> dict[str, Any]:
    """The provenance of a model: what the caller knows (data digest, config, seed, study, trial), and all versions."""
    versions = {"python": platform.python_version()}
    for package in VERSIONED:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {**entries, "versions": versions}


def predict_source(modality: Modality, task: Task, runtime: Runtime) -> str:
    """The source of the file that runs a bundle on its own: modules of this package, joined without their imports of it.

    Args:
        modality: The model's; only its preprocessing is included.
        task: The model's; only its decoder is included.
        runtime: The model's; only its loader is included.
    """
    model_modules = (*modality.preprocess_modules, *task.decoder_modules, *runtime.loader_modules)
    sources = (*FIRST_SOURCES, *model_modules, *LAST_SOURCES)
    loaders = (
        f"\n\nload_preprocess = {modality.preprocess_class}.from_json\nload_decoder = {task.decoder_class}\n"
        f"artifact_loader = {runtime.loader_class}\n"
    )
    parts = [_without_own_imports(module, model_modules) for module in sources]
    parts.insert(len(FIRST_SOURCES) + len(model_modules), loaders)
    required_packages = " and ".join(["numpy", *(re.split(r"[<>=!~ ]", package)[0] for package in runtime.packages)])
    head = f'"""Predicts with the model in this folder; needs {required_packages}. Run `python predict.py INPUT`."""\n'
    tail = '\n\nif __name__ == "__main__":\n    main()\n'
    return head + "\nfrom __future__ import annotations\n" + "".join(parts) + tail


def _without_own_imports(module: str, model_modules: tuple[str, ...]) -> str:
    """A module's source without its docstring and its imports of this package."""
    module_spec = importlib.util.find_spec(module)
    assert module_spec is not None
    assert module_spec.origin is not None
    source = Path(module_spec.origin).read_text(encoding="utf-8")
    body = ast.parse(source).body
    dropped = [body[0], *(node for node in body if isinstance(node, ast.ImportFrom) and _is_own(node, model_modules))]
    dropped_lines = {line for node in dropped for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    lines = [line for number, line in enumerate(source.splitlines(), 1) if number not in dropped_lines]
    return f"\n# From {module}\n" + "\n".join(lines) + "\n"


def _is_own(node: ast.ImportFrom, model_modules: tuple[str, ...]) -> bool:
    name = str(node.module)
    return node.level > 0 or name.partition(".")[0] in ("lepton_automl", "__future__") or name in model_modules


def _check_name(folder: Path, name: str, taken: Container[str] = ()) -> None:
    if not is_plain_name(name) or name in {MANIFEST, SIGNATURE} or name in taken:
        raise BundleError(f"{name!r} cannot be the name of a file in a bundle", where=str(folder))


def _write_manifest(folder: Path, content: Mapping[str, bytes], entries: Mapping[str, Any]) -> None:
    """Write the manifest, last and atomically.

    Args:
        folder: The bundle.
        content: Its files.
        entries: The model's operations beyond plain arithmetic, its file name where that is not the usual one, and the files of
            its programs where there are several; empty values are left out.
    """
    files = {name: hashlib.sha256(part).hexdigest() for name, part in sorted(content.items())}
    temporary = folder / f".{MANIFEST}"
    temporary.write_bytes(_json({"format": FORMAT, "files": files} | {key: value for key, value in entries.items() if value}))
    (folder / SIGNATURE).unlink(missing_ok=True)
    temporary.replace(folder / MANIFEST)


def _programs(folder: Path) -> dict[str, bytes]:
    """The content of each program's file, by file name."""
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def _content(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()
