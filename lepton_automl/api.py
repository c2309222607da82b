"""The front door: validates everything that was asked into a `StudyConfig`, or a wish of `lean` or `accelerate`, and nothing else."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_args

from . import families
from .data.options import DataOptions
from .errors import Complaints, ConfigError, ExtraError, LeptonError, did_you_mean, one_of
from .events import Asked, Event, SamplerName, StudyConfig
from .execution.capacity import bearable, cores
from .factory import Factory, factory_of
from .home import JOURNAL, Home
from .own import own_epochs, own_space
from .service.control import wish
from .service.study import Study
from .space import Knob, Setting, Space
from .tracking.experiments import check_experiment
from .tracking.place import address, asked_place, check_name
from .trust import remember
from .values import METRICS, Budget, DataSpec, LeanPlan, Objective, Precedent, Target, Tracking, check_metric, metrics_of
from .variant import lacks

if TYPE_CHECKING:
    from .walks.faster import Faster
    from .walks.lean import Lean
    from .widgets.builder import Builder

OBJECTIVES = ("accuracy", "latency", "size")


class AutoML(Study):
    """Finds every network worth having for your data and your device, from most accurate to fastest.

    Args:
        name: The study's name; by default it is taken from the data.
        target: The device the model must run on, and its hard limits.
        budget: What may be spent; ten minutes if nothing is said.
        objectives: What to make better: `"accuracy"` (the metric), `"latency"`, `"size"`.
        metric: The score; by default accuracy, or RMSE for regression.
        seed: Seeds splits, proposals, weights and batches.
        class_weight: `"balanced"`, or a weight for each label.
        knobs: Knobs to pin to a setting, or to replace: `{"model.kernel": 3}`; settings of the training plan that usually
            stand still may be added, such as `{"train.batch_size": pick(32, 64, 128, default=64)}`.
        model: A factory of your own networks, `make(config, spec)`, which is searched in place of ours; see below.
        space: Its knobs by name, `model.*` or `train.*`, and `lean.ratio` where channels may be cut.
        sampler: What draws configurations: `"tpe"`, `"gp"` (a Gaussian process), `"nsga2"` (a genetic algorithm),
            `"random"`, `"grid"`.
        grid: For a grid: the knobs that it turns; by default all that have choices.
        warm_start: Earlier studies to learn from, or their names: their fronts are tried first, in turn with the usual
            first designs, and where a network would have stood in them helps to choose what to try next.
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

    Raises:
        ConfigError: Something is wrong; all of it is listed.

    Example:
        >>> study = AutoML(target=Target(max_latency_ms=1.0), budget=Budget(minutes=10))  # doctest: +SKIP
        >>> study.fit("photos/").best(max_latency_ms=0.5).predict("new_photo.jpg")  # doctest: +SKIP

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
        ...     "model.width": whole(8, 64, default=16, log=True),
        ...     "train.lr": real(1e-4, 1e-1, default=1e-3, log=True),
        ...     "train.epochs": 20,  # the most a trial may take
        ...     "lean.ratio": real(0.0, 0.7, default=0.0),  # share of the channels to cut
        ... }
        >>> AutoML(model=make, space=space, budget=Budget(minutes=5)).fit(x, y)  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        target: Target | None = None,
        budget: Budget | None = None,
        objectives: Sequence[str] = ("accuracy", "latency"),
        metric: str | None = None,
        seed: int = 0,
        class_weight: str | Mapping[Any, float] | None = None,
        knobs: Mapping[str, Knob | Setting] | None = None,
        model: Callable[[dict[str, Any], DataSpec], Any] | None = None,
        space: Mapping[str, Knob | Setting] | None = None,
        sampler: SamplerName = "tpe",
        grid: Sequence[str] = (),
        warm_start: Study | str | Sequence[Study | str] = (),
        callbacks: Sequence[Callable[[Event, Any], None]] = (),
        workers: int | None = None,
        home: str | Path | None = None,
        tracking_uri: str | None = None,
        experiment: str | None = None,
        progress: bool = True,
        grace: float = 10.0,
    ) -> None:
        super().__init__(name or "", home)
        complaints = Complaints("AutoML")
        self._where = (tracking_uri, experiment)
        _check_place(tracking_uri, experiment, complaints)
        if name is not None:
            try:
                self.home.path(name)
            except ConfigError as error:
                complaints.add(error.what, error.fix)
        objectives = (objectives,) if isinstance(objectives, str) else tuple(objectives or ())
        for objective in objectives:
            known = objective in OBJECTIVES or objective in METRICS
            complaints.check(known, f"there is no objective {objective!r}.{did_you_mean(objective, OBJECTIVES)}")
        complaints.check(len(objectives), "no objective is given", f"Name one or more of {', '.join(OBJECTIVES)}.")
        known = metric is None or (isinstance(metric, str) and metric in METRICS)
        complaints.check(known, f"there is no metric {metric!r}.", one_of(str(metric), METRICS))
        for number, said, least in (("workers", workers, 1), ("seed", seed, 0)):
            whole = isinstance(said, int) and not isinstance(said, bool) and least <= said < 2**32
            complaints.check(
                whole or (number == "workers" and said is None),
                f"{number} is {said!r}; it must be a whole number of at least {least}",
            )
        sound = isinstance(grace, int | float) and not isinstance(grace, bool) and 0 <= grace < float("inf")
        complaints.check(sound, f"grace is {grace!r}; it must be a number of seconds")
        complaints.check(target is None or isinstance(target, Target), f"target is {target!r}", "Say target=Target(...).")
        on_gpu = isinstance(target, Target) and target.device == "cuda"
        complaints.check(not on_gpu, "a model's speed cannot be measured on a GPU yet", "Say Target(device='cpu').")
        for runtime in target.runtimes if isinstance(target, Target) else ():
            fix = f'pip install "{lacks(runtime)}", or name no runtimes: those that are installed are used.'
            complaints.check(not lacks(runtime), f"the runtime {runtime!r} is not installed", fix)
        complaints.check(budget is None or isinstance(budget, Budget), f"budget is {budget!r}", "Say budget=Budget(...).")
        self._own, self._space = _own(model, space, complaints)
        self._asked_space = dict(space or {})
        samplers = get_args(SamplerName)
        complaints.check(sampler in samplers, f"there is no sampler {sampler!r}.", one_of(str(sampler), samplers))
        grid = (grid,) if isinstance(grid, str) else tuple(grid)
        complaints.check(not grid or sampler == "grid", f"a grid is given for sampler {sampler!r}", "Say sampler='grid'.")
        callbacks = (callbacks,) if callable(callbacks) else tuple(callbacks)
        for one in callbacks:
            complaints.check(callable(one), f"{one!r} cannot be called back", "Give functions f(event, study).")
        self._earlier = _earlier(warm_start, self.home, complaints)
        complaints.raise_any()
        self._target, self._budget = target or Target(), budget or Budget(minutes=10)
        self._objectives, self._metric, self._seed = objectives, metric, seed
        self._class_weight, self._knobs = class_weight, dict(knobs or {})
        self._workers = workers or bearable(cores())[0]
        self._progress, self._grace = progress, grace
        self._sampler, self._grid, self._callbacks = sampler, grid, callbacks
        self._ended_by = 0  # a signal by which the search was stopped
        self._wishes: list[Asked] | None = []  # None once they are handed over

    def _place(self) -> Tracking:
        """Where in MLflow the study is to be shown, as things stand now."""
        uri, experiment = self._where
        return asked_place(self.home.folder, uri, experiment)

    @classmethod
    def attach(cls, name: str, home: str | Path | None = None, *, trust: bool = False) -> Study:
        """A handle on an existing study, running or finished.

        Args:
            name: The study's name.
            home: Where it lives; by default `$LEPTON_HOME`, else `mlruns`.
            trust: Whether code that it carries, the factory of a person's own networks, may run here; remembered for this
                user by its digest. Looking at a study runs none of it; going on with its search does.

        Raises:
            StudyError: There is no such study; the message lists those there are.
        """
        study = Study(name, home).check()
        return study.trust() if trust else study

    def enqueue(self, config: Mapping[str, Setting]) -> None:
        """Try a configuration next; before `fit`, first of all (it is checked when the data is known)."""
        if self._wishes is None:
            super().enqueue(config)
        else:
            self._wishes.append(wish("enqueue", config=dict(config)))

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
    ) -> Self:
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
            trust: Whether code that the study to go on with carries may run here; see `attach`.
            **options: What else there is to say about the data; see `DataOptions`.

        Returns:
            This study, with a front if it was waited for.

        Raises:
            ConfigError: An option is unknown or wrong.
            DataError: The data cannot be used as it is.
            LimitError: No network keeps the hard limits.
            StudyError: The study's name is taken, or its folder cannot be written.
        """
        from .service.interrupts import ending

        with ending() if self._waits(wait) else contextlib.nullcontext():
            return self._fit(data, y, target=target, test=test, wait=wait, resume=resume, trust=trust, options=options)

    def _waits(self, wait: bool | None) -> bool:  # noqa: FBT001  # as `fit` was given it
        """Whether the search is waited for; by default it is, except in a notebook."""
        from .service.interrupts import in_notebook

        return not in_notebook() if wait is None else wait

    def _fit(
        self,
        data: Any,
        y: Any,
        *,
        target: str | None,
        test: Any,
        wait: bool | None,
        resume: bool,
        trust: bool,
        options: dict[str, Any],
    ) -> Self:
        from .service import launch

        if isinstance(y, str):
            raise ConfigError(
                f"y is {y!r}; it holds labels or numbers", where="fit", fix=f"To name a column, say target={y!r}."
            )
        named = self._name or _name_of(data)
        if resume and self._go_on(named, trust=trust):
            return self._attend(wait=wait)
        name, place = self._name or self.home.free_name(named), self._place()
        check_experiment(self.home.folder, name, place)
        said = {"target": target, "seed": self._seed, "class_weight": self._class_weight}
        asked = _options(options, said | {"name": "" if isinstance(data, str | Path) else name})
        folder = self.home.create(name)
        with self.home.held(name) as alive:
            try:
                source = data if y is None else (data, y)
                spec = self._prepared(source, folder / "data", asked, test)
                config = self._config(spec, name).replace(tracking=place)
                _check_search(config.space, self._grid, self._wishes or ())
                launch.prepare(config, folder, self._wishes or ())
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._name, self._wishes = name, None
            if self._own is not None:
                remember(self._own.digest)
            launch.launch(folder, alive)
        return self._attend(wait=wait)

    def _prepared(self, source: Any, folder: Path, asked: DataOptions, test: Any) -> DataSpec:
        """The data, in a folder of the study."""
        from .data.prepare import prepare
        from .reporting.terminal import reading

        with reading(shown=self._progress) as told:
            return prepare(source, folder, asked, test=test, progress=told)

    def _go_on(self, name: str, *, trust: bool) -> bool:
        """Take up an unfinished study of the name, if there is one."""
        if not (self.home.path(name) / JOURNAL).exists():
            return False
        study = Study(name, self.home)
        if study.status not in {"running", "starting"}:
            if study.status in {"ended", "ending"}:
                self.home.create(name)  # says that the name is taken, and what to do
            study.resume(trust=trust)
        self._name, self._wishes = name, None
        return True

    def _attend(self, *, wait: bool | None) -> Self:
        """Wait for the study's end, or leave it to itself."""
        from .service.follow import attend, call_back

        if not self._waits(wait):
            if self._callbacks:
                call_back(self, self._callbacks)
            if self._progress and not self._shown():
                print(f"{self.name} searches in a process of its own; follow() shows it, stop() ends it.")  # noqa: T201  # asked for
        else:
            self._ended_by = attend(self, self._callbacks, progress=self._progress, grace=self._grace)
        return self

    @property
    def ended_by(self) -> int:
        """The signal by which the search was stopped while it was waited for; 0 where there was none."""
        return self._ended_by

    def _shown(self) -> bool:
        """Show the dashboard, where a notebook has what it takes."""
        from .service.follow import show
        from .service.interrupts import in_notebook

        return in_notebook() and show(self)

    def _config(self, spec: DataSpec, name: str) -> StudyConfig:
        """Everything that was asked, now that the data is known."""
        metric = self._metric or next((name for name in self._objectives if name in METRICS and name != "accuracy"), None)
        metric = metric or next(iter(metrics_of(spec.task)))
        direction = check_metric(metric, spec.task)
        goals = {
            "latency": Objective(name="latency_ms", direction="minimize"),
            "size": Objective(name="size_bytes", direction="minimize"),
        }
        others = [goals[name] for name in self._objectives if name in goals]
        plan = families.usual_plan(spec)
        wide = families.space_for(spec)
        space = self._space.restrict(self._knobs) if self._space else families.widened(wide, spec, self._knobs)
        return StudyConfig(
            name=name,
            data=spec,
            target=self._target,
            budget=self._budget,
            metric=metric,
            objectives=(Objective(name="score", direction=direction), *others),
            space=space,
            train=own_epochs(self._asked_space, plan) if self._own else plan,
            lean=LeanPlan(),
            workers=self._workers,
            seed=self._seed,
            own=self._own,
            sampler=self._sampler,
            grid=self._grid,
            precedents=_learnt(self._earlier, space),
        )


