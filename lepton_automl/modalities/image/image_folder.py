"""Find the images in a folder, zip or tar, and their labels; nothing is decoded."""

from __future__ import annotations

import io
import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from lepton_automl.data.options import DataOptions
from lepton_automl.data.reading import is_table_path, read_table
from lepton_automl.errors import DataError, InputError
from lepton_automl.modalities.image.preprocess.pixels import UNSUPPORTED_FORMATS

from .folder_layout import Picture, arrange, files_under, has_classes
from .label_file import labelled_by_table
from .options import image_options

LARGEST_FILE = 256 << 20  # bytes of one image
LARGEST_TAR = 4 << 30  # bytes of all its files
TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


@dataclass(frozen=True)
class Album:
    """The images of a source.

    Args:
        where: The source.
        pictures: The images in the order of their paths.
        open: Opens an image by its path.
        notes: How the folders were interpreted, and how many files are not images.
        warnings: What was left out.
    """

    where: str
    pictures: list[Picture]
    open: Callable[[str], Any]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@contextmanager
def album(source: Path, options: DataOptions) -> Iterator[Album]:
    """The images of a folder, or of a zip or tar archive of one.

    Args:
        source: The folder, zip or tar.
        options: `split` sets which folders are splits, `target` which column of a table next to the images is the label.

    Raises:
        DataError: There are none, they are not in one folder per class, or the archive is damaged or unsafe.
        ConfigError: `split` does not fit the folders.
    """
    if source.is_dir():
        names, dead = files_under(source)
        yield _album(source, names, lambda name: source / name, options, dead)
        return
    if source.suffix.lower() != ".zip":
        contents, links = _unpacked(source)
        _check_paths(contents, source)
        yield _album(source, sorted(contents), lambda name: io.BytesIO(contents[name]), options, links)
        return
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(
            f"the zip cannot be read: {error}", where=str(source), fix="Check that the file is complete."
        ) from error
    with archive:
        members = {item.filename: item for item in archive.infolist() if not item.is_dir()}
        _check_paths(members, source)
        links = [name for name, item in members.items() if stat.S_ISLNK(item.external_attr >> 16)]
        yield _album(source, sorted(members), lambda name: _member(archive, members[name]), options, links)


def _check_paths(names: Iterable[str], source: Path) -> None:
    """Reject paths that lead out of an archive. Nothing is unpacked to disk, but such an archive is likely to be malicious."""
    unsafe = [name for name in names if name.startswith(("/", "\\")) or ".." in PurePosixPath(name.replace("\\", "/")).parts]
    if unsafe:
        fix = "Do not trust this file; pack the folder again."
        raise DataError(f"it holds a path that leads out of it: {unsafe[0]!r}", where=str(source), fix=fix)


def _unpacked(source: Path) -> tuple[dict[str, bytes], list[str]]:
    """The files of a tar by path, in memory, as a compressed tar can only be read from its beginning; and its symbolic links."""
    contents: dict[str, bytes] = {}
    links: list[str] = []
    size = 0
    try:
        with tarfile.open(source) as archive:
            for item in archive:
                if item.issym():
                    links.append(item.name)
                file = archive.extractfile(item) if item.isfile() or item.islnk() else None
                size += item.size
                if size > LARGEST_TAR:
                    fix = "Unpack it and give the folder, or pack it as a zip."
                    raise DataError(f"it unpacks to more than {LARGEST_TAR >> 30} GiB", where=str(source), fix=fix)
                if file is not None:
                    contents[item.name] = file.read()
    except (tarfile.TarError, lzma.LZMAError, zlib.error, OSError, EOFError) as error:
        raise DataError(
            f"the tar cannot be read: {error}", where=str(source), fix="Check that the file is complete."
        ) from error
    return contents, links


def _member(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> io.BytesIO:
    if item.file_size > LARGEST_FILE:
        raise InputError(f"{item.filename!r} unpacks to {item.file_size >> 20} MiB")
    try:
        return io.BytesIO(archive.read(item))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:  # damaged, encrypted, unknown method
        raise InputError(f"{item.filename!r} cannot be unpacked: {error}") from None


def _album(source: Path, names: list[str], opener: Callable[[str], Any], options: DataOptions, links: list[str]) -> Album:
    from PIL import Image

    split = image_options(options).split

    Image.init()
    endings = {ending for ending, kind in Image.EXTENSION.items() if kind in Image.OPEN and kind not in UNSUPPORTED_FORMATS}
    visible = [name for name in names if not _hidden(name)]
    chosen = [name for name in visible if PurePosixPath(name).suffix.lower() in endings]
    if not chosen:
        content = f"it holds {len(visible):,} other files" if visible else "it is empty"
        fix = "Give a folder (or a zip) with one folder of images per class, such as photos/cat/1.jpg."
        raise DataError(f"there are no images: {content}", where=str(source), fix=fix)
    arrangement = None
    tables = [name for name in visible if is_table_path(Path(name)) and not name.lower().endswith(".txt")]  # a readme
    if tables and not split and not has_classes(chosen):
        readers = {name: partial(_table, opener, name) for name in tables}
        arrangement = labelled_by_table(chosen, readers, str(source), options.target)
        if arrangement is None:
            beside = f", next to a column {options.target!r}" if options.target else ""
            raise DataError(
                f"no column of {', '.join(tables)} names the images, such as {chosen[0]!r}{beside}",
                where=str(source),
                fix="Add a column with file names and one with labels, or put each image into a folder named after its class.",
            )
    others = len(visible) - len(chosen) - (arrangement is not None)
    arrangement = arrangement or arrange(chosen, str(source), split=split)
    notes = (*arrangement.notes, f"{others:,} files that are not images are left out") if others else arrangement.notes
    return Album(str(source), arrangement.pictures, opener, notes, (*arrangement.warnings, *_dead(links, source)))


def _table(opener: Callable[[str], Any], name: str) -> Any:
    """A table of the source as a DataFrame."""
    file = opener(name)
    if isinstance(file, Path):
        return read_table(file)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PurePosixPath(name).name
        path.write_bytes(file.getvalue())
        return read_table(path)


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def _dead(links: list[str], source: Path) -> list[str]:
    """A warning about links that were not followed."""
    visible = [link for link in links if not _hidden(link)]
    why = "are broken or lead back to a folder that contains them" if source.is_dir() else "are not followed in an archive"
    return [f"{len(visible):,} links {why}, and are left out, such as {visible[0]!r}"] if visible else []
