"""Image folders and zips: which pictures there are, what they are of, and their pixels, decoded once."""

from __future__ import annotations

import io
import lzma
import os
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import DataError
from lepton_automl.preprocess import NO_PICTURES, InputError, read_image

from .options import DataOptions
from .splits import OPEN, TEST, TRAIN, VALIDATION

Array = NDArray[Any]
Progress = Callable[[int, int], None]
SPLIT_FOLDERS = {"train": TRAIN, "training": TRAIN, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "test": TEST}  # fmt: skip
LARGEST_COMMON = 224  # pixels a side: pictures of one size up to this keep it
MOSTLY = 0.9  # share of pictures of one size that makes it the common size
USUAL_SIDE = 128  # pixels of the longer side where sizes differ, or are larger
MOST_DAMAGED = 0.05  # share of pictures that may be damaged before it is an error
LARGEST_FILE = 256 << 20  # bytes of one picture
LARGEST_TAR = 4 << 30  # bytes of all its files
TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
IN_MEMORY = 1 << 29  # bytes of pixels; more are decoded into a file


@dataclass(frozen=True)
class Picture:
    """One picture that has not been opened.

    Args:
        path: Within the source.
        label: Its class.
        role: The split that its folder says, or OPEN.
    """

    path: str
    label: str
    role: int


@dataclass(frozen=True)
class Album:
    """The pictures of a source.

    Args:
        where: The source.
        pictures: In the order of their paths.
        open: Opens one by its path.
        others: Files that are no pictures by their names.
    """

    where: str
    pictures: list[Picture]
    open: Callable[[str], Any]
    others: int


@contextmanager
def album(source: Path) -> Iterator[Album]:
    """The pictures of an image folder, or of a zip or tar of one.

    Raises:
        DataError: There are none, they do not lie in one folder a class, or the zip is damaged or unsafe.
    """
    if source.is_dir():
        names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
        yield _album(source, names, lambda name: source / name)
        return
    if source.suffix.lower() != ".zip":
        contents = _unpacked(source)
        _check_paths(contents, source)
        yield _album(source, sorted(contents), lambda name: io.BytesIO(contents[name]))
        return
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"the zip cannot be read: {error}", where=str(source), fix="Check that the file is whole.") from error
    with archive:
        members = {item.filename: item for item in archive.infolist() if not item.is_dir()}
        _check_paths(members, source)
        yield _album(source, sorted(members), lambda name: _member(archive, members[name]))


def _check_paths(names: Iterable[str], source: Path) -> None:
    """Nothing is ever unpacked to disk; still, whoever packs such paths means harm."""
    unsafe = [name for name in names if name.startswith(("/", "\\")) or ".." in PurePosixPath(name.replace("\\", "/")).parts]
    if unsafe:
        fix = "Do not trust this file; pack the folder again."
        raise DataError(f"it holds a path that leads out of it: {unsafe[0]!r}", where=str(source), fix=fix)


def _unpacked(source: Path) -> dict[str, bytes]:
    """The files of a tar by path, in memory: a compressed tar can only be read from its beginning."""
    found: dict[str, bytes] = {}
    size = 0
    try:
        with tarfile.open(source) as archive:
            for item in archive:
                file = archive.extractfile(item) if item.isfile() else None
                size += item.size
                if size > LARGEST_TAR:
                    fix = "Unpack it and give the folder, or pack it as a zip."
                    raise DataError(f"it unpacks to more than {LARGEST_TAR >> 30} GiB", where=str(source), fix=fix)
                if file is not None:
                    found[item.name] = file.read()
    except (tarfile.TarError, lzma.LZMAError, zlib.error, OSError, EOFError) as error:
        raise DataError(f"the tar cannot be read: {error}", where=str(source), fix="Check that the file is whole.") from error
    return found


def _member(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> io.BytesIO:
    if item.file_size > LARGEST_FILE:
        raise InputError(f"{item.filename!r} unpacks to {item.file_size >> 20} MiB")
    try:
        return io.BytesIO(archive.read(item))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:  # damaged, encrypted, unknown method
        raise InputError(f"{item.filename!r} cannot be unpacked: {error}") from None


def _album(source: Path, names: list[str], opener: Callable[[str], Any]) -> Album:
    from PIL import Image

    Image.init()
    endings = {ending for ending, kind in Image.EXTENSION.items() if kind in Image.OPEN and kind not in NO_PICTURES}
    visible = [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)]
    chosen = [name for name in visible if PurePosixPath(name).suffix.lower() in endings]
    if not chosen:
        held = f"it holds {len(visible):,} other files" if visible else "it is empty"
        fix = "Give a folder (or a zip) with one folder of pictures a class, such as photos/cat/1.jpg."
        raise DataError(f"there are no pictures: {held}", where=str(source), fix=fix)
    return Album(str(source), _labelled(chosen, str(source)), opener, len(visible) - len(chosen))


def _labelled(names: list[str], where: str) -> list[Picture]:
    parts = [PurePosixPath(name).parts for name in names]
    skip = 0
    while len({path[skip] for path in parts}) == 1 and min(map(len, parts)) > skip + 2:
        skip += 1  # a folder around all others, as zips have
    paths = [path[skip:] for path in parts]
    loose = [name for name, path in zip(names, paths, strict=True) if len(path) < 2]
    if loose:
        fix = "Put each picture into a folder named after its class, such as photos/cat/1.jpg."
        raise DataError(f"{len(loose):,} pictures lie in no class folder, such as {loose[0]!r}", where=where, fix=fix)
    first = {path[0].lower() for path in paths}
    if first <= set(SPLIT_FOLDERS) and len(first) > 1 and all(len(path) > 2 for path in paths):
        return [Picture(name, path[1], SPLIT_FOLDERS[path[0].lower()]) for name, path in zip(names, paths, strict=True)]
    return [Picture(name, path[0], OPEN) for name, path in zip(names, paths, strict=True)]