class _Built(AutoML):
    """A search whose data a builder has prepared already, to see what they are.

    Args:
        ready: Those data, and what had been said about them; None where nothing is ready.
        **asked: As for `AutoML`.
    """

    def __init__(self, ready: tuple[DataSpec, DataOptions] | None, **asked: Any) -> None:
        super().__init__(**asked, progress=False)
        self._ready = ready

    def _prepared(self, source: Any, folder: Path, asked: DataOptions, test: Any) -> DataSpec:
        from .data.store import moved

        spec, options = self._ready or (None, None)
        if spec is None or options != asked.replace(name=""):
            return super()._prepared(source, folder, asked, test)
        return moved(spec, folder, asked.name or spec.name)


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
    return Builder(_Built, names, Home(home), {} if home is None else {"home": str(home)})


def _earlier(said: Any, home: Home, complaints: Complaints) -> list[Study]:
    """The studies to learn from, which can be read."""
    found: list[Study] = []
    for one in said if isinstance(said, list | tuple) else [said]:
        if not isinstance(one, str | Study):
            complaints.add(f"warm_start is {one!r}", "Give earlier studies, or their names.")
            continue
        try:
            found.append(one if isinstance(one, Study) else Study(one, home))
            found[-1].state.settings  # noqa: B018  # reading it says whether there is such a study
        except LeptonError as error:
            complaints.add(f"warm_start: {error.what}", error.fix)
    return found


