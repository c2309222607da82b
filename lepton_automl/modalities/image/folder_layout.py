"""Infer the classes and splits of images from their folders; links are followed."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lepton_automl.data.splits import OPEN, TEST, TRAIN, VALIDATION
from lepton_automl.errors import ConfigError, DataError, did_you_mean

ROLES = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
_NAMES = {
    TRAIN: ("train", "training", "trn"),
    VALIDATION: ("val", "valid", "validation", "validate", "dev"),
    TEST: ("test", "testing", "tst"),
}
_ROLE_OF = {name: role for role, names in _NAMES.items() for name in names}
_WORD = re.compile(r"[a-z]+|[0-9]+")
_NOISE = ("set", "split", "data", "images", "imgs")  # "trainset" and "test_images" are splits, too
EXAMPLE = "such as photos/cat/1.jpg"


@dataclass(frozen=True)
class Picture:
    """An image that has not been opened.

    Args:
        path: Path within the source.
        label: Its class, or the label that a table gives it.
        role: Its split, or OPEN.
    """

    path: str
    label: Any
    role: int


@dataclass(frozen=True)
class Arrangement:
    """The images that are used, with their classes and splits.

    Args:
        pictures: The images in the order of their paths.
        notes: How the folders were interpreted.
        warnings: What was left out.
    """

    pictures: list[Picture]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def files_under(folder: Path) -> tuple[list[str], list[str]]:
    """All files below a folder, as sorted paths within it; links to folders are followed, but never in a cycle.

    Returns:
        The files, and the links that are broken or lead back to a folder that contains them.

    Raises:
        DataError: A folder cannot be read.
    """
    files: list[str] = []
    dead: list[str] = []

    def walk(inside: Path, above: frozenset[str]) -> None:
        try:
            entries = sorted(os.scandir(inside), key=lambda item: item.name)
        except OSError as error:
            raise DataError(f"it cannot be read: {error.strerror}", where=str(inside), fix="Check its permissions.") from error
        for entry in entries:
            name = Path(entry.path).relative_to(folder).as_posix()
            if entry.is_dir():
                real = os.path.realpath(entry.path)
                if real in above:
                    dead.append(name)
                else:
                    walk(Path(entry.path), above | {real})
            elif entry.is_file():
                files.append(name)
            elif entry.is_symlink():
                dead.append(name)

    walk(folder, frozenset({os.path.realpath(folder)}))
    return sorted(files), sorted(dead)


def split_of(name: str) -> tuple[int, str] | None:
    """The split that a folder's name means, and the rest of the name: `"seg_train"` gives (TRAIN, "seg").

    None if the name means no split, or two.
    """
    words = _WORD.findall(name.lower())
    roles, rest = set(), []
    for word in words:
        bare = next((word.removesuffix(end) for end in _NOISE if word != end and word.removesuffix(end) in _ROLE_OF), word)
        if bare in _ROLE_OF:
            roles.add(_ROLE_OF[bare])
        elif word not in _NOISE:
            rest.append(word)
    return (roles.pop(), " ".join(rest)) if len(roles) == 1 else None


def arrange(names: Sequence[str], source: str, *, split: bool | Mapping[str, str] | None = None) -> Arrangement:
    """Classes and splits of images, from their paths.

    The folders directly inside the source are splits if each has a split's name (`train`, `Testing`, `valid`, `seg_test`;
    one folder of images without classes may have any name) and those that contain class folders share classes. Otherwise they
    are classes, which may contain the splits (`cat/train/1.jpg`).

    Args:
        names: Paths of the images within the source; not empty.
        source: The source, for messages.
        split: None to decide by the names; False if every folder is a class; or the split of each folder by its name:
            `{"Part1": "train", "Part2": "test"}` (`"train"`, `"validation"` or `"test"`).

    Raises:
        DataError: Images are in no class folder, or folders named like splits share no class.
        ConfigError: `split` names a folder that does not exist.
    """
    paths = _without_wrapping([PurePosixPath(name).parts for name in names])
    loose = [name for name, path in zip(names, paths, strict=True) if len(path) < 2]
    if loose:
        fix = f"Put each image into a folder named after its class, {EXAMPLE}, or add a table with file names and labels."
        raise DataError(f"{len(loose):,} images are in no class folder, {_such_as(loose)}", where=source, fix=fix)
    roles = _roles_by_option(split, paths, source) if split else {} if split is False else _inferred(paths, source)
    if roles:
        return _by_split(names, paths, roles, source)
    nested = None if split is False else _nested(paths)
    if nested:
        pictures = [Picture(name, path[0], nested[path[1]]) for name, path in zip(names, paths, strict=True)]
        return Arrangement(pictures, (f"the folders in each class are the splits: {_role_list(nested)}",))
    warnings = () if split is False else _alike_inside(paths)
    return Arrangement([Picture(name, path[0], OPEN) for name, path in zip(names, paths, strict=True)], warnings=warnings)


def _alike_inside(paths: list[tuple[str, ...]]) -> tuple[str, ...]:
    """A warning if the folders that are used as classes all contain the same folders, as splits would."""
    inside = {name: folders for name, folders in _classes(_inner(paths)).items() if folders}
    if len(inside) < 2 or len({path[0] for path in paths}) > len(inside) + 1:
        return ()
    shared = sorted(set.intersection(*inside.values()))
    if len(shared) < 2:
        return ()
    these = ", ".join(sorted(inside))
    alike = f"the folders {these} are used as classes, but contain the same folders ({', '.join(shared[:3])})"
    return (f'{alike}: if they are splits, set split={{"{min(inside)}": "train", ...}}; if not, set split=False',)


def has_classes(names: Sequence[str]) -> bool:
    """Whether images are in folders that may be classes: more than one, and not only splits."""
    paths = _without_wrapping([PurePosixPath(name).parts for name in names])
    flat = all(len(path) < 3 for path in paths)
    top = {path[0] for path in paths if len(path) > 1}
    return len(top) > 1 and not (flat and all(name.lower() in _ROLE_OF for name in top))


def _without_wrapping(parts: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The paths without outer folders that contain all others, as archives often have."""
    skip = 0
    while len({path[skip] for path in parts}) == 1 and min(map(len, parts)) > skip + 2:
        skip += 1
    return [path[skip:] for path in parts]


