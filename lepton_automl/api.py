"""`AutoML`, the request: validates its arguments, makes a `StudyConfig` from them, and starts the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from . import plugins
from .configure import ACCURACY
from .device import get_device
from .errors import Complaints, ConfigError, did_you_mean, one_of
from .events import Event
from .execution.executor import ExecutorSettings
from .fit_call import FitCall
from .objective import CustomMetric, Objective, known_costs
from .plugins import check_plugin, names
from .space import Hyperparameter, Setting
from .specs import Budget, DataSpec, Deployment
from .study.study import Study
from .study_store import StudyStore
from .task import all_metrics
from .validate import (
    check_executor,
    check_family,
    check_integer,
    check_model,
    check_name,
    check_place,
    check_start,
    query_or_data,
    warm_studies,
)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class AutoML:
    """Searches neural networks for your data and your device, from the most accurate to the fastest.

    Args:
        name: The study's name; by default it is made from the data. If it is taken, `fit` uses the next free one, such as
            `photos-2`, and warns.
        deployment: The device the model must run on, and its hard limits.
        budget: The budget of the search; by default ten minutes.
        objectives: What to optimise: `"accuracy"` (the metric), `"latency"`, `"size"`, `"memory"`, `"cold_start"`, `"energy"`,
            `"parameters"`, `"macs"`, those of plug-ins, and `Objective.of(function)` for a user-defined cost.
        metric: The score; by default accuracy, or RMSE for regression. Also `"balanced_accuracy"`, `"f1"`, `"auroc"`,
            `"average_precision"`, `"mcc"`, `"log_loss"`; `"mae"`, `"r2"`, `"mape"`, `"rmsle"`. A
            user-defined score is a function of decode_targets and answers, like scikit-learn's, or
            `CustomMetric.of(function, direction="minimize")`.
        seed: Seed of splits, proposals, weights and batches.
        class_weight: `"balanced"`, or a weight for each label.
        hyperparameters: Hyperparameters to pin to a value, or to replace: `{"model.kernel": 3}`. Settings of the training plan
            that are usually fixed may be added, such as `{"train.batch_size": Categorical(32, 64, 128, default=64)}`.
        family: The network family to search, such as `"conv"`, or several, the most usual one first; by default the usual
            one for the data, after its linear model.
        start: A `Model` or `LeptonNet` that the search begins at: its first design is that network, untrained; the search varies its
            widths, how it is trained, and the share of its channels that is pruned.
        pretrained: Published weights that networks for images may start from: `"auto"` for all that are on this machine,
            `"none"`, names of backbones such as `"efficientnet_lite0"`, or the path of a file or folder of weights. Nothing is
            downloaded; `study.data.notes` names what is used, or what to install.
        teacher: What built-in networks may learn from besides the targets: `"none"`, or `"auto"` for the mean answers of the most
            accurate models so far, or answers for all rows (probabilities [N, K], labels or numbers [N]), a function of the
            rows, a model with `predict_proba` or `predict`, or the path of a bundle.
        refit: Whether the chosen model is trained again at the end on training and validation rows, its scores being those of its
            twin before: `"auto"` if the budget allows, or `"none"`. `StudyModel.refit` does it at any time, also with the test rows.
        ensemble: Whether a study with a time budget averages the answers of its best networks at the end, in one more model that
            stands on the front beside them if it is more accurate: `"auto"` or `"none"`.
        model: A factory of your own networks, `make(config, spec)`, to search instead of the built-in ones; see below.
        space: The hyperparameters of `model` by name, `model.*` or `train.*`, and `prune.ratio` if channels may be pruned.
        sampler: How configurations are proposed: `"tpe"`, `"gp"` (a Gaussian process), `"nsga2"` (a genetic algorithm),
            `"random"`, `"grid"`, or the name of a plug-in.
        grid: For `sampler="grid"`: the hyperparameters to vary; by default all that have choices.
        warm_start: Earlier studies to learn from, or their names. Networks of their fronts are tried first, in turn with
            the usual first designs, and their results help to choose what to try next.
        initial_configs: Configurations to try first; checked when the data is known.
        callbacks: Called in this process as `f(event, study)` for every event of the search; the types of events are in
            `lepton_automl.events`.
        workers: Maximum number of worker processes, one thread each; by default one per core, as far as memory allows. All
            studies of a user share the machine's cores: while others run, a study may get fewer workers, but at least one.
        executor: What runs the trials: `"local"`, worker processes on this machine, or the name of a plug-in,
            or its settings, such as `Cluster(address="...")`.
        home: The folder of all studies; by default `$LEPTON_HOME`, else `mlruns`.
        tracking_uri: The MLflow store that shows the study, such as `"http://mlflow.example.com:5000"`. By default the
            store of an active MLflow run, in which the study's run is nested; else that of MLFLOW_TRACKING_URI or
            `mlflow.set_tracking_uri`; else a SQLite file in `home`. Never put a password into it: set
            MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
        experiment: The name of the MLflow experiment; by default MLFLOW_EXPERIMENT_NAME or MLFLOW_EXPERIMENT_ID, else
            `lepton/<study>`.
        progress: Whether to show progress.
        grace: If `fit` waits for the search: seconds to stop it and publish its best model after SIGTERM or SIGHUP;
            `lepton resume` finishes what is not ready by then. Ctrl-C waits as long as it takes.

    An `AutoML` is a frozen request, checked when it is made. `fit` may be called again and starts a new study each time;
    `dataclasses.replace(automl, seed=1)` makes another request.

    Raises:
        ConfigError: Some arguments are wrong; all are listed.

    Example:
        >>> study = AutoML(deployment=Deployment(max_latency_ms=1.0), budget=Budget(minutes=10)).fit("photos/")  # doctest: +SKIP
        >>> study.best(max_latency_ms=0.5).predict("new_photo.jpg")  # doctest: +SKIP

    Your own network is a `pytorch_lightning.LightningModule`. Its `training_step(batch, batch_idx)` gets a tuple of inputs,
    float32 [N, *spec.input_shape] (images standardised by channel; a table's scaled numbers, then its one-hot categories),
    and targets: int64 [N] class indices, or float32 [N] standardised values. `forward(inputs)` returns logits
    [N, spec.outputs], or values [N] in the same unit as the targets. A Lightning Trainer trains it with the optimisers of
    its `configure_optimizers`, which is called again after pruning; this package computes scores, stops trials early,
    exports and measures. `config` holds the hyperparameters without their prefixes, and `epochs`, the number of epochs of
    a complete trial. Worker processes import the factory, or receive its source if it was defined in a notebook or script;
    nothing is pickled.

    Example:
        >>> def make(config, spec):  # doctest: +SKIP
        ...     return MyModule(width=config["width"], lr=config["lr"], inputs=spec.input_shape, outputs=spec.outputs)
        >>> space = {  # doctest: +SKIP
        ...     "model.width": Integer(8, 64, default=16, log=True),
        ...     "train.lr": Float(1e-4, 1e-1, default=1e-3, log=True),
        ...     "train.epochs": 20,  # the maximum for a trial
        ...     "prune.ratio": Float(0.0, 0.7, default=0.0),  # share of the channels to prune
        ... }
        >>> AutoML(model=make, space=space, budget=Budget(minutes=5)).fit(x, y)  # doctest: +SKIP
    """

    name: str | None = None
    deployment: Deployment = field(default_factory=Deployment)
    budget: Budget = field(default_factory=lambda: Budget(minutes=10))
    objectives: Sequence[str | Objective] = ("accuracy", "latency")
    metric: str | Callable[[Any, Any], float] | CustomMetric | None = None
    seed: int = 0
    class_weight: str | Mapping[Any, float] | None = None
    hyperparameters: Mapping[str, Hyperparameter | Setting] = field(default_factory=dict)
    family: str | Sequence[str] | None = None
    start: Any = None
    pretrained: str | Path | Sequence[str] = "auto"
    teacher: Any = "none"
    refit: Literal["auto", "none"] = "auto"
    ensemble: Literal["auto", "none"] = "auto"
    model: Callable[[dict[str, Any], DataSpec], Any] | None = None
    space: Mapping[str, Hyperparameter | Setting] | None = None
    sampler: str = "tpe"
    grid: Sequence[str] = ()
    warm_start: Study | str | Sequence[Study | str] = ()
    initial_configs: Sequence[Mapping[str, Setting]] = ()
    callbacks: Sequence[Callable[[Event, Any], None]] = ()
    workers: int | None = None
    executor: str | ExecutorSettings = "local"
    home: str | Path | None = None
    tracking_uri: str | None = None
    experiment: str | None = None
    progress: bool = True
    grace: float = 10.0

    def __post_init__(self) -> None:
        for name in ("objectives", "grid"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str | Objective) else tuple(value or ()))
        named = [self.pretrained] if isinstance(self.pretrained, str | Path) else self.pretrained or ["none"]
        object.__setattr__(self, "pretrained", ",".join(map(str, named)))
        object.__setattr__(self, "callbacks", (self.callbacks,) if callable(self.callbacks) else tuple(self.callbacks))
        for name, default in (("deployment", Deployment()), ("budget", Budget(minutes=10)), ("hyperparameters", {})):
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)
        for name in ("hyperparameters", "space"):  # copied: later changes to them are not part of the request
            if isinstance(value := getattr(self, name), Mapping):
                object.__setattr__(self, name, dict(value))
        complaints = Complaints("AutoML")
        check_place(self.tracking_uri, self.experiment, complaints)
        check_name(self.name, StudyStore(self.home), complaints)
        self._check_goals(complaints)
        self._check_device(complaints)
        check_executor(self.executor, complaints)
        check_integer("seed", self.seed, 0, complaints)
        if self.workers is not None:
            check_integer("workers", self.workers, 1, complaints)
        valid = isinstance(self.grace, int | float) and not isinstance(self.grace, bool) and 0 <= self.grace < float("inf")
        complaints.check(valid, f"grace is {self.grace!r}; it must be a number of seconds")
        complaints.check(isinstance(self.budget, Budget), f"budget is {self.budget!r}", "Pass budget=Budget(...).")
        check_model(self.model, self.space, complaints)
        check_family(self.family, None, complaints)
        complaints.check(self.family is None or self.model is None, "both family and model are given", "Pass one of them.")
        check_start(self.start, {"family": self.family, "model": self.model}, complaints)
        check_plugin("samplers", self.sampler, complaints)
        what = f"grid is given, but sampler is {self.sampler!r}"
        complaints.check(not self.grid or self.sampler == "grid", what, "Pass sampler='grid'.")
        fix = """Pass "auto" or "none"; test rows are added by model.refit(rows="all")."""
        complaints.check(self.refit in ("auto", "none"), f"refit is {self.refit!r}", fix)
        complaints.check(self.ensemble in ("auto", "none"), f"ensemble is {self.ensemble!r}", 'Pass "auto" or "none".')
        for callback in self.callbacks:
            complaints.check(
                callable(callback), f"the callback {callback!r} is not callable", "Pass functions f(event, study)."
            )
        warm_studies(self.warm_start, StudyStore(self.home), complaints)
        complaints.raise_any()

    def __repr__(self) -> str:
        changed = (item.name for item in fields(self) if not _equal(getattr(self, item.name), _default(item)))
        return f"AutoML({', '.join(f'{name}={getattr(self, name)!r}' for name in changed)})"

    def fit(
        self,
        data: Any = None,
        y: Any = None,
        *,
        sql: str | None = None,
        connection: Any = None,
        target: str | Sequence[str] | None = None,
        test: Any = None,
        wait: bool | None = None,
        resume: bool = False,
        trust: bool = False,
        **options: Any,
    ) -> Study:
        """Start a search in a separate process, which outlives this one.

        Ctrl-C stops the search and publishes its best model; a second Ctrl-C returns at once, and the search ends by
        itself. SIGTERM and SIGHUP do the same within `grace` seconds, after which this process ends. A search that is not
        waited for, as in a notebook, continues whatever happens to this process.

        Args:
            data: A folder or zip of images, a CSV, Parquet, Excel or JSON Lines file, a DataFrame, arrays, a Dataset, a URL; the
                documentation lists all (Give it your data).
            sql: A query whose rows are the data, instead of `data`; `SqlQuery` is the same for `test` and `predict`.
            connection: The query's database: a SQLAlchemy URL, such as `"sqlite:///shop.db"`, an engine or a connection.
            y: Labels or numbers, if `data` is an array or a DataFrame without them.
            target: The column to predict, or several columns of zeros and ones, one for each label that a row may have.
            test: Held-out test data of the same kind; by default a fifth of the data is split off.
            wait: Whether to show the search and wait for its end; by default yes, except in a notebook, where it would
                block other cells. `follow()`, `wait()`, `pause()`, `stop()` and the rest work at any time.
            resume: Whether to continue an unfinished study of this name, with its own data and settings.
            trust: Whether code in the study that is continued may run here; see `open_study`.
            **options: Further options for the data; see `DataOptions`. `sample_weight` is a column of a table, or an array [N] of
                the weights of the rows of a DataFrame or array.

        Returns:
            The study; it has a front if `fit` waited for it.

        Raises:
            ConfigError: An option is unknown or wrong.
            DataError: The data cannot be used as it is.
            LimitError: No network meets the hard limits.
            StudyError: The study's folder cannot be written to, or the study to resume has ended.
        """
        if isinstance(y, str):
            raise ConfigError(
                f"y is {y!r}; it must contain labels or numbers", where="fit", fix=f"To name a column, pass target={y!r}."
            )
        data = query_or_data(data, y, sql, connection)
        return FitCall(self, wait=wait).run(data, y, test, {"target": target, **options}, resume=resume, trust=trust)

    def _check_goals(self, complaints: Complaints) -> None:
        costs = names("objectives")
        offered = (ACCURACY, *costs)
        for objective in self.objectives:
            known = isinstance(objective, Objective) or objective == ACCURACY or objective in (*costs, *all_metrics())
            fix = "Pass a name, or Objective.of(function) for a cost of your own."
            complaints.check(known, f"there is no objective {objective!r}.{did_you_mean(str(objective), offered)}", fix)
        complaints.check(len(self.objectives), "no objective is given", f"Pass one or more of {', '.join(offered)}.")
        for name in getattr(self.deployment, "limits", ()):
            complaints.check(name in known_costs(), f"there is no cost {name!r} to limit.", one_of(name, known_costs()))
        known = self.metric is None or (isinstance(self.metric, str) and self.metric in all_metrics())
        known = known or isinstance(self.metric, CustomMetric) or callable(self.metric)
        complaints.check(known, f"there is no metric {self.metric!r}.", one_of(str(self.metric), all_metrics()))

    def _check_device(self, complaints: Complaints) -> None:
        if not isinstance(self.deployment, Deployment):
            complaints.add(f"deployment is {self.deployment!r}", "Pass deployment=Deployment(...).")
            return
        reason = get_device(self.deployment.device).unavailable()
        complaints.check(not reason, reason, "Use Deployment(device='cpu').")
        if isinstance(self.budget, Budget) and self.budget.cost is not None:
            device = self.deployment.device
            fix = f'Use Budget(cost={self.budget.cost:g}, prices={{"{device}": 0.04}}).'
            complaints.check(
                device in self.budget.prices, f"the budget has a cost, but no price for the device {device!r}", fix
            )
        for runtime in self.deployment.runtimes:
            missing = plugins.instance("runtimes", runtime).missing()
            fix = f'pip install "{missing}", or leave out runtimes: then all that are installed are used.'
            complaints.check(not missing, f"the runtime {runtime!r} is not installed", fix)


def _equal(value: Any, default: Any) -> bool:
    return value is default or (isinstance(value, type(default)) and bool(value == default))  # an array is not compared


def _default(item: Any) -> Any:
    return item.default if item.default_factory is MISSING else item.default_factory()