def _learnt(earlier: Sequence[Study], space: Space) -> tuple[Precedent, ...]:
    """What earlier studies teach one over this space."""
    if not earlier:
        return ()
    from .search.warm import precedents

    told, complaints = {study.name: precedents(study.state, space) for study in earlier}, Complaints("warm_start")
    for name, known in told.items():
        fix = "Leave it out, or name one that has trained networks of the same family (images or tables)."
        complaints.check(known, f"study {name!r} has nothing to teach this one", fix)
    complaints.raise_any()
    return tuple(one for known in told.values() for one in known)


def _own(model: Any, space: Any, complaints: Complaints) -> tuple[Factory | None, Space | None]:
    """A person's own factory and space, as far as they can be told wrong without the data."""
    if model is None:
        fix = "Say knobs=... for our own networks, or give your own by model=..."
        complaints.check(space is None, "space is given without a model", fix)
        return None, None
    factory = knobs = None
    try:
        factory = factory_of(model)
    except ConfigError as error:
        complaints.add(error.what, error.fix)
    try:
        knobs = own_space(space or {})
    except ConfigError as error:
        complaints.add(f"space: {error.what}", error.fix)
    return factory, knobs


def _check_place(uri: Any, experiment: Any, complaints: Complaints) -> None:
    """What was said about MLflow."""
    for word, text in (("tracking_uri", uri), ("experiment", experiment)):
        complaints.check(text is None or (isinstance(text, str) and text), f"{word} is {text!r}", "Give text, or leave it out.")
    for check in (lambda: address(uri if isinstance(uri, str) else "", ""), lambda: check_name(str(experiment or ""))):
        try:
            check()
        except ConfigError as error:
            complaints.add(error.what, error.fix)


