"""What a call of `AutoML.fit` does: it prepares the data and starts the study's process."""

from __future__ import annotations

import contextlib
import shutil
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .configure import study_config
from .data.options import DataOptions, options_for_metric
from .specs import DataSpec
from .stored_query import stored_query
from .study.commands import command
from .study.study import Study
from .study_store import JOURNAL, TEACHER_FILE, StudyStore
from .tracking.experiments import check_experiment
from .tracking.tracking_uri import requested_tracking
from .trust import remember
from .validate import check_search, data_options, name_of

if TYPE_CHECKING:
    from .api import AutoML

    Ready = tuple[DataSpec, DataOptions]

WEIGHT_COLUMN = "sample_weight"  # of weights that are given as an array


class FitCall:
    """One call of `fit`: prepares the data, starts the study's process, and waits for it if requested.

    Args:
        request: The request.
        wait: Whether to wait for the study's end; None for yes, except in a notebook.
        ready: Data that the notebook's form has already prepared for its preview, and the options that it used.
    """

    def __init__(self, request: AutoML, *, wait: bool | None = None, ready: Ready | None = None) -> None:
        from .study.interrupts import in_notebook

        self._request, self._ready, self._called = request, ready, time.time()
        self._waits = not in_notebook() if wait is None else wait
        self._home = StudyStore(request.home)

    def run(self, data: Any, y: Any, test: Any, options: dict[str, Any], *, resume: bool = False, trust: bool = False) -> Study:
        """Start the study, or with `resume` continue one."""
        from .study.interrupts import ending

        with ending() if self._waits else contextlib.nullcontext():
            name = self._request.name or name_of(data)
            study = self._resumed(name, trust=trust) if resume else None
            return self._attend(study or self._started(data, y, test, options))

    def _started(self, data: Any, y: Any, test: Any, options: dict[str, Any]) -> Study:
        """Start a new study in a separate process; on failure, remove its folder."""
        from .study import launch
        from .study.given_teacher import save_answers

        request, home = self._request, self._home
        if not isinstance(weights := options.get("sample_weight"), str | None):
            from .data.reading import with_weights

            data, options = with_weights(data, weights, WEIGHT_COLUMN), {**options, "sample_weight": WEIGHT_COLUMN}
        options = {**options_for_metric(request.metric), **options}
        name = self._free_name(request.name or name_of(data))
        place = requested_tracking(home.folder, request.tracking_uri, request.experiment)
        check_experiment(home.folder, name, place)
        data_settings = data_options(
            options,
            {
                "seed": request.seed,
                "class_weight": request.class_weight,
                "pretrained": request.pretrained,
                "name": "" if isinstance(data, str | Path) else name,
            },
        )
        folder = home.create(name)
        with home.lock(name) as alive:
            try:
                source = data if y is None else (data, y)
                spec = self._prepared(source, folder / "data", data_settings, test)
                config = study_config(request, spec, name).replace(tracking=place, query=stored_query(data))
                check_search(config.space, request.grid, request.initial_configs)
                commands = [command("enqueue", config=dict(config)) for config in request.initial_configs]
                if config.teacher == "given":
                    save_answers(request.teacher, source, spec, folder / TEACHER_FILE)
                launch.write_request(config, folder, commands)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            for code in config.code:
                remember(code.digest)
            launch.launch(folder, alive, called=self._called)
        return Study(name, home)

    def _free_name(self, name: str) -> str:
        """The name, or the next free one if it is taken; warns if the user chose the name."""
        if self._request.name:
            self._home.check_journal(name)
        self._home.remove_unstarted(name)  # left by a study that was killed before it started: it contains no results
        free = self._home.free_name(name)
        if self._request.name and free != name:
            what = f"{self._home.folder} already has a study {name!r}; this one is called {free!r}."
            warnings.warn(f"{what} To continue an unfinished study, pass resume=True.", stacklevel=5)
        return free

    def _prepared(self, source: Any, folder: Path, settings: DataOptions, test: Any) -> DataSpec:
        """Prepare the data in a folder of the study."""
        from .data.prepare import prepare
        from .data.store import moved
        from .reporting.terminal import data_progress

        spec, options = self._ready or (None, None)
        if spec is not None and options == settings.replace(name=""):
            return moved(spec, folder, settings.name or spec.name)
        with data_progress(shown=self._request.progress) as progress:
            return prepare(source, folder, settings, test=test, progress=progress)

    def _resumed(self, name: str, *, trust: bool) -> Study | None:
        """Continue an unfinished study of this name; None if there is none."""
        if not (self._home.path(name) / JOURNAL).exists():
            return None
        study = Study(name, self._home)
        if study.status not in {"running", "starting"}:
            if study.status in {"ended", "ending"}:
                self._home.create(name)  # raises: the name is taken
            study.resume(trust=trust)
        return study

    def _attend(self, study: Study) -> Study:
        """Wait for the study's end, or leave it running in the background."""
        from .study.follow import follow_to_end, run_callbacks, show
        from .study.interrupts import in_notebook

        request = self._request
        if self._waits:
            study.stop_signal = follow_to_end(study, request.callbacks, progress=request.progress, grace=request.grace)
            return study
        if request.callbacks:
            run_callbacks(study, request.callbacks)
        if request.progress and not (in_notebook() and show(study)):
            print(f"{study.name} is running in the background; follow() shows it, stop() ends it.")  # noqa: T201  # progress=True
        return study