def _such_as(names: Sequence[str]) -> str:
    return f"such as {names[0]!r}"


def _roles_by_option(split: bool | Mapping[str, str], paths: list[tuple[str, ...]], source: str) -> dict[str, int]:  # noqa: FBT001  # as in `arrange`
    if not isinstance(split, Mapping):
        raise ConfigError(f"split is {split!r}", where="split", fix='Give False, or {"folder": "train", ...}.')
    top = sorted({path[0] for path in paths})
    unknown = [name for name in split if name not in top]
    if unknown:
        fix = f"Folders in {source}: {', '.join(top)}.{did_you_mean(unknown[0], top)}"
        raise ConfigError(f"there is no folder {unknown[0]!r} with images", where="split", fix=fix)
    return {name: ROLES[role] for name, role in split.items()}


def _classes(paths: list[tuple[str, ...]]) -> dict[str, set[str]]:
    """The class folders in each top folder; empty if all its images are directly in it."""
    folders: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        folders[path[0]] |= {path[1]} if len(path) > 2 else set()
    return dict(folders)


def _inferred(paths: list[tuple[str, ...]], source: str) -> dict[str, int]:
    """The top folders that are splits; empty if they are classes.

    Raises:
        DataError: They are named like splits, but cannot be splits.
    """
    classes = _classes(_inner(paths))
    meanings = {name: split_of(name) for name in classes}
    labelled = {name for name in classes if classes[name]}
    exact = all(name.lower() in _ROLE_OF for name in classes)
    fix = (
        'Put class folders into them, name splits with split={"FOLDER": "train", ...}, or set split=False if they are classes.'
    )
    if exact and len(classes) > 1 and not labelled:
        what = f"the folders {', '.join(sorted(classes))} are named like splits, but contain no class folders"
        raise DataError(what, where=source, fix=fix)
    named = {name: meaning for name, meaning in meanings.items() if meaning}
    unnamed = [name for name in classes if name not in named]
    if not labelled or not labelled <= set(named) or len(unnamed) > 1:
        return {}
    if len({rest for _, rest in named.values()}) > 1 or len(classes) < 2:
        return {}  # bullet_train and test_tube are classes
    first, *rest = sorted(labelled)
    if any(not classes[name] & classes[first] for name in rest):
        if not exact:
            return {}
        what = f"the folders {', '.join(sorted(labelled))} are named like splits, but share no class"
        raise DataError(what, where=source, fix=fix)
    return {name: named[name][0] for name in labelled}


def _inner(paths: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Drop a second folder that holds its whole top folder, as in `seg_train/seg_train/CLASS` or `train/images/CLASS`."""
    top: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for path in paths:
        top[path[0]].append(path)
    deep = {name: inside for name, inside in top.items() if all(len(path) > 2 for path in inside)}
    wrapped = {name for name, inside in deep.items() if len({path[1] for path in inside}) == 1}
    again = {
        name
        for name in wrapped
        if deep[name][0][1].lower() == name.lower() or split_of(deep[name][0][1]) == split_of(name) is not None
    }
    if deep and wrapped == set(deep) and all(len(path) > 3 for inside in deep.values() for path in inside):
        again = wrapped
    return [(path[0], *path[2:]) if path[0] in again else path for path in paths]


def _by_split(names: Sequence[str], paths: list[tuple[str, ...]], roles: dict[str, int], source: str) -> Arrangement:
    """The images of the splits; those without a class or outside of the splits are left out."""
    pictures: list[Picture] = []
    left: dict[str, int] = defaultdict(int)
    for name, path in zip(names, _inner(paths), strict=True):
        if path[0] in roles and len(path) > 2:
            pictures.append(Picture(name, path[1], roles[path[0]]))
        else:
            left[path[0]] += 1
    if not pictures:
        fix = f"Put class folders into them, such as {next(iter(roles))}/cat/1.jpg."
        raise DataError("there are no class folders in the splits", where=source, fix=fix)
    warnings = [
        f"{count:,} images of {folder!r} have no class or are in no split, and are left out" for folder, count in left.items()
    ]
    return Arrangement(
        pictures, (f"the folders are splits: {_role_list(roles)} (split=False if they are classes)",), tuple(warnings)
    )


def _nested(paths: list[tuple[str, ...]]) -> dict[str, int]:
    """The splits inside class folders, by name; empty if there are none."""
    if any(len(path) < 3 for path in paths):
        return {}
    roles = {name: _ROLE_OF.get(name.lower()) for name in {path[1] for path in paths}}
    known = {name: role for name, role in roles.items() if role is not None}
    return known if len(known) == len(roles) and len(set(known.values())) > 1 and len({path[0] for path in paths}) > 1 else {}


def _role_list(roles: Mapping[str, int]) -> str:
    names = {role: name for name, role in ROLES.items()}
    return ", ".join(f"{folder} is {names[role]}" for folder, role in sorted(roles.items()))