def _check_search(space: Space, grid: Sequence[str], wishes: Sequence[Asked]) -> None:
    """What was said about knobs before the space was known."""
    complaints = Complaints("AutoML")
    for name in grid:
        complaints.check(name in space, f"the grid has no knob {name!r} to turn.", one_of(name, space))
    complaints.raise_any()
    for asked in wishes:
        space.complete(asked.config)


def _options(given: Mapping[str, Any], said: Mapping[str, Any]) -> DataOptions:
    """What was said about the data, in `fit` and before; the names are checked."""
    known = [field.name for field in dataclasses.fields(DataOptions) if field.name not in said]
    complaints = Complaints("fit")
    for name in given:
        if name in said:
            complaints.add(f"{name} is asked for elsewhere.", f"Say AutoML({name}=...).")
        else:
            complaints.check(name in known, f"there is no option {name!r}.", one_of(name, known))
    complaints.raise_any()
    return DataOptions(**given, **said)


def _name_of(data: Any) -> str:
    """A study's name from its source."""
    if isinstance(data, str | Path):
        stem = Path(data).absolute().name.split(".")[0]
        clean = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem).strip("-_")
        return clean[:90] if clean.isascii() and clean else "study"
    return "study"


def lean(
    model: Any,
    data: Any,
    *,
    target: Target | None = None,
    ratio: float | None = None,
    max_latency_ms: float | None = None,
    max_drop: float | None = None,
    validation: Any = None,
    criterion: str = "taylor",
    ranking: str = "layer",
    steps: int = 1,
    epochs: int = 5,
    distill: bool = True,
    multiple: int | None = None,
    blocks: int = 0,
    own_steps: bool = False,
    lr: float | None = None,
    batch_size: int = 128,
    seed: int = 0,
    progress: bool = True,
) -> Lean[Any]:
    """Make your own trained network smaller: whole channels leave it, and it learns again what it lost.

    Say exactly one goal: `ratio`, `max_latency_ms` or `max_drop`. Equal seeds give equal networks on a CPU where a ratio
    and a multiple are given; else a measurement takes part in the choice.

    Args:
        model: A trained `torch.nn.Module`, called as `model(x)`; gives logits [N, classes], or values [N] or [N, 1]. It is
            left as it is.
        data: What to recover on: `(x, y)` as arrays or tensors, or a Dataset or DataLoader of such pairs, which is read
            once. Whole numbers in `y` are classes, others are values.
        target: Where it must run, for the measured latency.
        ratio: Share of the channels to remove, above 0 and below 1; 0.5 removes about three quarters of the weights.
        max_latency_ms: What one call of the exported network may take on the target, in milliseconds.
        max_drop: How much of the validation score (accuracy, or R² of values) may be lost; as much as possible is cut.
        validation: Rows to score on, as `data`; by default a fifth of `data` is held out and never trained on.
        criterion: What tells an important channel: `"taylor"` (what the loss would change by without it), `"l1"`, `"l2"` (the
            size of its weights), `"bn_scale"`, or `"random"`.
        ranking: Which channels compete: those of a layer (`"layer"`), all (`"global"`), those of layers of one kind
            (`"isomorphic"`).
        steps: Cuts on the way to a ratio, with recovery after each; more of them ask for more epochs.
        epochs: Passes over the data to recover in, shared out among the steps; with `max_drop`, of each shape that is tried.
        distill: Whether the whole network teaches the smaller one too.
        multiple: Widths are rounded to multiples of this; by default what the target likes is found by measuring.
        blocks: Blocks to take out whole, before any channel is cut.
        own_steps: Whether a LightningModule recovers by its own `training_step` and optimisers, not by ours.
        lr: Learning rate of the recovery, by schedule-free AdamW; by default 2e-2 for a network with batch normalisation,
            5e-3 for others.
        batch_size: Rows in one step of it.
        seed: Of the rows held out and the order of the batches.
        progress: Whether to show how it goes.

    Returns:
        The smaller network, of the same class and on the CPU, with what it gained and cost, and what kept its width and why.

    Raises:
        ConfigError: Something is wrong (all of it is listed), or nothing in the network can be cut.
        LimitError: No cut keeps `max_latency_ms`.

    Example:
        >>> small = lean(model, (x, y), ratio=0.5)  # doctest: +SKIP
        >>> print(small)  # doctest: +SKIP
        >>> small.model(x[:1])  # doctest: +SKIP
    """
    from .reporting.terminal import doing
    from .walks import lean as walk
    from .walks.lean_wish import Wish

    wish = Wish(
        ratio=ratio,
        max_latency_ms=max_latency_ms,
        max_drop=max_drop,
        target=Target() if target is None else target,
        validation=validation,
        criterion=criterion,
        ranking=ranking,
        steps=steps,
        epochs=epochs,
        distill=distill,
        multiple=multiple,
        blocks=blocks,
        own_steps=own_steps,
        lr=lr,
        batch_size=batch_size,
        seed=seed,
    )
    with doing("lean", shown=progress) as told:
        return walk.lean(model, data, wish, told)


