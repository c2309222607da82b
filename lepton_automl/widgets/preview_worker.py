"""Preview data in the background: the kernel stays free, and the search can reuse the prepared data."""

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
from lepton_automl.data.prepare import prepare, shown_name
from lepton_automl.data.preview import DatasetPreview
from lepton_automl.data.preview import preview as preview_dataset
from lepton_automl.data.reading import column_names
from lepton_automl.data.sources import opened
from lepton_automl.errors import DataError, LeptonError
from lepton_automl.specs import DataSpec

from .poller import EVERY
from .sources import Source

Request = tuple[Source, dict[str, Any], Source | None]  # source, options, test data
STALE = 24 * 3600.0  # seconds after which folders that a killed kernel left are removed
PREFIX = "looking-"


@dataclass(frozen=True, eq=False)
class Preview:
    """The preview of a source.

    Args:
        source: The source.
        options: Options of the data, such as target and task.
        columns: The names of all columns of a table.
        spec: The inferred description; None if the data cannot be used.
        dataset: Classes, columns and examples; likewise.
        error: Why the data cannot be used.
        mark: The fingerprints of the source and the test data when they were read.
        test: The separate test data, if any.
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
        """Whether the data have not changed since they were read."""
        return bool(self.mark == _marks(self.source, self.test))


class PreviewWorker:
    """Previews the latest choice in a background thread.

    Args:
        home: Where to prepare the data: the folder of all studies, so that a search can use them without copying.
        tell: Called with the progress as text.
        done: Called with the preview, unless something else was chosen meanwhile.
    """

    def __init__(self, home: Path, tell: Callable[[str], None], done: Callable[[Preview], None]) -> None:
        self._home, self._tell, self._done = home, tell, done
        self._request: Request | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._folders: list[Path] = []
        weakref.finalize(self, _remove, self._folders)  # also at the end of the kernel

    def look(self, source: Source | None, options: dict[str, Any], test: Source | None = None) -> None:
        """Start the preview of a source; it replaces the previous one."""
        with self._lock:
            self._request = (source, options, test) if source else None
            if source and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lepton-preview", daemon=True)
                self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a preview is running."""
        return self._thread is not None

    def close(self) -> None:
        """Stop, and remove the prepared data."""
        self.look(None, {})
        _remove(self._folders)

    def _run(self) -> None:
        done: Any = None
        while True:
            with self._lock:
                request = self._request
                if request is None or request is done:
                    self._thread = None
                    return
            preview = self._make_preview(request)
            if self._request is request:
                self._done(preview)
            done = request

    def _make_preview(self, request: Request) -> Preview:
        (source, options, test), columns = request, tuple[str, ...]()
        try:
            self._tell("reading")
            folder, mark, progress = self._folder(), _marks(source, test), self._progress(request)
            settings = DataOptions(**options).replace(name=shown_name(source.whole))
            with opened(source.whole, test.whole if test else None, settings) as (data, test_data):
                columns = tuple(column_names(data))
                spec = prepare(data, folder / "data", settings, test=test_data, progress=progress)
            return Preview(source, options, columns, spec, preview_dataset(spec), None, mark, test)
        except LeptonError as error:
            return Preview(source, options, columns, error=error)
        except Exception as error:  # any object's own code runs when it is read
            what = f"The data cannot be read: {type(error).__name__}: {error}"
            return Preview(source, options, columns, error=DataError(what, where=source.code))

    def _progress(self, request: object) -> Callable[[int, int], None]:
        last = [0.0]

        def show_progress(done: int, of: int) -> None:
            if self._request is not request:
                raise DataError("the preview was cancelled: other data were chosen")
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
            fix = "Grant write permission, free disk space, or set LEPTON_HOME to another folder."
            raise DataError(f"cannot create a folder: {error.strerror}", where=str(self._home), fix=fix) from error
        self._folders.append(folder)
        return folder


def _marks(source: Source, test: Source | None) -> tuple[Any, Any]:
    return source.mark(), test.mark() if test else None


def _remove(folders: list[Path]) -> None:
    while folders:
        shutil.rmtree(folders.pop(), ignore_errors=True)
