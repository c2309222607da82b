"""The front door: validates everything that was asked into a `StudyConfig`, and starts the study."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from . import families
from .custom import custom_epochs
from .data.options import DataOptions
from .errors import Complaints, ConfigError, ExtraError, did_you_mean, one_of
from .events import Event, SamplerName, StudyConfig
from .execution.capacity import bearable, cores
from .objective import Objective
from .plans import LeanPlan
from .space import Hyperparameter, Setting
from .specs import Budget, DataSpec, Deployment
from .study.commands import command
from .study.study import Study
from .study_store import JOURNAL, StudyStore
from .task import METRICS, check_metric, metrics_of
from .tracking.experiments import check_experiment
from .tracking.tracking_uri import asked_place
from .trust import remember
from .validate import (
    check_model,
    check_name,
    check_place,
    check_search,
    check_whole,
    data_options,
    name_of,
    prior_trials,
    warm_studies,
)
from .variant import lacks

if TYPE_CHECKING:
    from .widgets.builder import Builder

    Ready = tuple[DataSpec, DataOptions]

OBJECTIVES = ("accuracy", "latency", "size")
GOALS = {
    "latency": Objective(name="latency_ms", direction="minimize"),
    "size": Objective(name="size_bytes", direction="minimize"),
}


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class AutoML:
    """Finds every network worth having for your data and your device, from most accurate to fastest.

    Args:
        name: The study's name; by default it is taken from the data.
        deployment: The device the model must run on, and its hard limits.
        budget: What may be spent; ten minutes if nothing is said.
        objectives: What to make better: `"accuracy"` (the metric), `"latency"`, `"size"`.
        metric: The score; by default accuracy, or RMSE for regression.
        seed: Seeds splits, proposals, weights and batches.
        class_weight: `"balanced"`, or a weight for each label.
        knobs: Knobs to pin to a setting, or to replace: `{"model.kernel": 3}`; settings of the training plan that usually
            stand still may be added, such as `{"train.batch_size": Categorical(32, 64, 128, default=64)}`.
        model: A factory of your own networks, `make(config, spec)`, which is searched in place of ours; see below.
        space: Its knobs by name, `model.*` or `train.*`, and `lean.ratio` where channels may be cut.
        sampler: What draws configurations: `"tpe"`, `"gp"` (a Gaussian process), `"nsga2"` (a genetic algorithm),
            `"random"`, `"grid"`.
        grid: For a grid: the knobs that it turns; by default all that have choices.
        warm_start: Earlier studies to learn from, or their names: their fronts are tried first, in turn with the usual
            first designs, and where a network would have stood in them helps to choose what to try next.
        initial_configs: Configurations to try first; checked when the data is known.
        callbacks: Called in this process as `f(event, study)` for every event of the search; the kinds of events are in
            `lepton_automl.events`.
        workers: Worker processes at most, one thread each; by default one a core, as far as memory goes. All studies of a
            user share the machine's cores: a study has fewer while others search, too, and one at least in the end.
        home: Where studies live; by default `$LEPTON_HOME`, else `mlruns`.
        tracking_uri: The MLflow store that shows the study, such as `"http://mlflow.example.com:5000"`; by default that of an
            active MLflow run, under which the study's run nests then, else what MLFLOW_TRACKING_URI or
            `mlflow.set_tracking_uri` say, else a SQLite file in the home. A password is never part of it:
            MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD tell it.
        experiment: The MLflow experiment's name; by default MLFLOW_EXPERIMENT_NAME or MLFLOW_EXPERIMENT_ID, else one of the
            study's own, `lepton/<study>`.
        progress: Whether to show how the search goes.
        grace: Seconds in which a search that is waited for hands over what it found, when this process gets SIGTERM or SIGHUP;
            what is not ready by then waits for `lepton resume`. Ctrl-C waits as long as it takes.

    It is a request: frozen, and checked when it is made. `fit` may be called again, and begins a new study each time;
    `dataclasses.replace(automl, seed=1)` makes another request.

    Raises:
        ConfigError: Something is wrong; all of it is listed.

    Example:
        >>> study = AutoML(deployment=Deployment(max_latency_ms=1.0), budget=Budget(minutes=10)).fit("photos/")  # doctest: +SKIP
        >>> study.best(max_latency_ms=0.5).predict("new_photo.jpg")  # doctest: +SKIP

    Your own network is a `pytorch_lightning.LightningModule`. Its `training_step(batch, batch_idx)` gets a tuple of inputs,
    float32 [N, *spec.input_shape] (images standardised by channel; a table's scaled numbers, then ones and zeros for its
    categories), and targets: int64 [N] class indices, or float32 [N] standardised values. `forward(inputs)` gives logits
    [N, spec.outputs], or values [N] in the same unit as the targets. It is trained by a Lightning Trainer with the
    optimisers of its `configure_optimizers`, which are made anew after a cut; scores, stopping, the export and the speed
    are the house's. `config` holds the knobs without their rooms' names, and `epochs`, those of a whole trial. The factory
    is imported by the worker processes, or travels as source where it stands in a notebook or script; nothing is pickled.

    Example:
        >>> def make(config, spec):  # doctest: +SKIP
        ...     return MyModule(width=config["width"], lr=config["lr"], inputs=spec.input_shape, outputs=spec.outputs)
        >>> space = {  # doctest: +SKIP
        ...     "model.width": Integer(8, 64, default=16, log=True),
        ...     "train.lr": Float(1e-4, 1e-1, default=1e-3, log=True),
        ...     "train.epochs": 20,  # the most a trial may take
        ...     "lean.ratio": Float(0.0, 0.7, default=0.0),  # share of the channels to cut
        ... }
        >>> AutoML(model=make, space=space, budget=Budget(minutes=5)).fit(x, y)  # doctest: +SKIP
    """

    name: str | None = None
    deployment: Deployment = field(default_factory=Deployment)
    budget: Budget = field(default_factory=lambda: Budget(minutes=10))
    objectives: Sequence[str] = ("accuracy", "latency")
    metric: str | None = None
    seed: int = 0
    class_weight: str | Mapping[Any, float] | None = None
    knobs: Mapping[str, Hyperparameter | Setting] = field(default_factory=dict)
    model: Callable[[dict[str, Any], DataSpec], Any] | None = None
    space: Mapping[str, Hyperparameter | Setting] | None = None
    sampler: SamplerName = "tpe"
    grid: Sequence[str] = ()
    warm_start: Study | str | Sequence[Study | str] = ()
    initial_configs: Sequence[Mapping[str, Setting]] = ()
    callbacks: Sequence[Callable[[Event, Any], None]] = ()
    workers: int | None = None
    home: str | Path | None = None
    tracking_uri: str | None = None
    experiment: str | None = None
    progress: bool = True
    grace: float = 10.0

    def __post_init__(self) -> None:
        for name in ("objectives", "grid"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given or ()))
        object.__setattr__(self, "callbacks", (self.callbacks,) if callable(self.callbacks) else tuple(self.callbacks))
        for name, usual in (("deployment", Deployment()), ("budget", Budget(minutes=10)), ("knobs", {})):
            if getattr(self, name) is None:
                object.__setattr__(self, name, usual)
        for name in ("knobs", "space"):  # what is changed in them later is not part of the request
            if isinstance(given := getattr(self, name), Mapping):
                object.__setattr__(self, name, dict(given))
        complaints = Complaints("AutoML")
        check_place(self.tracking_uri, self.experiment, complaints)
        check_name(self.name, StudyStore(self.home), complaints)
        self._check_goals(complaints)
        self._check_device(complaints)
        check_whole("seed", self.seed, 0, complaints)
        if self.workers is not None:
            check_whole("workers", self.workers, 1, complaints)
        sound = isinstance(self.grace, int | float) and not isinstance(self.grace, bool) and 0 <= self.grace < float("inf")
        complaints.check(sound, f"grace is {self.grace!r}; it must be a number of seconds")
        complaints.check(isinstance(self.budget, Budget), f"budget is {self.budget!r}", "Say budget=Budget(...).")
        check_model(self.model, self.space, complaints)
        samplers = get_args(SamplerName)
        complaints.check(
            self.sampler in samplers, f"there is no sampler {self.sampler!r}.", one_of(str(self.sampler), samplers)
        )
        what = f"a grid is given for sampler {self.sampler!r}"
        complaints.check(not self.grid or self.sampler == "grid", what, "Say sampler='grid'.")
        for one in self.callbacks:
            complaints.check(callable(one), f"{one!r} cannot be called back", "Give functions f(event, study).")
        warm_studies(self.warm_start, StudyStore(self.home), complaints)
        complaints.raise_any()

    def __repr__(self) -> str:
        given = (f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if getattr(self, one.name) != _usual(one))
        return f"AutoML({', '.join(given)})"

    def fit(
        self,
        data: Any,
        y: Any = None,
        *,
        target: str | None = None,
        test: Any = None,
        wait: bool | None = None,
        resume: bool = False,
        trust: bool = False,
        **options: Any,
    ) -> Study:
        """Search, in a process of its own, which outlives this one.

        Interrupted (Ctrl-C), the search stops and hands over what it found; interrupted again, this returns at once and
        the search ends by itself. SIGTERM and SIGHUP do the same within `grace` seconds, after which this process ends. A
        search that is not waited for, as in a notebook, goes on whatever becomes of this process.

        Args:
            data: A folder or zip of images, a CSV or Parquet file, a DataFrame, arrays, a folder of idx files.
            y: Labels or numbers, where `data` is an array or a DataFrame without them.
            target: The column to predict.
            test: Test data of the same kind, kept sealed; by default a fifth is cut off.
            wait: Whether to show the search and wait for its end; by default yes, except in a notebook, whose other cells
                would be held up. `follow()`, `wait()`, `pause()`, `stop()` and the rest work at any time.
            resume: Whether to go on with an unfinished study of this name, with its own data and settings.
            trust: Whether code that the study to go on with carries may run here; see `open_study`.
            **options: What else there is to say about the data; see `DataOptions`.

        Returns:
            The study, with a front if it was waited for.

        Raises:
            ConfigError: An option is unknown or wrong.
            DataError: The data cannot be used as it is.
            LimitError: No network keeps the hard limits.
            StudyError: The study's name is taken, or its folder cannot be written.
        """
        if isinstance(y, str):
            raise ConfigError(
                f"y is {y!r}; it holds labels or numbers", where="fit", fix=f"To name a column, say target={y!r}."
            )
        return _Fit(self, wait=wait).run(data, y, test, {"target": target, **options}, resume=resume, trust=trust)

    def _check_goals(self, complaints: Complaints) -> None:
        for objective in self.objectives:
            known = objective in OBJECTIVES or objective in METRICS
            complaints.check(known, f"there is no objective {objective!r}.{did_you_mean(objective, OBJECTIVES)}")
        complaints.check(len(self.objectives), "no objective is given", f"Name one or more of {', '.join(OBJECTIVES)}.")
        known = self.metric is None or (isinstance(self.metric, str) and self.metric in METRICS)
        complaints.check(known, f"there is no metric {self.metric!r}.", one_of(str(self.metric), METRICS))

    def _check_device(self, complaints: Complaints) -> None:
        if not isinstance(self.deployment, Deployment):
            complaints.add(f"deployment is {self.deployment!r}", "Say deployment=Deployment(...).")
            return
        on_gpu = self.deployment.device == "cuda"
        complaints.check(not on_gpu, "a model's speed cannot be measured on a GPU yet", "Say Deployment(device='cpu').")
        for runtime in self.deployment.runtimes:
            fix = f'pip install "{lacks(runtime)}", or name no runtimes: those that are installed are used.'
            complaints.check(not lacks(runtime), f"the runtime {runtime!r} is not installed", fix)


class _Fit:
    """One call of `fit`: prepares the data, starts the study's process, and waits for it where that is asked.

    Args:
        request: What was asked.
        wait: Whether to wait for the study's end; None for yes, except in a notebook.
        ready: Data that are prepared already, and the options that they were prepared with; a builder has them, who
            shows what they are.
    """

    def __init__(self, request: AutoML, *, wait: bool | None = None, ready: Ready | None = None) -> None:
        from .study.interrupts import in_notebook

        self._request, self._ready = request, ready
        self._waits = not in_notebook() if wait is None else wait
        self._home = StudyStore(request.home)

    def run(self, data: Any, y: Any, test: Any, options: dict[str, Any], *, resume: bool = False, trust: bool = False) -> Study:
        """The study, started, or taken up where `resume` says so."""
        from .study.interrupts import ending

        with ending() if self._waits else contextlib.nullcontext():
            name = self._request.name or name_of(data)
            study = self._resumed(name, trust=trust) if resume else None
            return self._attend(study or self._started(data, y, test, options))

    def _started(self, data: Any, y: Any, test: Any, options: dict[str, Any]) -> Study:
        """A new study in a process of its own; nothing is left of it where that fails."""
        from .study import launch

        request, home = self._request, self._home
        name = request.name or home.free_name(name_of(data))
        place = asked_place(home.folder, request.tracking_uri, request.experiment)
        check_experiment(home.folder, name, place)
        asked = data_options(
            options,
            {
                "seed": request.seed,
                "class_weight": request.class_weight,
                "name": "" if isinstance(data, str | Path) else name,
            },
        )
        folder = home.create(name)
        with home.lock(name) as alive:
            try:
                source = data if y is None else (data, y)
                spec = self._prepared(source, folder / "data", asked, test)
                config = study_config(request, spec, name).replace(tracking=place)
                check_search(config.space, request.grid, request.initial_configs)
                commands = [command("enqueue", config=dict(config)) for config in request.initial_configs]
                launch.write_request(config, folder, commands)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            if config.own is not None:
                remember(config.own.digest)
            launch.launch(folder, alive)
        return Study(name, home)

    def _prepared(self, source: Any, folder: Path, asked: DataOptions, test: Any) -> DataSpec:
        """The data, in a folder of the study."""
        from .data.prepare import prepare
        from .data.store import moved
        from .reporting.terminal import reading

        spec, options = self._ready or (None, None)
        if spec is not None and options == asked.replace(name=""):
            return moved(spec, folder, asked.name or spec.name)
        with reading(shown=self._request.progress) as told:
            return prepare(source, folder, asked, test=test, progress=told)

    def _resumed(self, name: str, *, trust: bool) -> Study | None:
        """An unfinished study of the name, taken up; None where there is none."""
        if not (self._home.path(name) / JOURNAL).exists():
            return None
        study = Study(name, self._home)
        if study.status not in {"running", "starting"}:
            if study.status in {"ended", "ending"}:
                self._home.create(name)  # says that the name is taken, and what to do
            study.resume(trust=trust)
        return study

    def _attend(self, study: Study) -> Study:
        """Wait for the study's end, or leave it to itself."""
        from .study.follow import attend, call_back, show
        from .study.interrupts import in_notebook

        request = self._request
        if self._waits:
            study.stop_signal = attend(study, request.callbacks, progress=request.progress, grace=request.grace)
            return study
        if request.callbacks:
            call_back(study, request.callbacks)
        if request.progress and not (in_notebook() and show(study)):
            print(f"{study.name} searches in a process of its own; follow() shows it, stop() ends it.")  # noqa: T201  # asked for
        return study


