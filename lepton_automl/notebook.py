"""The notebook's form to set up a search, over the requests of `api`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .api import AutoML
from .errors import ExtraError
from .fit_call import FitCall
from .study_store import StudyStore

if TYPE_CHECKING:
    from .fit_call import Ready
    from .study.study import Study
    from .widgets.builder import Builder


class _PreparedRequest:
    """A request whose data the form may already have prepared for its preview.

    Args:
        ready: The prepared data and the options that were used; None if nothing is prepared.
        **settings: As for `AutoML`.
    """

    def __init__(self, ready: Ready | None, **settings: Any) -> None:
        self._request, self._ready = AutoML(**settings, progress=False), ready

    def fit(self, data: Any, y: Any = None, *, test: Any = None, wait: bool | None = None, **options: Any) -> Study:
        """As `AutoML.fit`."""
        return FitCall(self._request, wait=wait, ready=self._ready).run(data, y, test, options)


def builder(names: Mapping[str, Any] | None = None, *, home: str | Path | None = None) -> Builder:
    """A notebook form to set up and start a search: it shows what it detects in the data and prints the equivalent Python code.

    Args:
        names: Variables to offer as data; by default those of the notebook.
        home: The folder of all studies; by default `$LEPTON_HOME`, else `mlruns`.

    Returns:
        A widget; its `study` is the study that it started.

    Raises:
        ExtraError: The packages for notebooks are not installed.

    Example:
        >>> lepton_automl.builder()  # doctest: +SKIP
    """
    try:
        from .widgets.builder import Builder
    except ImportError as error:
        fix = 'pip install "lepton-automl[notebook]"; AutoML(...).fit(...) works without it.'
        raise ExtraError(f"the builder needs {error.name}", where="builder", fix=fix) from error
    return Builder(_PreparedRequest, names, StudyStore(home), {} if home is None else {"home": str(home)})