@dataclass(frozen=True)
class Look:
    """What the headers of pictures tell: sizes as (height, width), whether grey, and what cannot be opened."""

    sizes: Counter[tuple[int, int]]
    grey: int
    colour: int
    damaged: dict[int, str]


def look(found: Album) -> Look:
    """Read every picture's header."""
    sizes: Counter[tuple[int, int]] = Counter()
    grey = colour = 0
    damaged: dict[int, str] = {}
    with ThreadPoolExecutor(_threads()) as pool:
        for at, seen in enumerate(pool.map(lambda picture: _header(found, picture), found.pictures)):
            if isinstance(seen, str):
                damaged[at] = seen
                continue
            size, is_grey = seen
            sizes[size] += 1
            grey, colour = grey + is_grey, colour + (not is_grey)
    return Look(sizes, grey, colour, damaged)


def _header(found: Album, picture: Picture) -> tuple[tuple[int, int], bool] | str:
    from PIL import Image

    try:
        with Image.open(found.open(picture.path)) as image:
            width, height = image.size
            return (height, width), image.mode in ("1", "L", "LA", "I", "F") or image.mode.startswith("I;")
    except Exception as error:  # whatever a damaged file makes a decoder raise, it is about this file alone
        return str(error)


def _threads() -> int:
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def choose_shape(seen: Look, options: DataOptions) -> tuple[tuple[int, int, int], list[str]]:
    """(channels, height, width) for the network, and why."""
    notes = []
    if seen.grey and seen.colour:
        notes.append(f"{seen.grey:,} pictures are grey and {seen.colour:,} in colour: all are taken as RGB")
    channels = options.channels or (3 if seen.colour else 1)
    if options.image_size:
        return (channels, *options.image_size), notes
    (height, width), many = seen.sizes.most_common(1)[0]
    if many >= MOSTLY * seen.sizes.total() and max(height, width) <= LARGEST_COMMON:
        few = seen.sizes.total() - many
        notes.append(f"the pictures are {height}x{width} pixels" + (f", but for {few:,} that are brought to it" if few else ""))
        return (channels, height, width), notes
    if len(seen.sizes) > 1:
        every = list(seen.sizes.elements())
        height, width = round(median(size[0] for size in every)), round(median(size[1] for size in every))
    scale = min(1.0, USUAL_SIDE / max(height, width))
    height, width = (max(8, round(side * scale / 8) * 8) for side in (height, width))
    differing = f"sizes differ ({len(seen.sizes):,} of them)" if len(seen.sizes) > 1 else "the pictures are large"
    notes.append(f"{differing}: all are brought to {height}x{width} pixels (set image_size to choose)")
    return (channels, height, width), notes


def decode_all(
    found: Album, damaged: dict[int, str], shape: tuple[int, int, int], folder: Path, progress: Progress | None
) -> tuple[Array, Array, dict[int, str]]:
    """Decode every picture once.

    Args:
        found: The pictures.
        damaged: What is known to be damaged, by index.
        shape: (channels, height, width).
        folder: For a file of the pixels where they are many.
        progress: Told how many of how many are done.

    Returns:
        Pixels uint8 [N, C, H, W] of the good pictures, their indices in the album, and the damaged ones.

    Raises:
        DataError: More than 5 % are damaged; some are named.
    """
    pixels = room_for((len(found.pictures), *shape), folder)
    damaged = dict(damaged)

    def decode_one(at: int) -> str:
        try:
            pixels[at] = read_image(found.open(found.pictures[at].path), shape)
        except InputError as error:
            return str(error)
        except Exception as error:  # as in _header
            return f"{type(error).__name__}: {error}"
        return ""

    todo = [at for at in range(len(found.pictures)) if at not in damaged]
    with ThreadPoolExecutor(_threads()) as pool:
        for done, (at, problem) in enumerate(zip(todo, pool.map(decode_one, todo), strict=True), 1):
            if problem:
                damaged[at] = problem
            if progress and (done % 64 == 0 or done == len(todo)):
                progress(done, len(todo))
    if len(damaged) > MOST_DAMAGED * len(found.pictures):
        fix = "Restore or remove these files."
        raise DataError(
            f"{len(damaged):,} of {len(found.pictures):,} pictures cannot be read: {listed(found, damaged)}",
            where=found.where,
            fix=fix,
        )
    good = np.array([at for at in todo if at not in damaged], np.int64)
    return pixels, good, damaged


def listed(found: Album, damaged: dict[int, str]) -> str:
    """The first few damaged pictures by path."""
    first = [repr(found.pictures[at].path) for at in sorted(damaged)[:5]]
    return ", ".join(first) + (f" and {len(damaged) - 5:,} more" if len(damaged) > 5 else "")


def room_for(shape: tuple[int, ...], folder: Path) -> Array:
    """An array for pixels: in memory where they are few, else in a file whose room is claimed beforehand.

    Raises:
        OSError: The disk is full. (Writing to a memory map of a full disk would end the process.)
    """
    size = int(np.prod(shape))
    if size <= IN_MEMORY:
        return np.empty(shape, np.uint8)
    path = folder / "decoded.tmp"
    with open(path, "wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
    pixels = np.memmap(path, np.uint8, "r+", shape=shape)
    path.unlink()  # the map keeps it alive for as long as it is needed, and no longer
    return pixels