def study_config(request: AutoML, spec: DataSpec, name: str) -> StudyConfig:
    """Everything that was asked, now that the data is known.

    Raises:
        ConfigError: It does not fit the data; all of it is listed.
    """
    metric = request.metric or next((name for name in request.objectives if name in METRICS and name != "accuracy"), None)
    metric = metric or next(iter(metrics_of(spec.task)))
    direction = check_metric(metric, spec.task)
    complaints = Complaints("AutoML")  # what was right when the request was made may have gone since
    own, custom_space = check_model(request.model, request.space, complaints)
    earlier = warm_studies(request.warm_start, StudyStore(request.home), complaints)
    complaints.raise_any()
    plan = families.usual_plan(spec)
    space = (
        custom_space.restrict(request.knobs)
        if custom_space
        else families.widened(families.space_for(spec), spec, request.knobs)
    )
    return StudyConfig(
        name=name,
        data=spec,
        target=request.deployment,
        budget=request.budget,
        metric=metric,
        objectives=(
            Objective(name="score", direction=direction),
            *(GOALS[goal] for goal in request.objectives if goal in GOALS),
        ),
        space=space,
        train=custom_epochs(dict(request.space or {}), plan) if own else plan,
        lean=LeanPlan(),
        workers=request.workers or bearable(cores())[0],
        seed=request.seed,
        own=own,
        sampler=request.sampler,
        grid=tuple(request.grid),
        precedents=prior_trials(earlier, space),
    )


