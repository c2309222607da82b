"""Looking at data beside everything else: the kernel stays free, and what was prepared for a look is there for the search."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.data.preview import DatasetPreview
from lepton_automl.data.preview import preview as preview_dataset
from lepton_automl.data.reading import column_names
from lepton_automl.errors import DataError, LeptonError
from lepton_automl.specs import DataSpec

from .poller import EVERY
from .sources import Source

Wanted = tuple[Source, dict[str, Any], Source | None]  # with what is said about it, and test data
STALE = 24 * 3600.0  # seconds after which what a killed kernel left is removed
PREFIX = "looking-"


@dataclass(frozen=True, eq=False)
class Preview:
    """What was found out about a source.

    Args:
        source: The source.
        options: What was said about it.
        columns: The names of all columns of a table.
        spec: What it is; None where it cannot be used.
        dataset: What it looks like; likewise.
        error: Why it cannot be used.
        mark: Of its content when it was read.
        test: The test data, where they are kept apart.
    """

    source: Source
    options: dict[str, Any]
    columns: tuple[str, ...] = ()
    spec: DataSpec | None = None
    dataset: DatasetPreview | None = None
    error: LeptonError | None = None
    mark: Any = None
    test: Source | None = None

    @property
    def fresh(self) -> bool:
        """Whether what was read is still what is there."""
        return bool(self.mark == _marks(self.source, self.test))


class PreviewWorker:
    """One thread that looks at what was chosen last.

    Args:
        home: Where to prepare: the folder of all studies, so that a search can take it over without copying.
        tell: Called with a word on how far it is, while it looks.
        done: Called with what was seen, unless something else was chosen meanwhile.
    """

    def __init__(self, home: Path, tell: Callable[[str], None], done: Callable[[Preview], None]) -> None:
        self._home, self._tell, self._done = home, tell, done
        self._wanted: Wanted | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._folders: list[Path] = []
        weakref.finalize(self, _remove, self._folders)  # also at the end of the kernel

    def look(self, source: Source | None, options: dict[str, Any], test: Source | None = None) -> None:
        """Look at a source; what was looked at before is forgotten."""
        with self._lock:
            self._wanted = (source, options, test) if source else None
            if source and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lepton-looker", daemon=True)
                self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether it looks."""
        return self._thread is not None

    def close(self) -> None:
        """Look no more, and remove what was prepared."""
        self.look(None, {})
        _remove(self._folders)

    def _run(self) -> None:
        done: Any = None
        while True:
            with self._lock:
                wanted = self._wanted
                if wanted is None or wanted is done:
                    self._thread = None
                    return
            preview = self._make_preview(wanted)
            if self._wanted is wanted:
                self._done(preview)
            done = wanted

    def _make_preview(self, wanted: Wanted) -> Preview:
        (source, options, test), columns = wanted, tuple[str, ...]()
        try:
            self._tell("reading")
            columns = tuple(column_names(source.whole))
            folder, mark, sealed = self._folder(), _marks(source, test), test.whole if test else None
            progress = self._progress(wanted)
            spec = prepare(source.whole, folder / "data", DataOptions(**options), test=sealed, progress=progress)
            return Preview(source, options, columns, spec, preview_dataset(spec), None, mark, test)
        except LeptonError as error:
            return Preview(source, options, columns, error=error)
        except Exception as error:  # what a stranger's object raises when it is read
            what = f"The data cannot be read: {type(error).__name__}: {error}"
            return Preview(source, options, columns, error=DataError(what, where=source.code))

    def _progress(self, wanted: object) -> Callable[[int, int], None]:
        last = [0.0]

        def show_progress(done: int, of: int) -> None:
            if self._wanted is not wanted:
                raise DataError("other data were chosen")
            if time.monotonic() > last[0] + EVERY:
                last[0] = time.monotonic()
                self._tell(f"{done:,} of {of:,} images")

        return show_progress

    def _folder(self) -> Path:
        _remove(self._folders)
        for left in self._home.glob(f"{PREFIX}*"):
            if left.stat().st_mtime < time.time() - STALE:
                shutil.rmtree(left, ignore_errors=True)
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._home))
        except OSError as error:
            fix = "Give write permission, make room, or choose another folder by LEPTON_HOME."
            raise DataError(f"cannot make a folder: {error.strerror}", where=str(self._home), fix=fix) from error
        self._folders.append(folder)
        return folder


def _marks(source: Source, test: Source | None) -> tuple[Any, Any]:
    return source.mark(), test.mark() if test else None


def _remove(folders: list[Path]) -> None:
    while folders:
        shutil.rmtree(folders.pop(), ignore_errors=True)