def accelerate(
    model: Any, data: Any, *, target: Target | None = None, validation: Any = None, seed: int = 0, progress: bool = True
) -> Faster:
    """Find the fastest way to run your own trained network, as it is, without losing its accuracy.

    Every runtime that the target allows and every precision that the machine computes in is tried on this machine, timed
    beside all others; the fastest whose validation score stays within `target.max_drop` is kept, with the whole table as
    evidence. Whole numbers are calibrated on rows of `data`; layers that they would harm stay in floats.

    Args:
        model: A trained `torch.nn.Module`, called as `model(x)`; gives logits [N, classes], or values [N] or [N, 1]. It is
            left as it is.
        data: `(x, y)` as arrays or tensors, or a Dataset or DataLoader of such pairs, which is read once. Whole numbers in
            `y` are classes, others are values.
        target: Where it must run: threads, rows of a call, runtimes, and what may be lost.
        validation: Rows to score on, as `data`; by default a fifth of `data` is held out.
        seed: Of the rows held out.
        progress: Whether to show how it goes.

    Returns:
        The network in its new form: `predict(x)`, `save(folder)`, `table`.

    Raises:
        ConfigError: Something is wrong; all of it is listed.
        BundleError: The network cannot be exported.
        ExtraError: A runtime that the target names is not installed.

    Example:
        >>> fast = accelerate(model, (x, y), target=Target(batch_size=1))  # doctest: +SKIP
        >>> print(fast, fast.table)  # doctest: +SKIP
        >>> fast.predict(x[:1])  # doctest: +SKIP
    """
    from .reporting.terminal import doing
    from .walks.faster import faster

    with doing("accelerate", shown=progress) as told:
        return faster(model, data, Target() if target is None else target, validation, seed=seed, told=told)


def load_accelerated(folder: str | Path, threads: int = 1) -> Callable[[Any], Any]:
    """Open what `accelerate(...).save(folder)` wrote.

    Control flow, operations of its own and weights in other files are refused unless `save` named them. Unlike `load_model`, it
    does not try the file in a process of its own first: open only what comes from people whom you trust.

    Args:
        folder: The folder.
        threads: Threads that one call may use.

    Returns:
        A function from rows [N, ...], as the network's `forward` takes them, to what it gives.

    Raises:
        BundleError: It is no such folder, damaged, or a model that could run without end.
        ExtraError: The runtime that it was made for is not installed.
    """
    from .walks.faster import load

    return load(folder, threads)