def _usual(of: Any) -> Any:
    """A field's default."""
    return of.default if of.default_factory is MISSING else of.default_factory()


class _Prepared:
    """A request whose data a builder has prepared already, to see what they are.

    Args:
        ready: Those data, and what had been said about them; None where nothing is ready.
        **asked: As for `AutoML`.
    """

    def __init__(self, ready: Ready | None, **asked: Any) -> None:
        self._request, self._ready = AutoML(**asked, progress=False), ready

    def fit(self, data: Any, y: Any = None, *, test: Any = None, wait: bool | None = None, **options: Any) -> Study:
        """As `AutoML.fit`."""
        return _Fit(self._request, wait=wait, ready=self._ready).run(data, y, test, options)


def builder(names: Mapping[str, Any] | None = None, *, home: str | Path | None = None) -> Builder:
    """A form that makes a search of data in a notebook: it shows what is inferred about them, and prints what it equals.

    Args:
        names: The variables to choose from; by default those of the notebook.
        home: Where studies live; by default `$LEPTON_HOME`, else `mlruns`.

    Returns:
        A widget; its `study` is the search that was started.

    Raises:
        ExtraError: The packages for notebooks are not installed.

    Example:
        >>> lepton_automl.builder()  # doctest: +SKIP
    """
    try:
        from .widgets.builder import Builder
    except ImportError as error:
        fix = 'pip install "lepton-automl[notebook]"; AutoML(...).fit(...) works without.'
        raise ExtraError(f"the builder needs {error.name}", where="builder", fix=fix) from error
    return Builder(_Prepared, names, StudyStore(home), {} if home is None else {"home": str(home)})
