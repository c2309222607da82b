"""Files and folders at a URL, which are downloaded first; see fsspec's documentation for the kinds of addresses."""

from __future__ import annotations

import re
import shutil
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from lepton_automl.errors import DataError, ExtraError, in_one_line
from lepton_automl.source import ReadRequest, shown_url

URL = re.compile(r"[a-z][a-z0-9+.-]*(::[a-z][a-z0-9+.-]*)*://\S", re.IGNORECASE)
DISK_SHARE = 0.9  # of the free disk space, at most, for a download
CHUNK = 1 << 20
WEB = ("http", "https")  # its folders are pages


class RemoteReader:
    """Downloads what a URL names."""

    name = "url"
    accepts = "a URL, such as https://... or s3://..."

    def recognize(self, source: Any, request: ReadRequest) -> bool:
        """Whether it is a text that begins like a URL, or such a path object."""
        del request
        text = _text(source)
        return text is not None and bool(URL.match(text))

    def read(self, source: Any, request: ReadRequest) -> Path:
        """The path of the downloaded file or folder.

        Raises:
            DataError: There is nothing at this address, it cannot be read, or it is larger than the free disk.
            ExtraError: The package for this kind of address is not installed.
        """
        url = str(_text(source))
        shown = shown_url(url)
        scheme = url.partition(":")[0].lower()
        try:
            from fsspec.core import url_to_fs

            files, inside = url_to_fs(url)
            is_folder = files.isdir(inside) if scheme not in WEB else shown.endswith("/")
            if scheme in WEB and is_folder:
                fix = "Give the address of one file, such as https://example.com/photos.zip."
                raise DataError("a web page is not a folder whose files can be listed", where=shown, fix=fix)
            name = PurePosixPath(urlsplit(url).path).name or PurePosixPath(inside).name or "data"
            target = request.folder / name
            return _folder(files, inside, target, shown) if is_folder else _file(files, inside, target, shown)
        except (DataError, ExtraError):
            raise
        except ImportError as error:
            fix = 'pip install "lepton-automl[remote]", or the package that the message names.'
            raise ExtraError(f"{scheme}:// cannot be read: {in_one_line(error)}", where=shown, fix=fix) from error
        except FileNotFoundError as error:
            what = "there is no such file or folder, or it cannot be reached"
            raise DataError(what, where=shown, fix="Check the address.") from error
        except ValueError as error:
            fix = "Give a URL that fsspec knows, such as https:// or s3://; for a database pass sql= and connection=."
            raise DataError(f"it cannot be read: {in_one_line(error)}", where=shown, fix=fix) from error
        except Exception as error:  # every kind of address has its own errors
            fix = "Check the address and your rights to read it."
            raise DataError(
                f"it cannot be downloaded: {_without(in_one_line(error), url, shown)}", where=shown, fix=fix
            ) from error


def _text(source: Any) -> str | None:
    """The address of a text, or of a path object for URLs."""
    if isinstance(source, str):
        return source
    if type(source).__module__.startswith("upath"):
        return str(source)
    return None


def _without(text: str, url: str, shown: str) -> str:
    return text.replace(url, shown) if url in text else re.sub(r"\?\S*", "", text)


def _file(files: Any, inside: str, target: Path, shown: str) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    room = int(DISK_SHARE * shutil.disk_usage(target.parent).free)
    with files.open(inside, "rb") as remote, target.open("wb") as local:
        written = 0
        while part := remote.read(CHUNK):
            written += len(part)
            if written > room:
                what = f"it needs more than the {room / 1e9:,.1f} GB that may be downloaded to {target.parent}"
                raise DataError(what, where=shown, fix="Make room on the disk, or set TMPDIR to a folder on a larger one.")
            local.write(part)
    return target


def _folder(files: Any, inside: str, target: Path, shown: str) -> Path:
    found = {name: facts for name, facts in files.find(inside, detail=True).items() if facts.get("type") != "directory"}
    if not found:
        raise DataError("the folder is empty", where=shown, fix="Check the address.")
    room, size = DISK_SHARE * shutil.disk_usage(target.parent).free, sum(facts.get("size") or 0 for facts in found.values())
    if size > room:
        what = (
            f"its {len(found):,} files have {size / 1e9:,.1f} GB, and {room / 1e9:,.1f} GB may be downloaded to {target.parent}"
        )
        raise DataError(what, where=shown, fix="Make room on the disk, or set TMPDIR to a folder on a larger one.")
    above = inside.rstrip("/")
    for name in found:
        relative = PurePosixPath(name.removeprefix(above).lstrip("/"))
        if ".." in relative.parts or relative.is_absolute():
            raise DataError(f"it holds a path that leads out of it: {name!r}", where=shown, fix="Do not trust this folder.")
        _file(files, name, target / relative, shown)
    return target
